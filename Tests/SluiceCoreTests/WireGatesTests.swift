// Producers on the wire at the gates: taken with a debt, or refused, and never held.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct WireGatesTests {
    private func gate(_ policy: PressurePolicy = .throttle, rate: Double?) -> (ProducerGates, UInt32) {
        var gates = ProducerGates()
        let id = gates.add(topic: "t", weight: 1, policy: policy, now: 0)
        // Whoever has asked is shared with.
        _ = gates.charge(id, bytes: 0, now: 0)
        gates.setRates(rate.map { .test(store: $0) } ?? .test(), now: 0)
        return (gates, id)
    }

    @Test func `without a bound everything is taken and nobody waits`() {
        var (gates, id) = gate(rate: nil)
        #expect(gates.charge(id, bytes: 1 << 30, now: 0) == .accepted(throttleNanoseconds: 0))
        #expect(!gates.hasHeldUp)
    }

    @Test func `what is over the rate is a debt told as a throttle time`() {
        var (gates, id) = gate(rate: 1e6)
        #expect(gates.charge(id, bytes: 60_000, now: 0) == .accepted(throttleNanoseconds: 0))
        guard case .accepted(let throttle) = gates.charge(id, bytes: 500_000, now: 0) else { return }
        #expect((480_000_000...500_000_000).contains(throttle))
        #expect(gates.hasHeldUp)
        // Within its rate again, it waits for nothing.
        #expect(gates.charge(id, bytes: 10, now: 2_000_000_000) == .accepted(throttleNanoseconds: 0))
    }

    @Test func `a debt beyond a second is told as a second and whoever goes on in it is refused`() {
        var (gates, id) = gate(rate: 1e6)
        let second = ProducerGates.greatestThrottleNanoseconds
        #expect(gates.charge(id, bytes: 3_000_000, now: 0) == .accepted(throttleNanoseconds: second))
        guard case .refused(let wait) = gates.charge(id, bytes: 1, now: second) else {
            Issue.record("a client in debt was not refused")
            return
        }
        // A refusal costs nothing: the debt is paid off in its time.
        #expect(wait > second && wait < 2 * second)
        guard case .accepted = gates.charge(id, bytes: 1, now: 2 * second) else {
            Issue.record("a debt of a second was refused")
            return
        }
    }

    @Test func `over a minute each gets its rate to a few parts in a hundred`() {
        var (gates, id) = gate(rate: 1e6)
        var (taken, waitsUntil) = (0, Int64(0))
        for millisecond in 0..<60_000 as Range<Int64> {
            let now = millisecond * 1_000_000
            if millisecond % 100 == 0 { gates.setRates(.test(store: 1e6), now: now) }
            guard now >= waitsUntil else { continue }
            if case .accepted(let throttle) = gates.charge(id, bytes: 100_000, now: now) {
                taken += 100_000
                waitsUntil = now + throttle
            }
        }
        #expect((58_000_000...62_000_000).contains(taken))
    }

    @Test func `under reject a debt is refused at once`() {
        var (gates, id) = gate(.reject, rate: 1e6)
        _ = gates.charge(id, bytes: 100_000, now: 0)
        guard case .refused = gates.charge(id, bytes: 1, now: 0) else {
            Issue.record("it was taken")
            return
        }
    }

    @Test func `where nothing drains everything is refused`() {
        var (gates, id) = gate(rate: 0)
        guard case .refused = gates.charge(id, bytes: 1, now: 0) else {
            Issue.record("it was taken")
            return
        }
    }

    @Test func `what was charged and not taken is given back`() {
        var (gates, id) = gate(rate: 1e6)
        _ = gates.charge(id, bytes: 3_000_000, now: 0)
        gates.refund(id, bytes: 3_000_000)
        #expect(gates.charge(id, bytes: 1, now: 0) == .accepted(throttleNanoseconds: 0))
    }
}
