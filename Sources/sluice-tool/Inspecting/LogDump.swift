// A segment's `.log` as text: a line for each batch, and one for each record where that is asked for.

#if Tool
import Sluice
import SluiceLog

enum LogDump {
    /// Prints the file. Returns whether it is sound: each batch whole and right, but for a torn end.
    static func print(
        _ path: String, records: Bool, _ files: PosixFileSystem, to output: inout StandardOutput
    ) throws -> Bool {
        var log = try LogFile(path, files)
        var summary = Summary()
        var position: Int64 = 0
        while position < log.size {
            switch try log.place(at: position) {
            case .batch(let header, let bytes, let crcMatches):
                print(header, at: position, crcMatches, &output.text)
                summary.add(header, crcMatches: crcMatches)
                if records, crcMatches { try print(recordsOf: bytes, &summary, to: &output) }
                try output.recordEnded()
                position += Int64(header.totalBytes)
            case .nothing(let reason):
                guard let next = try log.nextBatch(after: position) else {
                    output.text.append(
                        "note: \(log.size - position) bytes at \(position) are not a whole batch: \(reason)\n"
                    )
                    position = log.size
                    continue
                }
                output.text.append(
                    "DAMAGED: \(next - position) bytes at \(position) are not a batch: \(reason)\n")
                summary.damage += 1
                position = next
            }
        }
        output.text.append("\(summary.text), \(log.size) bytes\n")
        return summary.damage == 0
    }

    /// What the batches come to.
    private struct Summary {
        var batches = 0
        var records: Int64 = 0
        var damage = 0
        var nextOffset: Int64?

        mutating func add(_ header: BatchHeader, crcMatches: Bool) {
            batches += 1
            records += Int64(header.recordCount)
            if !crcMatches { damage += 1 }
            nextOffset = header.nextOffset
        }

        var text: String {
            "\(batches) batches, \(records) records"
                + (nextOffset.map { ", next offset \($0)" } ?? "")
                + (damage > 0 ? ", \(damage) damaged" : "")
        }
    }

    private static func print(
        _ header: BatchHeader, at position: Int64, _ crcMatches: Bool, _ text: inout TextBuffer
    ) {
        let flags = [
            header.timestampType == .logAppendTime ? "log-append-time" : nil,
            header.isTransactional ? "transactional" : nil, header.isControl ? "control" : nil,
            header.hasDeleteHorizon ? "delete-horizon" : nil,
        ].compactMap { $0 }
        text.append(
            """
            position: \(position) offsets: \(header.baseOffset)-\(header.lastOffset) count: \
            \(header.recordCount) bytes: \(header.totalBytes) codec: \(header.codec) epoch: \
            \(header.partitionLeaderEpoch) timestamps: \(header.baseTimestamp)-\(header.maxTimestamp) crc: \
            \(hexadecimal(header.crc)) \(crcMatches ? "ok" : "WRONG")
            """)
        if !flags.isEmpty { text.append(" flags: " + flags.joined(separator: ",")) }
        if header.producerID >= 0 {
            text.append(
                " producer: \(header.producerID)/\(header.producerEpoch) sequence: \(header.baseSequence)"
            )
        }
        text.append("\n")
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    /// Each record as JSON, indented below its batch.
    private static func print(
        recordsOf bytes: ByteSlice, _ summary: inout Summary, to output: inout StandardOutput
    ) throws(ToolError) {
        var context = CodecContext()
        let batch: DecodedBatch
        do throws(BatchError) {
            batch = try DecodedBatch(bytes, with: &context, maxBytes: Limits.decompressedBatchBytes)
        } catch {
            summary.damage += 1
            output.text.append("  DAMAGED: \(error)\n")
            return
        }
        var cursor = batch.cursor
        while cursor.next() {
            output.text.append("  {\"offset\":\(cursor.offset),\"timestamp\":\(cursor.timestamp),")
            output.text.append(member: "key", cursor.keySpan)
            output.text.append(UInt8(ascii: ","))
            output.text.append(member: "value", cursor.valueSpan)
            output.text.append(",\"headers\":")
            JSONPrinter.print(cursor.headers, into: &output.text)
            output.text.append("}\n")
            try output.recordEnded()
        }
        withExtendedLifetime(batch) {}
    }
}
#endif
