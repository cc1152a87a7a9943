// `__consumer_offsets`: the internal topic that holds what groups have committed. Kafka's records, one
// partition, compacted.

import Logging
import SluiceCore
import SluiceLog

enum OffsetsTopic {
    static let name = "__consumer_offsets"
    static let place = TopicPartition(topic: name, partition: 0)

    /// Throws `unsupported` for what would put something else into the topic, or take it away.
    static func check(_ topic: String) throws(StreamError) {
        guard topic == name else { return }
        throw .unsupported(
            "\(name) holds what groups have committed, and is written by them alone: see admin.seekGroup and "
                + "admin.deleteGroup")
    }

    static func exists(in engine: StoreEngine) -> Bool {
        engine.read { volume in volume.topic(name) != nil }
    }

    /// Bytes that the topic takes.
    static func bytes(in engine: StoreEngine) -> Int64 {
        guard let number = try? engine.number(of: place), let start = try? engine.offsets(number).lowerBound,
            let view = try? engine.segment(number, at: start)
        else { return 0 }
        return view.limit
            + ((try? engine.read { volume throws(LogError) in try volume.bytes(number, behind: view) }) ?? 0)
    }

    /// Makes the topic, unless somebody has.
    nonisolated(nonsending) static func make(in engine: StoreEngine) async throws(StreamError) {
        let settings = TopicConfiguration {
            $0.cleanupPolicy = .compact
            $0.segmentBytes = 16 << 20
            $0.maxMessageBytes = Limits.batchBytes
        }.settings
        _ = try await engine.create(name, 1, settings, isEnsured: true).value().get()
    }

    /// Every record of the topic that is visible now, in order.
    nonisolated(nonsending) static func read(
        _ engine: StoreEngine, _ body: ([UInt8], [UInt8]?, Int64) -> Void
    ) async throws(StreamError) {
        guard exists(in: engine) else { return }
        let reader = try await engine.onReader { () throws(StreamError) -> PartitionReader in
            let number = try engine.number(of: place)
            var reader = PartitionReader(topicPartition: place, number: number, next: 0)
            reader.next = try engine.resolve(.earliest, place, number)
            reader.end = try engine.resolve(.latest, place, number)
            return reader
        }
        let consumer = Consumer(Loan(engine), [reader], ConsumerConfiguration())
        let end = reader.end ?? 0
        var reached = reader.next
        var iterator = consumer.makeAsyncIterator()
        while let batch = try await iterator.next() {
            reached = batch.nextOffset.rawValue
            var records = batch.records
            while let record = records.next() {
                guard let key = record.key else { continue }
                let value = if let value = record.value { [UInt8](copying: value) } else { [UInt8]?.none }
                body([UInt8](copying: key), value, record.offset.rawValue)
            }
        }
        // Ended early: the store is being closed. The end may lie behind batches without records.
        if reached < end { reached = (try? consumer.position(of: place))?.rawValue ?? reached }
        guard reached >= end else { throw .closed }
    }

    /// The engine for as long as someone who has it reads.
    private final class Loan: LogLease {
        let source: any LogSource
        init(_ engine: StoreEngine) { source = engine }
    }

    /// The records as one batch.
    static func batch(_ records: [GroupRecord], origin: BatchOrigin, time: Int64) -> PreparedBatch? {
        let bytes = records.reduce(0) { $0 + $1.byteCount + 32 }
        var builder = RecordBatchBuilder(rawCapacity: max(bytes + 1024, 4096))
        for record in records {
            let key = record.key.span.bytes
            let isTaken =
                if let value = record.value {
                    builder.append(timestamp: time, key: key, value: value.span.bytes, headers: [])
                } else {
                    builder.append(timestamp: time, key: key, value: nil, headers: [])
                }
            guard isTaken else { return nil }
        }
        var context = CodecContext()
        let sealed = builder.seal(.lz4, with: &context)
        var batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp,
            origin: origin)
        batch.isExempt = true
        return batch
    }
}

/// Appends what the coordinator wants stored, in the order in which it is given, and tells it the outcome.
final class OffsetsSink: BatchSink, @unchecked Sendable {
    // Set once, before anything is appended.
    private var engine: StoreEngine!
    private weak var groups: GroupEngine?
    private var number: UInt32 = 0

    func start(_ engine: StoreEngine, _ groups: GroupEngine) {
        self.engine = engine
        self.groups = groups
        number = engine.register(self)
    }

    func append(_ store: GroupStore) {
        let origin = BatchOrigin(producer: number, number: store.id)
        do throws(LogError) {
            try engine.withVolume { volume throws(LogError) in
                let partition = try volume.number(topic: OffsetsTopic.name, partition: 0)
                guard
                    let batch = OffsetsTopic.batch(
                        store.records, origin: origin, time: coarseWallMilliseconds())
                else { throw .tooLarge(bytes: Limits.batchBytes + 1, limit: Limits.batchBytes) }
                try volume.submit(batch, to: partition, .durable)
            }
            groups?.noteAppended(store.records.reduce(80) { $0 + $1.byteCount + 16 })
        } catch {
            engine.logger.error("what groups committed could not be stored", metadata: ["reason": "\(error)"])
            groups?.stored(store.id, .failed)
        }
    }

    func completed(_ completions: [AppendCompletion]) {
        for completion in completions {
            switch completion.result {
            case .success(let batch):
                groups?.stored(completion.origin.number, .durable(at: batch.baseOffset))
                groups?.scheduleFloors()
            case .failure(let error):
                engine.logger.error(
                    "what groups committed could not be stored", metadata: ["reason": "\(error)"])
                groups?.stored(completion.origin.number, .failed)
            }
        }
    }
}
