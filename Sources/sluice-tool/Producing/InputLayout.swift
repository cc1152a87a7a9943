// How the records of the input are laid out, and what the command line says of all of them.

#if Tool
import SluiceLog

/// What makes a record of some bytes of the input.
struct InputLayout {
    let splitter: RecordSplitter
    /// The key of every record, when it does not stand in the input.
    private let fixedKey: ByteBuffer?
    /// The partition of every record, when it does not stand in the input.
    let partition: Int?

    /// Throws `usage` when the parts do not go together.
    init(format text: String, key: String?, partition: Int?) throws(ToolError) {
        let format = try RecordFormat(text)
        splitter = try RecordSplitter(format)
        if key != nil, format.contains(.key) {
            throw .usage("Keys come either from the input, by %k in the format, or from -k: not from both.")
        }
        if partition != nil, format.contains(.partition) {
            throw .usage(
                "Partitions come either from the input, by %p in the format, or from -p: not from both.")
        }
        fixedKey = key.map { ByteBuffer($0.utf8) }
        self.partition = partition
    }

    /// The key of the record whose key is at `range` of `bytes`; nil is Kafka's null.
    @inline(__always)
    @_lifetime(borrow self, copy bytes)
    func key(_ bytes: RawSpan, _ range: Range<Int>?) -> RawSpan? {
        if let range { return bytes.part(range) }
        guard let fixedKey else { return nil }
        return unsafe _overrideLifetime(fixedKey.bytes, borrowing: self)
    }
}

extension RawSpan {
    /// The bytes of the range; nil without one.
    @inline(__always)
    @_lifetime(copy self)
    func part(_ range: Range<Int>?) -> RawSpan? {
        guard let range else { return nil }
        return extracting(range)
    }
}
#endif
