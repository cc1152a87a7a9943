// The fast way through validated records: no bounds are checked, nothing is copied, retained or allocated.
//
// (1) Made only from a `DecodedBatch`, which has checked every length. (2) Its pointers point into the
// batch's records: whoever holds a cursor, or a pointer from it, holds the batch. (3) Frozen and inlinable:
// a client's loop compiles to the reading itself, without a call.

/// A place in the records of a `DecodedBatch`, and the record there.
@frozen
public struct RecordCursor {
    @usableFromInline var position: UnsafeRawPointer
    @usableFromInline let baseOffset: Int64
    @usableFromInline let baseTimestamp: Int64
    /// All ones with CreateTime; 0 with LogAppendTime, when deltas do not count.
    @usableFromInline let timestampMask: Int64
    /// The number of records still to come.
    public var remaining: Int
    /// The record's offset less the batch's base offset.
    public var offsetDelta: Int32 = -1
    /// The record's timestamp less the batch's base timestamp, as stored.
    public var timestampDelta: Int64 = 0
    /// The key's first byte; nil for a null key.
    public var key: UnsafeRawPointer?
    /// The key's length; 0 for a null key.
    public var keyCount: Int = 0
    /// The value's first byte; nil for a null value.
    public var value: UnsafeRawPointer?
    /// The value's length; 0 for a null value.
    public var valueCount: Int = 0
    /// The first byte behind the value: the header count. See `headers`.
    public var headerStart: UnsafeRawPointer

    init(_ records: UnsafeRawPointer, of header: BatchHeader) {
        position = records
        headerStart = records
        baseOffset = header.baseOffset
        let isCreateTime = header.timestampType == .createTime
        baseTimestamp = isCreateTime ? header.baseTimestamp : header.maxTimestamp
        timestampMask = isCreateTime ? -1 : 0
        remaining = Int(header.recordCount)
    }

    /// The record's offset in its partition.
    @inlinable
    public var offset: Int64 { baseOffset &+ Int64(offsetDelta) }

    /// The record's timestamp in ms: the producer's, or with LogAppendTime the batch's max timestamp.
    @inlinable
    public var timestamp: Int64 { baseTimestamp &+ (timestampDelta & timestampMask) }

    /// Moves to the next record; false at the end, where the fields keep their last values.
    @inlinable @inline(__always)
    public mutating func next() -> Bool {
        guard remaining > 0 else { return false }
        remaining &-= 1
        var p = position
        let length = Self.varint(&p)
        position = p + Int(length)
        p += 1
        timestampDelta = Self.varint(&p)
        offsetDelta = Int32(truncatingIfNeeded: Self.varint(&p))
        let keyLength = Int(Self.varint(&p))
        key = keyLength >= 0 ? p : nil
        keyCount = max(keyLength, 0)
        p += keyCount
        let valueLength = Int(Self.varint(&p))
        value = valueLength >= 0 ? p : nil
        valueCount = max(valueLength, 0)
        headerStart = p + valueCount
        return true
    }

    /// A zigzag varint that is known to be whole.
    @inlinable @inline(__always)
    static func varint(_ position: inout UnsafeRawPointer) -> Int64 {
        let first = UInt64(position.load(as: UInt8.self))
        if first < 0x80 {
            position += 1
            return unzigzag(first)
        }
        let second = UInt64(position.load(fromByteOffset: 1, as: UInt8.self))
        if second < 0x80 {
            position += 2
            return unzigzag(first & 0x7F | second &<< 7)
        }
        return longVarint(&position)
    }

    @inlinable @inline(__always)
    static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
    }

    @usableFromInline @inline(never)
    static func longVarint(_ position: inout UnsafeRawPointer) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = UInt64(position.load(as: UInt8.self))
            position += 1
            value |= (byte & 0x7F) &<< shift
            if byte < 0x80 { return unzigzag(value) }
            shift += 7
        }
    }
}

extension RecordCursor {
    /// Copies of the record's headers, in order.
    public var headers: [RecordHeader] { Self.headers(at: headerStart) }

    /// Copies of the headers that start at `start`: a `headerStart` of a cursor, whose batch is alive.
    public static func headers(at start: UnsafeRawPointer) -> [RecordHeader] {
        var p = start
        let count = Int(varint(&p))
        var headers: [RecordHeader] = []
        headers.reserveCapacity(count)
        for _ in 0..<count {
            let keyCount = Int(varint(&p))
            let key = String(decoding: UnsafeRawBufferPointer(start: p, count: keyCount), as: UTF8.self)
            p += keyCount
            let valueCount = Int(varint(&p))
            guard valueCount >= 0 else {
                headers.append(RecordHeader(key: key, value: nil))
                continue
            }
            headers.append(
                RecordHeader(key: key, value: [UInt8](UnsafeRawBufferPointer(start: p, count: valueCount))))
            p += valueCount
        }
        return headers
    }
}
