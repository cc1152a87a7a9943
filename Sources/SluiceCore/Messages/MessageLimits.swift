// Every maximum of a queue of messages, with its reason.

/// The bounds of what is in flight, and of what a commit's metadata holds of it.
package enum MessageLimits {
    /// Records of one partition that are not settled and have been taken: what is said of them fits a commit.
    package static let inFlight = 400
    /// Bytes of a window before base64: of the 4,096 of a commit's metadata, those behind the prefix.
    static let windowBytes = (GroupLimits.metadataBytes - StoredWindow.prefix.utf8.count) / 4 * 3
    /// Bytes of a window that belong to no record: its end and the least moment, 10 each at most.
    static let headerBytes = 20
    /// Bytes of a window for its records.
    static let reserveBytes = windowBytes - headerBytes
    /// Bytes that a record takes, but for its distance: the tag, its deliveries, 4 for a moment.
    static let entryBytes = 6
    /// Times that a message can be delivered before it is dead. Kafka's share groups: at most 10.
    package static let deliveries = 1...100
    /// Records of a partition that are taken ahead of those who ask.
    package static let prefetch = 1...200
    /// The longest visibility time-out, and the longest delay of a release: moments that are within 12 hours
    /// of each other differ by 28 bits, which are 4 bytes.
    package static let visibilityMilliseconds = TaskLimits.visibilityMilliseconds
    /// Bytes of windows in one commit; what is left goes with the next.
    package static let commitBytes = 256 << 10
    /// Bytes of the reason for which a message is dead; the rest is cut off.
    package static let reasonBytes = 512
}
