// Foundation's bytes as keys and values. A module of its own: a program without Foundation does not link it.

public import Foundation
public import Sluice

extension Data: RecordBytes {
    /// Lends the bytes.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try body(bytes)
    }
}

extension Data {
    /// A copy of the bytes, as of a record's key or value.
    public init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { Data($0) }
    }
}
