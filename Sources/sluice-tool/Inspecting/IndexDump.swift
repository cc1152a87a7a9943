// A segment's indexes as text. They are hints and can be rebuilt: what is wrong in them costs time, never
// records.

#if Tool
import SluiceLog

enum IndexDump {
    /// A line for each entry of an offset index. Returns whether the entries rise, as they must.
    static func printOffsets(
        _ path: String, _ files: PosixFileSystem, to output: inout StandardOutput
    ) throws -> Bool {
        let base = baseOffset(of: path)
        var last: IndexEntry?
        var isSound = true
        let entries = IndexFiles.read(path, files)
        for entry in entries {
            let rises =
                last.map { $0.relativeOffset < entry.relativeOffset && $0.position < entry.position } ?? true
            let offset = base + Int64(entry.relativeOffset)
            output.text.append("offset: \(offset) position: \(entry.position)\(rises ? "" : " WRONG")\n")
            try output.recordEnded()
            isSound = isSound && rises
            last = entry
        }
        return try finish(path, files, entries.count, IndexEntry.bytes, isSound, to: &output)
    }

    /// A line for each entry of a time index.
    static func printTimes(
        _ path: String, _ files: PosixFileSystem, to output: inout StandardOutput
    ) throws -> Bool {
        let base = baseOffset(of: path)
        var last: TimeIndexEntry?
        var isSound = true
        let entries = IndexFiles.readTimes(path, files)
        for entry in entries {
            let rises =
                last.map { $0.timestamp < entry.timestamp && $0.relativeOffset < entry.relativeOffset }
                ?? true
            let offset = base + Int64(entry.relativeOffset)
            output.text.append("timestamp: \(entry.timestamp) offset: \(offset)\(rises ? "" : " WRONG")\n")
            try output.recordEnded()
            isSound = isSound && rises
            last = entry
        }
        return try finish(path, files, entries.count, TimeIndexEntry.bytes, isSound, to: &output)
    }

    private static func finish(
        _ path: String, _ files: PosixFileSystem, _ count: Int, _ entryBytes: Int, _ isSound: Bool,
        to output: inout StandardOutput
    ) throws -> Bool {
        let rest = (try files.status(path)?.size ?? 0) - Int64(count * entryBytes)
        if rest > 0 { output.text.append("note: \(rest) bytes at the end are not a whole entry\n") }
        if !isSound {
            output.text.append(
                "DAMAGED: entries do not rise; the index is rebuilt from its segment, nothing is lost\n")
        }
        output.text.append("\(count) entries\n")
        return isSound
    }

    /// Kafka: a segment is named for its base offset. 0 for a file of another name.
    private static func baseOffset(of path: String) -> Int64 {
        path.split(separator: "/").last.flatMap { SegmentPaths.parse(String($0)) }?.baseOffset ?? 0
    }
}
#endif
