// The answer to one Produce request in the making: a place for each batch, filled as the log answers.
//
// (1) Done when all that was sent has its outcome, and `allSent` was called: once. (2) Filled from I/O
// threads and from the task that sends; the lock is held for a few assignments.

import KafkaWire
import Sluice
import SluiceLog

/// Collects what becomes of the batches of a request.
final class ProduceAnswer: Sendable {
    /// A partition of the request, by its place in it.
    struct Place: Hashable, Sendable {
        var topic: Int
        var partition: Int
    }

    /// What all of it came to.
    struct Outcome: Sendable {
        var response = ProduceResponse()
        var throttleNanoseconds: Int64 = 0
        var hasFailed = false
        var records = 0
        /// How many were refused so that later ones must be, by the volume's number of the partition.
        var refused: [Int: Int] = [:]
        /// The volume's number of those that were appended.
        var numbers: [Place: Int] = [:]
    }

    private struct State: Sendable {
        var outcome = Outcome()
        var left: Int
        var isSent = false
    }

    private let state: Locked<State>
    private let done: @Sendable (Outcome) -> Void

    init(_ request: ProduceRequest, _ done: @escaping @Sendable (Outcome) -> Void) {
        var state = State(left: 0)
        state.outcome.response.responses = request.topicData.map { topic in
            .with {
                $0.name = topic.name
                $0.partitionResponses = topic.partitionData.map { partition in
                    .with {
                        $0.index = partition.index
                        $0.baseOffset = -1
                    }
                }
            }
        }
        state.left = request.topicData.reduce(0) { $0 + $1.partitionData.count }
        self.state = Locked(state)
        self.done = done
    }

    /// A batch is in the log.
    func appended(_ place: Place, _ batch: AppendedBatch, _ number: Int) {
        settle { outcome in
            outcome.response[place].baseOffset = batch.baseOffset
            outcome.response[place].logAppendTimeMs = batch.appendTime ?? -1
            outcome.numbers[place] = number
        }
    }

    /// A batch was not taken.
    ///
    /// - Parameter number: the volume's, when later batches of the connection are refused for it.
    func refused(_ place: Place, _ refusal: ProduceRefusal, in number: Int? = nil) {
        settle { outcome in
            outcome.hasFailed = true
            if let number { outcome.refused[number, default: 0] += 1 }
            outcome.response[place].errorCode = refusal.code
            outcome.response[place].errorMessage = refusal.message
            outcome.response[place].recordErrors = refusal.records.map { index in
                .with {
                    $0.batchIndex = Int32(clamping: index)
                    $0.batchIndexErrorMessage = refusal.message
                }
            }
        }
    }

    /// The client is to wait for so long at least.
    func throttle(_ nanoseconds: Int64) {
        state.withLock { $0.outcome.throttleNanoseconds = max($0.outcome.throttleNanoseconds, nanoseconds) }
    }

    /// So many records were found to be good.
    func noteRecords(_ count: Int) { state.withLock { $0.outcome.records += count } }

    /// Everything has been handed over.
    func allSent() { settle(0) { _ in } }

    private func settle(_ count: Int = 1, _ change: (inout Outcome) -> Void) {
        let outcome = state.withLock { state -> Outcome? in
            change(&state.outcome)
            if count == 0 { state.isSent = true }
            state.left -= count
            return state.isSent && state.left == 0 ? state.outcome : nil
        }
        if let outcome { done(outcome) }
    }
}

extension ProduceResponse {
    fileprivate subscript(place: ProduceAnswer.Place) -> Partition {
        get { responses[place.topic].partitionResponses[place.partition] }
        set { responses[place.topic].partitionResponses[place.partition] = newValue }
    }
}
