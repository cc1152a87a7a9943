// Producers on the wire at the gates: their batches are never held. What is over the rate is a debt that the
// client is told to wait for; who goes on in debt is refused.

import CoreMetrics
import SluiceCore
import SluiceLog

extension PressureEngine {
    /// A gate for what comes from the wire for a topic.
    func addGate(for topic: String) -> UInt32 {
        state.withLock { state in
            let policy = state.catalogue.first { $0.name == topic }?.settings.pressurePolicy ?? .throttle
            return state.gates.add(topic: topic, weight: 1, policy: policy, now: Instant.monotonicNow)
        }
    }

    /// A batch of so many bytes is there: it is taken at once, or refused at once.
    func charge(_ gate: UInt32, _ topic: String, bytes: Int) -> BatchSender.Admission {
        guard hasBound else {
            settle(gate, paid: 0, bytes: bytes)
            return .accepted(throttleNanoseconds: 0)
        }
        let now = Instant.monotonicNow
        let answer: BatchSender.Admission = state.withLock { state in
            switch state.gates.charge(gate, bytes: bytes, now: now) {
            case .accepted(let throttle): .accepted(throttleNanoseconds: throttle)
            case .refused(let wait):
                .refused(
                    Busy(
                        topic: topic, retryAfter: .nanoseconds(wait),
                        reason: obstacle(state, topic, now.addingSaturated(wait), isFinal: true).reason))
            }
        }
        if case .refused = answer {
            TopicMetrics(topic: topic).rejected.increment()
            requestLook()
        }
        return answer
    }

    /// Gives back what was charged for a batch that was not taken.
    func refund(_ gate: UInt32, bytes: Int) {
        guard hasBound else { return }
        state.withLock { $0.gates.refund(gate, bytes: bytes) }
    }
}
