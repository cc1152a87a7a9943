// RecordBatch v2 read a second time, slowly and plainly, from the text of Docs/Format.md: no code is shared
// with the engine. Arrays, one byte after another, no pointer.

/// Why some bytes are no batch, by the kind of fault.
enum NaiveFault: Error {
    case header, checksum, compression, tooLarge, records
    /// The decompressor refuses what the format allows, or leaves open.
    case freedom
}

struct NaiveBatch {
    var records: [FuzzedRecord] = []

    init(_ bytes: [UInt8], maxBytes: Int) throws(NaiveFault) {
        guard bytes.count >= 61 else { throw .header }
        let base = Int64(bitPattern: Self.big(bytes, 0, 8))
        let length = Int(Int32(truncatingIfNeeded: Self.big(bytes, 8, 4)))
        let attributes = Int(Self.big(bytes, 21, 2))
        let lastDelta = Int(Int32(truncatingIfNeeded: Self.big(bytes, 23, 4)))
        let baseTime = Int64(bitPattern: Self.big(bytes, 27, 8))
        let maxTime = Int64(bitPattern: Self.big(bytes, 35, 8))
        let count = Int(Int32(truncatingIfNeeded: Self.big(bytes, 57, 4)))
        guard bytes[16] == 2, length >= 49, bytes.count == length + 12, base >= 0, lastDelta >= 0,
            base < Int64.max - Int64(lastDelta), count >= 0, count <= lastDelta + 1, attributes & 7 <= 4
        else { throw .header }
        guard UInt32(truncatingIfNeeded: Self.big(bytes, 17, 4)) == Self.crc(bytes[21...]) else {
            throw .checksum
        }
        var area = [UInt8](bytes[61...])
        if attributes & 7 != 0, !(count == 0 && area.isEmpty) {
            area = try Decompressors.decompress(area, attributes & 7, maxBytes)
        }
        guard area.count <= maxBytes else { throw .tooLarge }
        var place = area[...]
        var last = -1
        for _ in 0..<count {
            let size = try Self.varint(&place, 32)
            guard size >= 0, size <= place.count else { throw .records }
            var record = place.prefix(Int(size))
            place = place.dropFirst(Int(size))
            // No attribute of a record is defined.
            guard record.popFirst() == 0 else { throw .records }
            let time = try Self.varint(&record, 64)
            let delta = Int(try Self.varint(&record, 32))
            guard delta > last, delta <= lastDelta else { throw .records }
            last = delta
            let key = try Self.run(&record)
            let value = try Self.run(&record)
            let headers = try Self.headers(&record)
            guard record.isEmpty else { throw .records }
            records.append(
                FuzzedRecord(
                    offset: base + Int64(delta),
                    // Kafka counts without looking for overflow.
                    timestamp: attributes & 8 != 0 ? maxTime : baseTime &+ time, key: key, value: value,
                    headers: headers))
        }
        guard place.isEmpty else { throw .records }
    }

    private static func headers(_ record: inout ArraySlice<UInt8>) throws(NaiveFault) -> [FuzzedHeader] {
        let count = try varint(&record, 32)
        guard count >= 0 else { throw .records }
        var headers: [FuzzedHeader] = []
        for _ in 0..<count {
            guard let name = try run(&record) else { throw .records }
            headers.append(
                FuzzedHeader(name: String(decoding: name, as: UTF8.self), value: try run(&record)))
        }
        return headers
    }

    /// A length and so many bytes; -1 is null.
    private static func run(_ record: inout ArraySlice<UInt8>) throws(NaiveFault) -> [UInt8]? {
        let count = try varint(&record, 32)
        if count == -1 { return nil }
        guard count >= 0, count <= record.count else { throw .records }
        defer { record = record.dropFirst(Int(count)) }
        return [UInt8](record.prefix(Int(count)))
    }

    /// A zigzag number; bits beyond its type are a fault.
    private static func varint(_ bytes: inout ArraySlice<UInt8>, _ bits: Int) throws(NaiveFault) -> Int64 {
        var value: UInt64 = 0
        for place in 0... {
            guard let byte = bytes.popFirst(), place * 7 < bits else { throw .records }
            for bit in 0..<7 where byte >> UInt8(bit) & 1 == 1 {
                guard place * 7 + bit < bits else { throw .records }
                value |= 1 << UInt64(place * 7 + bit)
            }
            if byte < 0x80 { break }
        }
        return value % 2 == 0 ? Int64(value / 2) : -1 - Int64(value / 2)
    }

    private static func big(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
        bytes[start..<(start + count)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// CRC-32C, bit by bit.
    static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }
}
