// The gates for producers on the wire, which cannot be made to wait: a batch is there when they are asked.
//
// (1) What is over the rate is a debt, told as a throttle time; it is never more than a second's, or one
// batch. (2) Who sends on while his debt is a second's is refused, and owes no more for it. (3) Under
// `reject` a debt is refused at once.

/// The answer to a batch from the wire.
package enum WireVerdict: Hashable, Sendable {
    /// It is taken; its sender is to send nothing for so long.
    case accepted(throttleNanoseconds: Int64)
    /// It is not; asking again may help after so long.
    case refused(nanoseconds: Int64)
}

extension ProducerGates {
    /// A batch of so many bytes is there.
    package mutating func charge(_ id: UInt32, bytes: Int, now: Int64) -> WireVerdict {
        guard var gate = gates[id] else { return .accepted(throttleNanoseconds: 0) }
        defer { gates[id] = gate }
        gate.activeAt = now
        guard let rate = rate(of: id) else {
            note(bytes, &gate)
            return .accepted(throttleNanoseconds: 0)
        }
        Self.fill(&gate, rate, now)
        let wait = gate.bucket > 0 && rate > 0 ? 0 : nanoseconds(1 - gate.bucket, rate, gate.topic)
        let mayOwe = gate.policy != .reject && rate > 0
        guard wait == 0 || (mayOwe && wait <= Self.greatestThrottleNanoseconds) else {
            gate.wasBlocked = true
            hasHeldUp = true
            return .refused(nanoseconds: wait)
        }
        gate.bucket -= Double(bytes)
        note(bytes, &gate)
        guard gate.bucket <= 0 else { return .accepted(throttleNanoseconds: 0) }
        gate.wasBlocked = true
        hasHeldUp = true
        return .accepted(
            throttleNanoseconds: min(
                nanoseconds(1 - gate.bucket, rate, gate.topic), Self.greatestThrottleNanoseconds))
    }

    /// A batch that was charged for was not taken after all.
    package mutating func refund(_ id: UInt32, bytes: Int) { gates[id]?.bucket += Double(bytes) }

    /// Of a throttle time: what a client is kept from sending for at once.
    package static let greatestThrottleNanoseconds: Int64 = 1_000_000_000
}
