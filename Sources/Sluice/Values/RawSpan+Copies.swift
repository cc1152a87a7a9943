// From lent bytes to values of one's own.

extension [UInt8] {
    /// A copy of the bytes.
    @inlinable
    public init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { Array($0) }
    }
}

extension String {
    /// The bytes as UTF-8; what is not UTF-8 is replaced by U+FFFD.
    @inlinable
    public init(decoding bytes: RawSpan) {
        self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
