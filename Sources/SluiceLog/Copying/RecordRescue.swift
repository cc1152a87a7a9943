// The records of a damaged segment: whatever lies in whole batches with right checksums, before and behind
// what cannot be read. Changes nothing.

/// Reads around damage.
package enum RecordRescue {
    /// Calls `record` for every record that can be read, in the order of the file, with its offset, key and
    /// value, which are borrowed; and `lost` for every stretch that cannot, with its position and why.
    package static func read(
        _ path: String, _ files: any FileSystem, record: (Int64, RawSpan?, RawSpan?) -> Void,
        lost: (Int64, String) -> Void
    ) throws(IOError) {
        var scanner = try TailScanner(path: path, files: files)
        defer { scanner.close() }
        var context = CodecContext()
        var position: Int64 = 0
        var next: Int64 = 0
        while position < scanner.size {
            switch try scanner.batch(at: position, expecting: nil) {
            case .valid(let header, let bytes):
                do throws(BatchError) {
                    if !header.isControl { try give(bytes, &context, record) }
                } catch {
                    lost(position, error.description)
                }
                position += Int64(header.totalBytes)
                next = header.nextOffset
            case .invalid(let reason):
                lost(position, reason)
                position = try scanner.nextBatch(after: position, from: next)?.0 ?? scanner.size
            }
        }
    }

    private static func give(
        _ bytes: ByteSlice, _ context: inout CodecContext, _ record: (Int64, RawSpan?, RawSpan?) -> Void
    ) throws(BatchError) {
        let batch = try DecodedBatch(bytes, with: &context, maxBytes: Limits.decompressedBatchBytes)
        var cursor = batch.cursor(from: 0)
        while cursor.next() { record(cursor.offset, cursor.keySpan, cursor.valueSpan) }
    }
}
