// How a store uses the machine. What it keeps, and for how long, is each topic's configuration.

public import Logging
package import SluiceLog

/// How a store uses the machine.
public struct StoreConfiguration: Sendable {
    /// The bytes of the disk that the store may use, all its files together, at least 32 MiB; nil: 80 % of
    /// the file system.
    ///
    /// Producers are slowed before that is reached, and refused there: see back pressure.
    public var diskBytes: Int64?
    /// The most files that the store has open at once, at least 16. Of the process's limit, `ulimit -n`, half
    /// is left to the program, or 1,024.
    ///
    /// A partition that is written has its segment open. When there are more of them than files, each other
    /// write waits for a sync.
    public var maxOpenFiles = 16_384
    /// Whether opening fails with `corrupt` when anything is damaged, rather than opening the rest.
    public var strict = false
    /// Whether the store can be administered from outside while it is open: it listens on `control.sock` in
    /// its directory, for this user and root.
    public var controlSocket = true
    /// How long a group without members keeps what it has committed: at least a minute. Kafka:
    /// offsets.retention.minutes.
    public var offsetsRetention = Duration.seconds(7 * 86_400)
    /// Where the store reports what it finds and does.
    public var logger = Logger(label: "sluice")
    /// How many threads write, at least 1; not for users: tests set it.
    package var writerThreads = 2
    /// How many threads read what is not in memory, at least 1; not for users: tests set it.
    package var readerThreads = 2
    /// Sizes of the engine; not for users: tests set them.
    package var volume = VolumeConfiguration()

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// Throws `illegalConfiguration` for the first property that is out of its range.
    package func validate() throws(StreamError) {
        if let diskBytes {
            try check(diskBytes >= 32 << 20, "diskBytes", diskBytes, "33554432 (32 MiB) or more")
        }
        try check(maxOpenFiles >= 16, "maxOpenFiles", maxOpenFiles, "16 or more")
        try check(
            offsetsRetention >= .seconds(60), "offsets.retention.minutes", offsetsRetention,
            "a minute or more")
        try check(writerThreads >= 1, "writerThreads", writerThreads, "1 or more")
        try check(readerThreads >= 1, "readerThreads", readerThreads, "1 or more")
    }
}
