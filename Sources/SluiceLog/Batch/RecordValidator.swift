// One pass over the records of a batch, after which they are read without checks.
//
// (1) Never reads outside the area, whatever it holds. (2) The inner loop makes no error value: it returns
// the fault, and the caller throws. (3) Fields must fill their record exactly, records their area exactly.

/// Checks a records area: lengths, varints, offset deltas, headers, count.
enum RecordValidator {
    /// Throws `count`, `malformedRecord` or `trailingBytes` unless `area` holds exactly `count` valid
    /// records.
    static func validate(
        _ area: UnsafeRawBufferPointer, count: Int, lastOffsetDelta: Int
    ) throws(BatchError) {
        guard count <= area.count / BatchLayout.minRecordBytes else {
            throw .count(Int32(truncatingIfNeeded: count))
        }
        guard let start = area.baseAddress else { return }
        let end = start + area.count
        var position = start
        var offsetDelta = -1
        for index in 0..<count {
            if let fault = step(&position, end, &offsetDelta, lastOffsetDelta) {
                throw .malformedRecord(index: index, reason: fault)
            }
        }
        guard position == end else { throw .trailingBytes(end - position) }
    }

    /// Checks one record and moves behind it.
    @inline(__always)
    private static func step(
        _ position: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ offsetDelta: inout Int,
        _ lastDelta: Int
    ) -> RecordFault? {
        var p = position
        guard let length = Varint.read32(&p, limit: end), length >= 0, length <= end - p else {
            return .length
        }
        let limit = p + length
        guard length > 0, p.load(as: UInt8.self) == 0 else { return .attributes }
        p += 1
        guard Varint.read64(&p, limit: limit) != nil else { return .timestampDelta }
        guard let delta = Varint.read32(&p, limit: limit), delta > offsetDelta, delta <= lastDelta else {
            return .offsetDelta
        }
        offsetDelta = delta
        guard skipBytes(&p, limit) else { return .key }
        guard skipBytes(&p, limit) else { return .value }
        // Most records end in a header count of 0.
        if limit - p == 1, p.load(as: UInt8.self) == 0 {
            position = limit
            return nil
        }
        position = limit
        return checkHeaders(p, limit)
    }

    /// Steps over a length and that many bytes; -1 stands for null.
    @inline(__always)
    private static func skipBytes(_ p: inout UnsafeRawPointer, _ limit: UnsafeRawPointer) -> Bool {
        guard let count = Varint.read32(&p, limit: limit), count >= -1, count <= limit - p else {
            return false
        }
        p += max(count, 0)
        return true
    }

    @inline(never)
    private static func checkHeaders(_ start: UnsafeRawPointer, _ limit: UnsafeRawPointer) -> RecordFault? {
        var p = start
        // Two bytes are the least a header takes.
        guard let count = Varint.read32(&p, limit: limit), count >= 0, count <= (limit - p) / 2 else {
            return .headers
        }
        for _ in 0..<count {
            guard let keyCount = Varint.read32(&p, limit: limit), keyCount >= 0, keyCount <= limit - p else {
                return .headers
            }
            p += keyCount
            guard skipBytes(&p, limit) else { return .headers }
        }
        return p == limit ? nil : .end
    }
}
