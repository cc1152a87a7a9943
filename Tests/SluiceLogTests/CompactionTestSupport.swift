// Compacted topics on a simulated machine: keyed records in, the map of last values out.

import SluiceTesting
import Testing

@testable import SluiceLog

/// A record as a test writes and reads it.
struct KeyedRecord: Hashable {
    var key: String?
    var value: String?
}

extension TestStore {
    /// Appends one batch and waits for its answer. `codec`, and a producer with an id, if one is given.
    @discardableResult
    func append(
        records: [KeyedRecord], to topic: String, codec: Codec = .none, producer: ProducerSequence = .none
    ) throws -> Result<AppendedBatch, LogError>? {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 16)
        var context = CodecContext()
        for record in records {
            let key = record.key.map { Array($0.utf8) }
            let value = record.value.map { Array($0.utf8) }
            let fits = builder.append(
                timestamp: clock.now.wallMilliseconds, key: key?.span.bytes, value: value?.span.bytes,
                headers: [RecordHeader(key: "h", value: [1])])
            precondition(fits)
        }
        let sealed = builder.seal(codec, with: &context, producer: producer)
        let id = nextNumber()
        let batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp, origin: BatchOrigin(producer: 1, number: id))
        let number = try number(topic)
        try opened!.volume.submit(batch, to: number, .durable)
        drive { self.answers[id] != nil }
        return answers[id]
    }

    /// Rolls and cleans all; time passes only as the rate asks for it.
    @discardableResult
    func compact(_ topic: String) throws -> Result<Int64, LogError>? {
        let number = try number(topic)
        return try request { volume, request in try volume.compact(number, request: request) }
    }

    /// Every record that readers see, by offset, and every batch's header.
    func records(_ topic: String) throws -> (records: [Int64: KeyedRecord], batches: [BatchHeader]) {
        let number = try number(topic)
        let range = try opened!.volume.offsets(number)
        var records: [Int64: KeyedRecord] = [:]
        var headers: [BatchHeader] = []
        var context = CodecContext()
        var offset = range.lowerBound
        let reader = SegmentReader(files, mayRepair: true)
        while offset < range.upperBound, let view = try opened!.volume.segment(number, at: offset) {
            var position = try reader.position(of: offset, in: view)
            while let fetched = try reader.fetch(view, from: position, maxBytes: 1) {
                let header = try BatchHeader(fetched.bytes.bytes)
                let stored = ByteSlice(
                    fetched.bytes.buffer, start: fetched.bytes.start, count: header.totalBytes)
                let batch = try reader.decode(stored, at: position, in: view, &context)
                position += Int64(header.totalBytes)
                headers.append(header)
                var cursor = batch.cursor
                for record in batch.all where cursor.next() && !header.isControl {
                    #expect(record.headers == [RecordHeader(key: "h", value: [1])])
                    records[cursor.offset] = KeyedRecord(
                        key: record.key.map { String(decoding: $0, as: UTF8.self) },
                        value: record.value.map { String(decoding: $0, as: UTF8.self) })
                }
                offset = header.nextOffset
            }
            #expect(offset == view.endOffset)
            offset = view.endOffset
        }
        return (records, headers)
    }

    /// The sealed segments of partition 0, as the manifest has them.
    func sealed(_ topic: String) throws -> [SealedSegment] {
        let number = try number(topic)
        return opened?.volume.partitions[number]?.sealed ?? []
    }

    /// Names in the directory of partition 0.
    func names(_ topic: String) throws -> [String] {
        try files.list("\(Self.root)/topics/\(topic)-0").map(\.name).filter { $0 != "partition.metadata" }
    }
}

/// What must be left of a log: the last record of each key.
func lastValues(_ records: [Int64: KeyedRecord]) -> [String: KeyedRecord] {
    var last: [String: KeyedRecord] = [:]
    for (_, record) in records.sorted(by: { $0.key < $1.key }) {
        if let key = record.key { last[key] = record }
    }
    return last
}
