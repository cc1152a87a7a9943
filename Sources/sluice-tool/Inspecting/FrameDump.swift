// The manifest and the journal as text: a line for each frame, and below it what it says.

#if Tool
import Sluice
import SluiceLog

enum FrameDump {
    /// Prints the file. Returns whether no frame before the last whole one is damaged.
    static func print(
        _ kind: FrameKind, _ path: String, _ files: PosixFileSystem, to output: inout StandardOutput
    ) throws -> Bool {
        let bytes = try files.readAll(path, limit: Limits.manifestBytes)
        let scan = Frame.scan(kind, storeID: nil, in: bytes)
        var isSound = scan.gaps.isEmpty
        for frame in scan.frames {
            output.text.append(
                "position: \(frame.position) sequence: \(frame.sequence) bytes: \(frame.payload.count)\n")
            do throws(MalformedRecord) {
                for line in try kind == .manifest ? manifestLines(frame) : journalLines(frame) {
                    output.text.append("  \(line)\n")
                }
            } catch {
                output.text.append("  DAMAGED: \(error.reason)\n")
                isSound = false
            }
            try output.recordEnded()
        }
        for gap in scan.gaps {
            output.text.append("DAMAGED: at \(gap) there is no frame, and whole ones follow\n")
        }
        // Behind the journal's last frame lie those of its lap before, or zeros: nothing torn can be told
        // from them.
        if kind == .manifest, scan.torn > 0 {
            output.text.append(
                "note: \(scan.torn) bytes at \(scan.end) are not a whole frame: a write that had not ended\n")
        }
        output.text.append("\(scan.frames.count) frames, \(bytes.count) bytes\n")
        return isSound
    }

    private static func manifestLines(_ frame: Frame) throws(MalformedRecord) -> [String] {
        var reader = BinaryReader(frame.payload)
        var lines: [String] = []
        while reader.left > 0 { lines.append("\(try ManifestRecord(from: &reader))") }
        return lines
    }

    private static func journalLines(_ frame: Frame) throws(MalformedRecord) -> [String] {
        var reader = BinaryReader(frame.payload)
        let entries = try reader.array(minimumBytes: JournalEntry.bytes) { reader throws(MalformedRecord) in
            try JournalEntry(from: &reader)
        }
        return entries.map {
            """
            topic \($0.key.topic) partition \($0.key.partition): offsets \
            \($0.baseOffset)-\($0.nextOffset - 1) at \($0.position) of segment \($0.segmentBase), \
            \($0.length) bytes
            """
        }
    }
}
#endif
