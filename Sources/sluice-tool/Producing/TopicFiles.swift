// What a topic takes on disk, for the ratio that is shown.

#if Tool
import SluiceLog

/// The segment files of a topic.
struct TopicFiles: Sendable {
    let store: String
    let topic: String
    let partitions: Int

    /// Bytes of all segments; nil when that is too much to ask for or cannot be told.
    func logBytes() -> Int64? {
        guard partitions <= 256 else { return nil }
        let (files, paths) = (PosixFileSystem(), StorePaths(store))
        var bytes: Int64 = 0
        for partition in 0..<partitions {
            let directory = paths.partition(topic, Int32(partition))
            for entry in (try? files.list(directory)) ?? [] where entry.name.hasSuffix(".log") {
                bytes += (try? files.status("\(directory)/\(entry.name)"))??.size ?? 0
            }
        }
        return bytes
    }
}
#endif
