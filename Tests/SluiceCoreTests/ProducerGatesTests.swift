// The gates: who waits, for how long, and what everybody gets in the end.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct ProducerGatesTests {
    /// A producer that begins a batch whenever it may.
    private struct Sender {
        var id: UInt32
        /// Bytes of its batches.
        var batch: Int
        /// Bytes per second that it makes.
        var offered = Double.infinity
        var wants = 0.0
        var sent = 0
        var waits = 0
    }

    /// So many seconds in steps of a millisecond, with rates set every tenth of one.
    private func run(
        _ gates: inout ProducerGates, _ senders: inout [Sender], _ output: PressureOutput, seconds: Double,
        from start: Int64 = 0
    ) {
        for step in 0..<Int64(seconds * 1_000) {
            let now = start + step * 1_000_000
            if step % 100 == 0 { gates.setRates(output, now: now) }
            for index in senders.indices {
                var sender = senders[index]
                sender.wants = min(sender.wants + sender.offered / 1_000, 1e7)
                while sender.wants >= Double(sender.batch) {
                    guard case .admit(let paid) = gates.begin(sender.id, now: now) else {
                        sender.waits += 1
                        break
                    }
                    gates.settle(sender.id, paid: paid, bytes: sender.batch, now: now)
                    sender.sent += sender.batch
                    sender.wants -= Double(sender.batch)
                }
                senders[index] = sender
            }
        }
    }

    private func gates(
        _ count: Int, weights: [Int] = [], policy: PressurePolicy = .throttle
    ) -> (ProducerGates, [UInt32]) {
        var gates = ProducerGates()
        let ids = (0..<count).map { index in
            gates.add(
                topic: "t", weight: weights.isEmpty ? 1 : weights[index], policy: policy, now: 0)
        }
        return (gates, ids)
    }

    // MARK: Without a bound

    @Test func `without a bound nobody waits, however much he sends`() {
        var (gates, ids) = gates(1)
        #expect(!gates.isBounded)
        for _ in 0..<1_000 {
            guard case .admit(let paid) = gates.begin(ids[0], now: 0) else {
                Issue.record("waits")
                return
            }
            gates.settle(ids[0], paid: paid, bytes: 1 << 20, now: 0)
        }
        #expect(gates.rate(of: ids[0]) == nil)
        #expect(!gates.hasHeldUp)
    }

    @Test func `what was begun without a bound is not held against anybody`() {
        var (gates, ids) = gates(1)
        for _ in 0..<10 {
            if case .admit(let paid) = gates.begin(ids[0], now: 0) {
                gates.settle(ids[0], paid: paid, bytes: 65_536, now: 0)
            }
        }
        // A hundred lanes are open when the bound comes.
        let open = (0..<100).map { _ in gates.begin(ids[0], now: 0) }
        gates.setRates(.test(store: 1e6), now: 100_000_000)
        for verdict in open {
            guard case .admit(let paid) = verdict else { continue }
            gates.settle(ids[0], paid: paid, bytes: 65_536, now: 100_000_000)
        }
        let verdict1 = gates.begin(ids[0], now: 200_000_000)
        #expect(verdict1 == .admit(paid: 65_536))
    }

    @Test func `one who is not there is not held up`() {
        var gates = ProducerGates()
        gates.setRates(.test(store: 0), now: 0)
        let verdict2 = gates.begin(7, now: 0)
        #expect(verdict2 == .admit(paid: 0))
        let verdict3 = gates.send(7, bytes: 1, now: 0)
        #expect(verdict3 == nil)
        gates.settle(7, paid: 0, bytes: 1, now: 0)
        gates.remove(7)
    }

    // MARK: Rates

    @Test(arguments: [100, 5_000, 65_536, 1 << 20])
    func `over time a producer gets its rate to the byte`(_ batch: Int) {
        var (gates, ids) = gates(1)
        var senders = [Sender(id: ids[0], batch: batch)]
        run(&gates, &senders, .test(store: 2e6), seconds: 20)
        #expect(abs(senders[0].sent - 40_000_000) <= 2 * max(batch, 200_000))
    }

    @Test func `equal greedy ones get equal shares, whatever the sizes of their records`() {
        var (gates, ids) = gates(5)
        var senders = zip(ids, [100, 1_000, 16_384, 65_536, 1 << 20]).map { Sender(id: $0, batch: $1) }
        run(&gates, &senders, .test(store: 10e6), seconds: 30)
        #expect(fairness(senders.map { Double($0.sent) }) >= 0.99)
        #expect(abs(Double(senders.map(\.sent).reduce(0, +)) - 300e6) < 10e6)
    }

    @Test func `weights are shares`() {
        var (gates, ids) = gates(3, weights: [1, 2, 5])
        var senders = ids.map { Sender(id: $0, batch: 10_000) }
        run(&gates, &senders, .test(store: 8e6), seconds: 30)
        let shares = zip(senders, [1.0, 2, 5]).map { Double($0.sent) / $1 }
        #expect(fairness(shares) >= 0.99)
    }

    @Test(arguments: [100, 10_000, 65_536])
    func `a producer below its share is never delayed`(_ batch: Int) {
        var (gates, ids) = gates(4)
        var senders = ids.map { Sender(id: $0, batch: 65_536) }
        // A quarter would be 2 MB/s.
        senders[0].batch = batch
        senders[0].offered = 1.9e6
        run(&gates, &senders, .test(store: 8e6), seconds: 30)
        #expect(senders[0].waits == 0)
        // What it does not want the others have.
        #expect(abs(senders.dropFirst().reduce(0.0) { $0 + Double($1.sent) } - 30 * 6.1e6) < 10e6)
        #expect(fairness(senders.dropFirst().map { Double($0.sent) }) >= 0.99)
    }

    @Test func `a newcomer has its share within a tick, and one who has left gives his back`() {
        var (gates, ids) = gates(2)
        var senders = ids.map { Sender(id: $0, batch: 16_384) }
        senders[1].offered = 0
        run(&gates, &senders, .test(store: 10e6), seconds: 5)
        #expect(abs(senders[0].sent - 50_000_000) < 2_000_000)
        senders[1].offered = .infinity
        run(&gates, &senders, .test(store: 10e6), seconds: 5, from: 5_000_000_000)
        #expect(abs(senders[1].sent - 25_000_000) < 2_000_000)
        let before = senders[0].sent
        senders.removeLast()
        run(&gates, &senders, .test(store: 10e6), seconds: 5, from: 10_000_000_000)
        #expect(senders[0].sent - before > 38_000_000)
    }

    @Test func `the store and a topic both bound, and what one topic may not use another has`() {
        var gates = ProducerGates()
        let slow = (0..<2).map { _ in gates.add(topic: "slow", weight: 3, policy: .throttle, now: 0) }
        let free = gates.add(topic: "free", weight: 1, policy: .throttle, now: 0)
        var senders = (slow + [free]).map { Sender(id: $0, batch: 16_384) }
        run(&gates, &senders, .test(store: 10e6, topics: ["slow": 2e6]), seconds: 20)
        #expect(abs(senders[0].sent - 20_000_000) < 1_500_000)
        #expect(abs(senders[1].sent - 20_000_000) < 1_500_000)
        #expect(abs(senders[2].sent - 160_000_000) < 5_000_000)
    }

    @Test func `a store's shares bind below a topic's`() {
        var gates = ProducerGates()
        let ids = ["a", "b"].map { gates.add(topic: $0, weight: 1, policy: .throttle, now: 0) }
        var senders = ids.map { Sender(id: $0, batch: 16_384) }
        run(&gates, &senders, .test(store: 4e6, topics: ["a": 100e6, "b": 100e6]), seconds: 20)
        #expect(abs(senders[0].sent - 40_000_000) < 2_000_000)
        #expect(fairness(senders.map { Double($0.sent) }) >= 0.99)
    }

    // MARK: Bursts

    @Test func `a bucket holds a tenth of a second of the rate, or a batch`() {
        for (rate, most) in [(100e3, 131_072), (50e6, 5_100_000)] {
            var (gates, ids) = gates(1)
            var senders = [Sender(id: ids[0], batch: 10_000)]
            run(&gates, &senders, .test(store: rate), seconds: 3)
            let before = senders[0].sent
            // Idle for a long time; then all at once.
            gates.setRates(.test(store: rate), now: 60_000_000_000)
            while case .admit(let paid) = gates.begin(ids[0], now: 60_000_000_000) {
                gates.settle(ids[0], paid: paid, bytes: 10_000, now: 60_000_000_000)
                senders[0].sent += 10_000
            }
            #expect(senders[0].sent - before <= most)
            #expect(senders[0].sent - before >= 60_000)
        }
    }

    @Test func `a newcomer cannot open any number of batches at once`() {
        var (gates, ids) = gates(1)
        gates.setRates(.test(store: 1e6), now: 0)
        var open = 0
        while case .admit = gates.begin(ids[0], now: 0) { open += 1 }
        #expect(open == 4)
    }

    @Test func `a batch that is given up is paid back`() {
        var (gates, ids) = gates(1)
        gates.setRates(.test(store: 1_000), now: 0)
        for _ in 0..<100 {
            guard case .admit(let paid) = gates.begin(ids[0], now: 0) else {
                Issue.record("waits")
                return
            }
            gates.settle(ids[0], paid: paid, bytes: 0, now: 0)
        }
    }

    // MARK: Policies

    @Test func `at rate 0 everybody waits until it is worth asking`() {
        var (gates, ids) = gates(1)
        var output = PressureOutput.test(store: 0)
        output.disk.retryAfterSeconds = 7
        gates.setRates(output, now: 0)
        let verdict4 = gates.begin(ids[0], now: 0)
        #expect(verdict4 == .wait(nanoseconds: 7_000_000_000))
        #expect(gates.hasHeldUp)
        gates.setRates(.test(), now: 1_000_000_000)
        #expect(!gates.hasHeldUp)
        guard case .admit = gates.begin(ids[0], now: 1_000_000_000) else {
            Issue.record("waits")
            return
        }
    }

    @Test func `reject refuses at once, and says when to ask again`() {
        var (gates, ids) = gates(1, policy: .reject)
        var senders = [Sender(id: ids[0], batch: 65_536)]
        gates.setRates(.test(store: 1e6), now: 0)
        run(&gates, &senders, .test(store: 1e6), seconds: 1)
        var now: Int64 = 1_000_000_000
        var wait: Int64 = 0
        while case .admit(let paid) = gates.begin(ids[0], now: now) {
            gates.settle(ids[0], paid: paid, bytes: 65_536, now: now)
        }
        guard case .busy(let nanoseconds) = gates.begin(ids[0], now: now) else {
            Issue.record("neither admitted nor refused")
            return
        }
        wait = nanoseconds
        #expect(wait > 0 && wait <= 70_000_000)
        now += wait
        guard case .admit = gates.begin(ids[0], now: now) else {
            Issue.record("refused after it had waited for so long as it was told")
            return
        }
    }

    @Test func `a queue holds what the rate empties in the time that was promised`() {
        var (gates, ids) = gates(1, policy: .buffer(milliseconds: 250))
        gates.setRates(.test(store: 4e6), now: 0)
        var (queue, now, longest, accepted) = ([(bytes: Int, at: Int64)](), Int64(0), Int64(0), 0)
        for step in 0..<20_000 {
            now = Int64(step) * 1_000_000
            if step % 100 == 0 { gates.setRates(.test(store: 4e6), now: now) }
            while let first = queue.first, gates.send(ids[0], bytes: first.bytes, now: now) == nil {
                longest = max(longest, now - first.at)
                queue.removeFirst()
            }
            while gates.begin(ids[0], queued: queue.reduce(0) { $0 + $1.bytes }, now: now) == .admit(paid: 0)
            {
                queue.append((10_000, now))
                accepted += 10_000
            }
        }
        #expect(abs(accepted - 81_000_000) < 1_500_000)
        #expect(longest <= 260_000_000)
        #expect(longest >= 200_000_000)
    }

    @Test func `under buffer one batch is taken even if it is larger than the queue may be`() {
        var (gates, ids) = gates(1, policy: .buffer(milliseconds: 50))
        for _ in 0..<20 {
            if case .admit(let paid) = gates.begin(ids[0], now: 0) {
                gates.settle(ids[0], paid: paid, bytes: 1 << 20, now: 0)
            }
        }
        gates.setRates(.test(store: 100_000), now: 1)
        let verdict5 = gates.begin(ids[0], queued: 0, now: 1)
        #expect(verdict5 == .admit(paid: 0))
        guard case .wait = gates.begin(ids[0], queued: 1 << 20, now: 1) else {
            Issue.record("two batches were taken")
            return
        }
    }

    @Test func `a policy can be changed`() {
        var (gates, ids) = gates(1)
        gates.setRates(.test(store: 0), now: 0)
        gates.setPolicy(ids[0], .reject)
        guard case .busy = gates.begin(ids[0], now: 0) else {
            Issue.record("not refused")
            return
        }
        gates.setPolicy(ids[0], .buffer(milliseconds: 1))
        #expect(gates.isPaced(ids[0]))
    }

    @Test func `a clock that stands still or goes back gives nothing and takes nothing`() {
        var (gates, ids) = gates(1)
        gates.setRates(.test(store: 1e6), now: 1_000)
        while case .admit(let paid) = gates.begin(ids[0], now: 1_000) {
            gates.settle(ids[0], paid: paid, bytes: 65_536, now: 1_000)
        }
        for now in [1_000, 500, 0, 1_000] as [Int64] {
            guard case .wait(let wait) = gates.begin(ids[0], now: now) else {
                Issue.record("admitted at \(now)")
                return
            }
            #expect(wait >= 1_000_000)
        }
    }
}
