// Appends whole batches as clients have made them: what a server of the Kafka protocol appends with.
//
// (1) A batch goes in as it came; the log gives it its offset and epoch in place. Whoever calls has checked
// it: header, CRC, records. (2) One with a producer id is appended once: Volume+Producers.swift. (3) Answers
// come in any order, on a thread that does I/O or on the caller's, and never with a lock held. Each comes
// once, unless the store stops to exist.

package import SluiceLog
import Synchronization

/// A batch of a client that is to be appended.
package struct RawBatch: Sendable {
    /// One whole, checked batch. It is written in place: nobody else may use the bytes.
    package var bytes: ByteSlice
    /// Bytes that were set aside for it in the volume; taken over whatever comes of it.
    package var reservedBytes = 0
    /// How many of this appender's batches had been refused in the partition when the client sent it, as far
    /// as the client knew; one sent in ignorance is refused as well. nil: that does not concern it.
    package var refusalsSeen: UInt32?

    package init(bytes: ByteSlice, reservedBytes: Int = 0, refusalsSeen: UInt32? = nil) {
        self.bytes = bytes
        self.reservedBytes = reservedBytes
        self.refusalsSeen = refusalsSeen
    }
}

/// Why a client's batch was not appended.
package enum RawAppendError: Error, Hashable, Sendable {
    /// Another sequence of that producer is due. Kafka: OUT_OF_ORDER_SEQUENCE_NUMBER.
    case outOfOrderSequence(expected: Int32)
    /// A later epoch of that producer has appended. Kafka: INVALID_PRODUCER_EPOCH.
    case invalidProducerEpoch(current: Int16)
    /// The batch does not make sense. Kafka: INVALID_RECORD.
    case invalidRecord(reason: String)
    /// As for any other append.
    case stream(StreamError)
}

/// The identity of an idempotent producer.
package struct ProducerIdentity: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16
    package init(id: Int64, epoch: Int16) {
        self.id = id
        self.epoch = epoch
    }
}

/// Appends the batches of one client, or of one connection.
package final class RawAppender: BatchSink {
    package typealias Answer = @Sendable (Result<AppendedBatch, RawAppendError>) -> Void

    private struct Pending {
        var place: TopicPartition
        var answer: Answer
    }

    private struct State {
        var next: UInt64 = 0
        var pending: [UInt64: Pending] = [:]
        var refusedIn: Set<Int> = []
        var number: UInt32 = 0
    }

    private let engine: StoreEngine
    private let lease: EngineLease
    private let state = Mutex(State())

    package init(_ store: StreamStore) {
        engine = store.engine
        lease = store.lease
        let number = engine.register(self)
        state.withLock { $0.number = number }
    }

    /// Hands a batch over. `answer` is told its place when it is as safe as `acks` asks, or why it is not
    /// there.
    ///
    /// What is sent again is told the offset of the original, with `isDuplicate`, when that is as safe. An
    /// answer may come before this returns.
    package func append(
        _ batch: RawBatch, to place: TopicPartition, _ acks: Acks, answer: @escaping Answer
    ) {
        let header: BatchHeader
        do throws(BatchError) {
            header = try BatchHeader(batch.bytes.bytes)
        } catch {
            return answer(.failure(.invalidRecord(reason: error.description)))
        }
        guard header.producerID < 0 || ProducerBatch(header) != nil else {
            return answer(.failure(.invalidRecord(reason: "a producer id without an epoch or a sequence")))
        }
        let origin = state.withLock { state in
            state.next += 1
            state.pending[state.next] = Pending(place: place, answer: answer)
            return BatchOrigin(producer: state.number, number: state.next)
        }
        var prepared = PreparedBatch(
            bytes: batch.bytes, recordCount: Int(header.lastOffsetDelta) + 1,
            maxTimestamp: header.maxTimestamp, origin: origin)
        prepared.isIdempotent = header.producerID >= 0
        prepared.reservedBytes = batch.reservedBytes
        prepared.refusalsSeen = batch.refusalsSeen
        var refused: Int?
        do throws(LogError) {
            try engine.withVolume { volume throws(LogError) in
                do throws(LogError) {
                    let number = try volume.number(topic: place.topic, partition: place.partition)
                    refused = number
                    try volume.submit(prepared, to: number, acks)
                } catch {
                    // Nobody has taken over what was set aside.
                    if refused == nil { volume.release(prepared.reservedBytes) }
                    throw error
                }
            }
        } catch {
            settle(origin.number, .failure(error), refusedIn: refused)
        }
    }

    /// Forgets the client. What is under way is written, and nobody is told.
    package func close() {
        let (number, refused) = state.withLock { state in
            state.pending = [:]
            return (state.number, state.refusedIn.sorted())
        }
        engine.unregister(number, refusedIn: refused)
    }

    func completed(_ completions: [AppendCompletion]) {
        for completion in completions { settle(completion.origin.number, completion.result) }
    }

    private func settle(
        _ number: UInt64, _ result: Result<AppendedBatch, LogError>, refusedIn partition: Int? = nil
    ) {
        guard let pending = state.withLock({ $0.pending.removeValue(forKey: number) }) else { return }
        if case .failure = result {
            let refused =
                partition
                ?? engine.read { volume in
                    try? volume.number(topic: pending.place.topic, partition: pending.place.partition)
                }
            if let refused { state.withLock { _ = $0.refusedIn.insert(refused) } }
        }
        pending.answer(result.mapError { RawAppendError($0, of: pending.place) })
    }
}

extension RawAppendError {
    /// What the engine answered.
    init(_ error: LogError, of place: TopicPartition) {
        switch error {
        case .outOfOrderSequence(_, _, _, let expected): self = .outOfOrderSequence(expected: expected)
        case .invalidProducerEpoch(_, _, let current): self = .invalidProducerEpoch(current: current)
        case .invalidProducer(let reason): self = .invalidRecord(reason: reason)
        default: self = .stream(StreamError(error, of: place))
        }
    }
}

extension StreamStore {
    /// An identity that no producer has had. Kafka: InitProducerId without a transactional id.
    ///
    /// Given an identity of before, the next epoch of it, which fences that one in each partition once it has
    /// appended there; a new id when the epochs are used up (KIP-360). Throws `closed`, `io`, `noSpace`.
    package func initProducerID(
        existing: ProducerIdentity? = nil
    ) async throws(StreamError) -> ProducerIdentity {
        if let existing, existing.id >= 0, 0..<Int16.max - 1 ~= existing.epoch {
            return ProducerIdentity(id: existing.id, epoch: existing.epoch + 1)
        }
        while true {
            try engine.checkOpen()
            if let id = engine.withVolume(isUrgent: false, { $0.takeProducerID() }) {
                return ProducerIdentity(id: id, epoch: 0)
            }
            let waiter: Waiter<Int64>
            do throws(LogError) {
                waiter = try engine.request { volume, request throws(LogError) in
                    try volume.reserveProducerIDs(request: request)
                }
            } catch {
                throw StreamError(error, at: nil)
            }
            _ = try await waiter.value().get()
        }
    }
}
