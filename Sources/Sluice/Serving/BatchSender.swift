// Whole batches from elsewhere into the log: what a connection's Produce requests come to.
//
// (1) A batch is handed over as it came; only its offset and epoch are written into it. (2) Answers come on
// an I/O thread, once for each batch. (3) What was refused or failed in a partition is counted: a batch that
// was sent before its sender could know of it is refused by the volume, so that the order holds. (4) One with
// a producer id is appended once: Volume+Producers.swift. A refusal for its sequence or its epoch is not
// counted: whether what comes behind it is next is told by its own sequence.

import CoreMetrics
import SluiceCore
package import SluiceLog

/// Submits batches and hears what became of them. One for each connection.
package final class BatchSender: BatchSink, Sendable {
    private let engine: StoreEngine
    private let pressure: PressureEngine
    private let state = Locked(State())

    private struct State: ~Copyable {
        var number: UInt32 = 0
        var next: UInt64 = 0
        var outstanding: [UInt64: Sent] = [:]
        /// Failures that were told, by partition.
        var failures: [Int: UInt32] = [:]
        /// By topic.
        var lanes: [String: Lane] = [:]
    }

    /// What belongs to a topic that was written to.
    private struct Lane: Sendable {
        var gate: UInt32
        var metrics: TopicMetrics
    }

    private struct Sent: Sendable {
        var partition: Int
        var records: Int
        var bytes: Int
        var metrics: TopicMetrics
        var answer: @Sendable (Result<AppendedBatch, LogError>) -> Void
    }

    /// A sender to a store.
    package init(_ served: ServedStore) {
        engine = served.engine
        pressure = served.pressure
        let number = engine.register(self)
        state.withLock { $0.number = number }
    }

    deinit {
        let (number, failed, lanes) = state.withLock { state in
            (state.number, Array(state.failures.keys), Array(state.lanes.values))
        }
        engine.unregister(number, refusedIn: failed)
        for lane in lanes { pressure.remove(lane.gate) }
    }

    /// A batch that was checked.
    package struct Batch: Sendable {
        /// All bytes of the batch; nobody else writes to them, nor reads them after this.
        package var bytes: ByteSlice
        /// How many offsets it takes.
        package var recordCount: Int
        /// Its greatest timestamp, ms.
        package var maxTimestamp: Int64
        /// Whether it has a producer id, and so is to be appended once.
        package var isIdempotent: Bool
        /// Bytes that were admitted for it: all of it, unless said otherwise.
        package var reservedBytes: Int
        /// Whether a full store must take it, so that it can be drained.
        package var isExempt = false

        /// A batch that was checked.
        package init(bytes: ByteSlice, recordCount: Int, maxTimestamp: Int64, isIdempotent: Bool = false) {
            self.bytes = bytes
            self.recordCount = recordCount
            self.maxTimestamp = maxTimestamp
            self.isIdempotent = isIdempotent
            reservedBytes = bytes.count
        }
    }

    /// What the gates say to so many bytes.
    package enum Admission: Sendable, Hashable {
        /// The sender is to send nothing for so long; 0 is not at all.
        case accepted(throttleNanoseconds: Int64)
        /// Nothing was taken; asking again may help after so long.
        case refused(Busy)
    }

    /// Asks for a batch of so many bytes: room on the disk, and at the gates, is taken when it is accepted.
    /// It must be submitted then, or given back with `release`.
    package func admit(_ bytes: Int, topic: String) -> Admission {
        let gate = lane(topic).gate
        switch pressure.charge(gate, topic, bytes: bytes) {
        case .refused(let busy): return .refused(busy)
        case .accepted(let throttle):
            if let obstacle = pressure.reserve(bytes, gate, topic) {
                pressure.refund(gate, bytes: bytes)
                let wait = max(0, obstacle.retryAt - Instant.monotonicNow)
                return .refused(
                    Busy(topic: topic, retryAfter: .nanoseconds(wait), reason: obstacle.reason))
            }
            pressure.noteAdmitted(bytes)
            return .accepted(throttleNanoseconds: throttle)
        }
    }

    /// Gives back what a batch was admitted with that is not submitted after all.
    package func release(_ bytes: Int) { pressure.release(bytes) }

    /// Failures of a partition that were told so far: what `submit` is to be given for a batch whose sender
    /// knows of all of them.
    package func failures(in partition: Int) -> UInt32 { state.withLock { $0.failures[partition] ?? 0 } }

    /// Hands over a batch that was admitted. `answer` is called once, perhaps before this returns.
    ///
    /// What an idempotent producer sends again is answered with the place of the original, and `isDuplicate`.
    /// - Parameters:
    ///   - partition: the volume's number.
    ///   - failuresSeen: those that its sender knew of; when there are more, it is refused.
    package func submit(
        _ batch: Batch, to partition: Int, of topic: String, _ acks: Acks, failuresSeen: UInt32,
        _ answer: @escaping @Sendable (Result<AppendedBatch, LogError>) -> Void
    ) {
        let sent = Sent(
            partition: partition, records: batch.recordCount, bytes: batch.bytes.count,
            metrics: lane(topic).metrics, answer: answer)
        let origin = state.withLock { state in
            state.next += 1
            state.outstanding[state.next] = sent
            return BatchOrigin(producer: state.number, number: state.next)
        }
        var prepared = PreparedBatch(
            bytes: batch.bytes, recordCount: batch.recordCount, maxTimestamp: batch.maxTimestamp,
            origin: origin)
        prepared.isIdempotent = batch.isIdempotent
        prepared.reservedBytes = batch.reservedBytes
        prepared.isExempt = batch.isExempt
        prepared.refusalsSeen = failuresSeen
        do throws(LogError) {
            try engine.withVolume { volume throws(LogError) in
                try volume.submit(prepared, to: partition, acks)
            }
        } catch {
            settle(origin.number, .failure(error))
        }
    }

    package func completed(_ completions: [AppendCompletion]) {
        for completion in completions { settle(completion.origin.number, completion.result) }
    }

    private func settle(_ number: UInt64, _ result: Result<AppendedBatch, LogError>) {
        let sent = state.withLock { state -> Sent? in
            guard let sent = state.outstanding.removeValue(forKey: number) else { return nil }
            if case .failure(let error) = result, !error.isAboutSequence {
                state.failures[sent.partition, default: 0] &+= 1
            }
            return sent
        }
        guard let sent else { return }
        if case .success(let appended) = result, !appended.isDuplicate {
            sent.metrics.records.increment(by: sent.records)
            sent.metrics.bytes.increment(by: sent.bytes)
        }
        sent.answer(result)
    }

    private func lane(_ topic: String) -> Lane {
        if let lane = state.withLock({ $0.lanes[topic] }) { return lane }
        let lane = Lane(gate: pressure.addGate(for: topic), metrics: TopicMetrics(topic: topic))
        let other = state.withLock { state -> Lane? in
            if let other = state.lanes[topic] { return other }
            state.lanes[topic] = lane
            return nil
        }
        guard let other else { return lane }
        pressure.remove(lane.gate)
        return other
    }
}
