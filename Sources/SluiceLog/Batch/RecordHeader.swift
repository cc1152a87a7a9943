// A record's headers: names and bytes beside its key and value.

/// A header of a record: a name, which may occur more than once, and bytes or null.
public struct RecordHeader: Sendable, Hashable {
    /// The name, UTF-8 in the record.
    public var key: String
    /// The bytes; nil is Kafka's null.
    public var value: [UInt8]?

    /// A header with the given name and bytes.
    public init(key: String, value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

extension RecordHeader {
    /// Bytes that `headers` take in a record, their count included.
    static func encodedBytes(_ headers: borrowing [RecordHeader]) -> Int {
        var total = Varint.size(headers.count)
        for index in headers.indices {
            let key = headers[index].key.utf8.count
            let value = headers[index].value?.count ?? -1
            total += Varint.size(key) + key + Varint.size(value) + max(value, 0)
        }
        return total
    }

    /// Stores `headers`, their count first, at `position`.
    static func store(_ headers: borrowing [RecordHeader], at position: UnsafeMutableRawPointer) {
        var position = Varint.store(headers.count, at: position)
        for index in headers.indices {
            position = store(headers[index].key.utf8, at: position)
            if let value = headers[index].value {
                position = store(value, at: position)
            } else {
                position = Varint.store(-1, at: position)
            }
        }
    }

    private static func store(
        _ bytes: some Collection<UInt8>, at position: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let count = bytes.count
        let start = Varint.store(count, at: position)
        UnsafeMutableRawBufferPointer(start: start, count: count).copyBytes(from: bytes)
        return start + count
    }
}
