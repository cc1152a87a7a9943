// The controller, look by look: its marks, who gates, what is relieved, and looks that cannot be.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct PressureControllerTests {
    /// A store with a topic and a group, which is looked at every tenth of a second.
    struct Bench {
        var controller = PressureController()
        var now: Int64 = 0
        var appended: Int64 = 0
        var processed: Int64 = 0
        var committed: Int64 = 0
        var limit = Int64.max
        var settings = PressureSettings()
        var change: (inout PressureInput) -> Void = { _ in }

        var topic: TopicObservation {
            var group = GroupObservation(name: "g", uncommittedBytes: appended - committed)
            group.unprocessedBytes = appended - processed
            var topic = TopicObservation(appendedBytes: appended, groups: [group], settings: settings)
            topic.storedBytes = appended - committed
            topic.isKeptUntilConsumed = true
            return topic
        }

        @discardableResult mutating func look() -> PressureOutput {
            var disk = DiskObservation(limitBytes: limit, usedBytes: appended - committed)
            disk.appendedBytes = appended
            var input = PressureInput(nowNanoseconds: now, disk: disk, topics: ["t": topic])
            change(&input)
            now += 100_000_000
            return controller.step(input)
        }

        /// So many looks, at these rates; what is said at the last.
        @discardableResult mutating func run(
            seconds: Double, append: Double, consume: Double
        ) -> PressureOutput {
            var output = look()
            for _ in 0..<Int(seconds * 10) {
                appended += Int64(append / 10)
                processed = min(appended, processed + Int64(consume / 10))
                committed = processed
                output = look()
            }
            return output
        }
    }

    // MARK: Marks

    @Test func `a topic without groups has no bound, however much is in it`() {
        var bench = Bench()
        bench.change = { $0.topics["t"]?.groups = [] }
        let output = bench.run(seconds: 20, append: 500e6, consume: 0)
        #expect(output.topics.isEmpty)
        #expect(output.groups.isEmpty)
        #expect(output.disk.rate == nil)
        #expect(output.nextStepSeconds == nil)
    }

    @Test func `X* of an unknown group is what the floor drains in the time that is promised`() throws {
        var bench = Bench()
        let ruling = try #require(bench.look().topics["t"])
        #expect(ruling.targetBytes == 8e6 * 30)
        #expect(ruling.softBytes == 0.7 * ruling.targetBytes)
        #expect(ruling.regime == .open)
    }

    @Test func `the promise is at least four batches`() throws {
        var bench = Bench()
        bench.settings.lagTargetSeconds = 0
        #expect(try #require(bench.look().topics["t"]).targetBytes == 262_144)
    }

    @Test func `at S there is no bound, one byte on there is`() throws {
        var bench = Bench()
        bench.look()
        bench.appended = 168_000_000
        let at = try #require(bench.look().topics["t"])
        #expect(at.waitingBytes == at.softBytes)
        #expect(at.rate == nil)
        bench.appended += 1
        let above = try #require(bench.look().topics["t"])
        #expect(above.regime == .draining)
        #expect(above.rate != nil)
    }

    @Test func `a steady group at X* has producers as fast as it is`() throws {
        var bench = Bench()
        var rate = 100e6
        for _ in 0..<1_200 {
            bench.appended += Int64(rate / 10)
            bench.processed = min(bench.appended, bench.processed + 3_000_000)
            bench.committed = bench.processed
            rate = min(100e6, bench.look().topics["t"]?.rate ?? 100e6)
        }
        #expect(abs(rate - 30e6) < 0.3e6)
        let ruling = try #require(bench.look().topics["t"])
        #expect(abs(ruling.waitingBytes - 900e6) < 10e6)
    }

    @Test(arguments: [0, 1, 1_000_000] as [Int64])
    func `at H the disk admits next to nothing, and says so`(_ beyond: Int64) throws {
        var bench = Bench()
        bench.limit = 1 << 30
        bench.look()
        bench.appended = (1 << 30) + beyond
        let output = bench.look()
        #expect(output.relieves)
        #expect(output.disk.rate == 65_536)
        #expect(output.disk.targetBytes < output.disk.hardBytes!)
        #expect(output.nextStepSeconds == 0.1)
    }

    @Test func `without a limit there is no law of the disk`() {
        var bench = Bench()
        bench.change = { $0.topics = [:] }
        bench.appended = 1 << 49
        let output = bench.look()
        #expect(output.disk.rate == nil)
        #expect(!output.relieves)
        #expect(output.diskFullSeconds == nil)
    }

    @Test func `when nothing drains producers run to X*, and are told when to ask again`() throws {
        var bench = Bench()
        bench.limit = 1 << 30
        bench.change = {
            $0.topics["t"]?.groups = []
            $0.disk.nextExpirySeconds = 500
        }
        bench.appended = 1 << 29
        for _ in 0..<700 { bench.look() }
        bench.appended = 900 << 20
        let between = bench.look().disk
        #expect(between.regime == .stalled)
        #expect(between.waitingBytes > between.softBytes && between.waitingBytes < between.targetBytes)
        // Only what is left below H limits them.
        #expect(between.rate ?? .infinity > 100e6)
        bench.appended = 1_023 << 20
        let full = bench.look().disk
        #expect(full.rate == 0)
        #expect(full.retryAfterSeconds == 500)
    }

    @Test func `what is read and not committed holds the disk, and is noticed before H`() {
        var bench = Bench()
        bench.limit = 256 << 20
        bench.look()
        bench.appended = 250 << 20
        bench.processed = bench.appended
        let output = bench.look()
        #expect(output.disk.waitingBytes == 0)
        #expect(output.relieves)
        #expect(output.commitSoon == ["g"])
        // 6 MiB are left for the dead time.
        #expect(output.disk.rate! < 20e6)
        #expect(output.disk.regime == .draining)
    }

    // MARK: Who gates

    private func standing(_ output: PressureOutput) -> GroupStanding.Role? { output.groups["t"]?.first?.role }

    @Test func `an unknown group is listed and gates nobody`() {
        var bench = Bench()
        bench.change = { $0.topics["t"]?.groups[0].isKnown = false }
        let output = bench.run(seconds: 5, append: 300e6, consume: 0)
        #expect(standing(output) == .unknown)
        #expect(output.topics["t"] == nil)
    }

    @Test func `a group that begins with history gates once it has caught up`() {
        var bench = Bench()
        bench.appended = 2_000_000_000
        var output = bench.run(seconds: 5, append: 10e6, consume: 100e6)
        #expect(standing(output) == .catchingUp)
        #expect(output.topics["t"] == nil)
        output = bench.run(seconds: 30, append: 10e6, consume: 100e6)
        #expect(standing(output) == .gates)
        #expect(output.topics["t"] != nil)
    }

    @Test func `a group that seeks back replays history until it is back`() {
        var bench = Bench()
        bench.run(seconds: 30, append: 50e6, consume: 100e6)
        #expect(standing(bench.look()) == .gates)
        bench.processed = 0
        bench.committed = 0
        let output = bench.look()
        #expect(standing(output) == .catchingUp)
        #expect(output.topics["t"] == nil)
        #expect(standing(bench.run(seconds: 30, append: 0, consume: 100e6)) == .gates)
    }

    @Test func `a rebalance that repeats a little changes neither who gates nor the rate`() throws {
        var bench = Bench()
        bench.run(seconds: 20, append: 40e6, consume: 100e6)
        bench.run(seconds: 60, append: 60e6, consume: 40e6)
        let before = try #require(bench.look().topics["t"])
        bench.processed -= 20_000_000
        bench.committed = bench.processed
        let after = try #require(bench.look().topics["t"])
        #expect(standing(bench.look()) == .gates)
        #expect(after.drainBytesPerSecond > 0.9 * before.drainBytesPerSecond)
        #expect(after.waitingBytes == before.waitingBytes + 20_000_000)
    }

    @Test func `a seek forward is forgotten in a few windows`() throws {
        var bench = Bench()
        bench.run(seconds: 60, append: 30e6, consume: 20e6)
        bench.processed = bench.appended - 1_000
        bench.committed = bench.processed
        let jump = try #require(bench.look().topics["t"])
        #expect(jump.drainBytesPerSecond > 30e6)
        #expect(jump.rate == nil)
        let later = try #require(bench.run(seconds: 30, append: 20e6, consume: 20e6).topics["t"])
        #expect(abs(later.drainBytesPerSecond - 20e6) < 1e6)
    }

    @Test func `a silent group without members is abandoned after a day, and back with its next commit`() {
        var bench = Bench()
        bench.run(seconds: 10, append: 50e6, consume: 50e6)
        bench.appended += 1_000_000_000
        bench.change = { $0.topics["t"]?.groups[0].hasMembers = false }
        #expect(standing(bench.look()) == .gates)
        bench.now += 86_399_000_000_000
        let before = bench.look()
        #expect(standing(before) == .gates)
        #expect(before.topics["t"]?.regime == .stalled)
        bench.now += 1_000_000_000
        let after = bench.look()
        #expect(standing(after) == .abandoned)
        #expect(after.topics["t"] == nil)
        bench.processed += 1
        bench.committed = bench.processed
        #expect(standing(bench.look()) == .gates)
    }

    @Test func `a group with members is not abandoned, whatever it does`() {
        var bench = Bench()
        bench.run(seconds: 10, append: 50e6, consume: 50e6)
        bench.now += 864_000_000_000_000
        #expect(standing(bench.look()) == .gates)
    }

    @Test func `of several groups the slowest gates`() throws {
        var bench = Bench()
        bench.change = { input in
            var fast = input.topics["t"]!.groups[0]
            fast.name = "fast"
            fast.uncommittedBytes = 0
            fast.unprocessedBytes = 0
            input.topics["t"]?.groups.append(fast)
        }
        bench.look()
        let output = bench.run(seconds: 20, append: 60e6, consume: 30e6)
        #expect(output.topics["t"]?.cause == .lag(group: "g"))
        #expect(output.groups["t"]?.map(\.name) == ["fast", "g"])
    }

    @Test func `when nothing is known of groups the floor is admitted`() throws {
        var bench = Bench()
        bench.change = { $0.topics["t"]?.isStale = true }
        let output = bench.look()
        let ruling = try #require(output.topics["t"])
        #expect(ruling.regime == .stale)
        #expect(ruling.rate == 8e6)
        #expect(output.nextStepSeconds == 0.1)
        bench.change = { $0.topics["t"]?.isStale = false }
        #expect(bench.look().topics["t"]?.rate == nil)
    }

    // MARK: Relief

    @Test func `drop-oldest goes down to S, and producers wait only for what may not go`() throws {
        var bench = Bench()
        bench.settings.dropsOldest = true
        bench.look()
        bench.appended = 200_000_000
        bench.change = { $0.topics["t"]?.droppableBytes = 150_000_000 }
        let output = bench.look()
        #expect(output.drops["t"] == 32_000_000)
        #expect(output.topics["t"]?.rate == nil)
        bench.change = { $0.topics["t"]?.droppableBytes = 1_000_000 }
        let short = bench.look()
        #expect(short.drops["t"] == 1_000_000)
        #expect(short.topics["t"]?.rate != nil)
    }

    @Test func `a full disk takes from each drop-oldest topic in proportion`() throws {
        var bench = Bench()
        bench.limit = 1 << 30
        bench.change = { input in
            for (name, bytes) in [("a", 300_000_000), ("b", 600_000_000)] as [(String, Int64)] {
                var topic = TopicObservation(appendedBytes: bytes)
                topic.settings.dropsOldest = true
                topic.storedBytes = bytes
                topic.droppableBytes = bytes
                input.topics[name] = topic
            }
            input.disk.usedBytes = 1_000_000_000
        }
        let output = bench.look()
        let (a, b) = (try #require(output.drops["a"]), try #require(output.drops["b"]))
        #expect(abs(b - 2 * a) <= 2)
        #expect(Double(a + b) >= 1_000_000_000 - output.disk.softBytes)
    }

    // MARK: Time

    @Test func `a clock that stands still or goes back changes no average`() {
        var bench = Bench()
        bench.run(seconds: 30, append: 60e6, consume: 30e6)
        let before = bench.look()
        for back in [0, 100_000_000, 5_000_000_000] as [Int64] {
            bench.now -= 100_000_000 + back
            let again = bench.look()
            #expect(again.topics == before.topics)
            #expect(again.disk == before.disk)
        }
    }

    @Test func `after an hour without a look it goes on`() throws {
        var bench = Bench()
        bench.run(seconds: 30, append: 60e6, consume: 60e6)
        bench.now += 3_600_000_000_000
        let ruling = try #require(bench.run(seconds: 10, append: 60e6, consume: 60e6).topics["t"])
        #expect(ruling.regime == .open)
        #expect(ruling.drainBytesPerSecond > 40e6)
    }

    @Test func `a burst of long ago no longer widens the bounds`() {
        var bench = Bench()
        bench.limit = 1 << 40
        bench.run(seconds: 10, append: 2e9, consume: 2e9)
        let soon = bench.run(seconds: 60, append: 1e6, consume: 1e6).disk.targetBytes
        bench.now += 36_000_000_000_000
        #expect(bench.run(seconds: 60, append: 1e6, consume: 1e6).disk.targetBytes > soon)
    }

    @Test func `a quiet store is not looked at, one above its mark now and then`() {
        var bench = Bench()
        bench.limit = 1 << 30
        bench.look()
        #expect(bench.look().nextStepSeconds == nil)
        // Half full of what the mark is, and nothing happens.
        bench.appended = 120 << 20
        #expect(bench.look().nextStepSeconds == 0.1)
        #expect(bench.look().nextStepSeconds == nil)
        // Above the soft mark: the end of that is not to be missed.
        bench.appended = 800 << 20
        #expect(bench.look().nextStepSeconds == 0.1)
        #expect(bench.look().nextStepSeconds == 1)
        bench.change = { $0.hasWaiters = true }
        #expect(bench.look().nextStepSeconds == 0.1)
    }

    // MARK: Absurd looks

    @Test func `absurd numbers neither trap nor give what is no number`() {
        let bytes: [Int64] = [.min, -1, 0, 1, 1 << 20, 1 << 40, .max - 1, .max]
        let numbers: [Double] = [-.infinity, -1, 0, 1e-300, 0.1, 30, 1e300, .infinity, .nan]
        var random = SeededRandom(seed: 3)
        var controller = PressureController()
        for _ in 0..<20_000 {
            if random.chance(0.05) { controller = PressureController() }
            let input = absurdLook(bytes, numbers, &random)
            let output = controller.step(input)
            for ruling in [output.disk] + output.topics.values { expectNumbers(ruling, input) }
            #expect(output.lookAfterBytes > 0)
            #expect(output.drops.values.allSatisfy { $0 >= 0 })
            #expect(output.diskFullSeconds.map { $0 >= 0 } ?? true)
        }
    }

    private func expectNumbers(_ ruling: PressureRuling, _ input: PressureInput) {
        for number in [
            ruling.waitingBytes, ruling.softBytes, ruling.targetBytes, ruling.drainBytesPerSecond,
            ruling.gain,
            ruling.deadTimeSeconds, ruling.retryAfterSeconds, ruling.rate ?? 0,
        ] where !number.isFinite || number < 0 { Issue.record("\(ruling) of \(input)") }
    }

    private func absurdLook(
        _ bytes: [Int64], _ numbers: [Double], _ random: inout SeededRandom
    ) -> PressureInput {
        var disk = DiskObservation(limitBytes: random.pick(bytes), usedBytes: random.pick(bytes))
        disk.reservedBytes = random.pick(bytes)
        disk.exemptBytes = random.pick(bytes)
        disk.appendedBytes = random.pick(bytes)
        disk.segmentBytes = random.pick(bytes)
        if random.chance(0.5) { disk.nextExpirySeconds = random.pick(numbers) }
        var input = PressureInput(nowNanoseconds: random.pick(bytes), disk: disk)
        input.commitSeconds = random.pick(numbers)
        for name in ["a", "b", "c"] where random.chance(0.7) {
            var topic = TopicObservation(appendedBytes: random.pick(bytes))
            topic.storedBytes = random.pick(bytes)
            topic.freeableBytes = random.pick(bytes)
            topic.droppableBytes = random.pick(bytes)
            topic.isStale = random.chance(0.1)
            topic.isKeptUntilConsumed = random.chance(0.5)
            topic.settings.dropsOldest = random.chance(0.5)
            topic.settings.floorRate = random.pick(numbers)
            topic.settings.leastRate = random.pick(numbers)
            topic.settings.greatestRate = random.pick(numbers)
            topic.settings.lagTargetSeconds = random.pick(numbers)
            topic.settings.abandonSeconds = random.pick(numbers)
            for group in ["x", "y"] where random.chance(0.6) {
                topic.groups.append(
                    GroupObservation(
                        name: group, uncommittedBytes: random.pick(bytes),
                        unprocessedBytes: random.chance(0.5) ? random.pick(bytes) : nil,
                        unfetchedBytes: random.chance(0.5) ? random.pick(bytes) : nil,
                        hasMembers: random.chance(0.5)))
            }
            input.topics[name] = topic
        }
        return input
    }
}
