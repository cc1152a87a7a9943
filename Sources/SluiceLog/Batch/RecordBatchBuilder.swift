// Where a producer's records become a batch. The hot path: nothing per record but arithmetic and copying.
//
//   memory   | 61 bytes for the header | records, encoded | room | 16 bytes of slack |
//
// (1) Records take at most `rawCapacity` bytes, except one alone that is larger: the memory grows for it
// and shrinks back at the seal. (2) One check of the room per record; stores go to raw memory, with slack
// for wide ones. (3) The header is written at the seal, in front of the records: a plain batch is one copy.
// (4) No allocation, lock, retain or clock per record.

/// Encodes records into a batch; sealed, it is empty and begins the next.
///
/// `@unchecked Sendable`: not copyable, and the memory is reachable only through its one owner.
public struct RecordBatchBuilder: ~Copyable, @unchecked Sendable {
    static let slack = 16
    /// The most bytes of one record: batch_length is an i32, and kept well below.
    static let maxRecordBytes = 1 << 30

    var memory: UnsafeMutableRawPointer
    /// Bytes of records that fit the memory as it is.
    var capacity: Int
    var used = 0
    var baseTimestamp: Int64 = -1
    /// The bytes of records that one batch takes. Kafka: batch.size.
    public let rawCapacity: Int
    /// The number of records so far.
    public private(set) var recordCount = 0
    /// The greatest timestamp so far, in ms; -1 when there are no records.
    public private(set) var maxTimestamp: Int64 = -1

    /// An empty builder for batches of up to `rawCapacity` bytes of records, 1 to 1 GiB.
    public init(rawCapacity: Int) {
        precondition(rawCapacity > 0 && rawCapacity <= Self.maxRecordBytes)
        self.rawCapacity = rawCapacity
        capacity = rawCapacity
        memory = Self.allocate(rawCapacity)
    }

    deinit { memory.deallocate() }

    static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
        .allocate(byteCount: BatchLayout.headerBytes + capacity + slack, alignment: 16)
    }

    /// Bytes of the records so far, uncompressed, without the batch's header.
    public var rawBytes: Int { used }

    /// Whether there are no records.
    public var isEmpty: Bool { recordCount == 0 }

    /// Adds a record, or returns false when it does not fit: seal, then append again. The first always fits.
    ///
    /// - Parameters:
    ///   - timestamp: ms since 1970.
    ///   - key: borrowed for the call; nil is Kafka's null.
    ///   - value: borrowed for the call; nil is Kafka's null, a tombstone on a compacted topic.
    ///   - headers: borrowed for the call; an empty array costs nothing.
    ///
    /// A record takes at most 1 GiB: the caller has checked it against max.message.bytes.
    public mutating func append(
        timestamp: Int64, key: RawSpan?, value: RawSpan?, headers: borrowing [RecordHeader] = []
    ) -> Bool {
        append(offsetDelta: recordCount, timestamp: timestamp, key: key, value: value, headers: headers)
    }

    /// Adds a record with an offset delta of its own: above the one before, and the seal counts from
    /// `recordCount`.
    @inline(__always)
    mutating func append(
        offsetDelta: Int, timestamp: Int64, key: RawSpan?, value: RawSpan?, headers: borrowing [RecordHeader]
    ) -> Bool {
        let timestampDelta = Int(recordCount == 0 ? 0 : timestamp &- baseTimestamp)
        let keyCount = if let key { key.byteCount } else { -1 }
        let valueCount = if let value { value.byteCount } else { -1 }
        var body = 1 + Varint.size(timestampDelta) + Varint.size(offsetDelta)
        body += Varint.size(keyCount) + max(keyCount, 0) + Varint.size(valueCount) + max(valueCount, 0)
        body += headers.isEmpty ? 1 : RecordHeader.encodedBytes(headers)
        let size = Varint.size(body) + body
        if size > capacity - used {
            guard recordCount == 0 else { return false }
            grow(to: size)
        }

        var position = Varint.store(body, at: memory + BatchLayout.headerBytes + used)
        position.storeBytes(of: 0, as: UInt8.self)
        position = Varint.store(timestampDelta, at: position + 1)
        position = Varint.store(offsetDelta, at: position)
        position = Self.store(key, count: keyCount, at: position)
        position = Self.store(value, count: valueCount, at: position)
        if headers.isEmpty {
            position.storeBytes(of: 0, as: UInt8.self)
        } else {
            RecordHeader.store(headers, at: position)
        }
        used += size
        if recordCount == 0 {
            baseTimestamp = timestamp
            maxTimestamp = timestamp
        } else if timestamp > maxTimestamp {
            maxTimestamp = timestamp
        }
        recordCount += 1
        return true
    }

    @inline(__always)
    private static func store(
        _ bytes: RawSpan?, count: Int, at position: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let start = Varint.store(count, at: position)
        guard let bytes else { return start }
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: start, count: count).copyMemory(from: source)
        }
        return start + count
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        precondition(size <= Self.maxRecordBytes, "a record takes at most 1 GiB")
        memory.deallocate()
        memory = Self.allocate(size)
        capacity = size
    }

    /// Forgets the records, and gives back the memory that one large record took.
    public mutating func removeAll() {
        used = 0
        recordCount = 0
        baseTimestamp = -1
        maxTimestamp = -1
        if capacity > rawCapacity {
            memory.deallocate()
            memory = Self.allocate(rawCapacity)
            capacity = rawCapacity
        }
    }
}
