// Limits of a queue, and tenants that share it.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct TaskLimitTests {
    private func limited(_ change: (inout StartLimits) -> Void) throws -> TaskBench {
        var bench = TaskBench()
        // So many that none is given out alone.
        bench.policy = TaskRetryPolicy(attempts: 9, base: 1_000, cap: 10_000)
        var limits = StartLimits()
        change(&limits)
        try bench.machine.setLimits(limits, now: bench.now)
        bench.store()
        return bench
    }

    private func finish(_ bench: inout TaskBench, _ leased: [LeasedTask]) throws {
        for task in leased { try bench.machine.complete(task.lease, result: [], now: bench.now) }
        bench.store()
    }

    private func tenants(_ bench: TaskBench, _ leased: [LeasedTask]) -> [String?] {
        leased.map { task in bench.machine.accounts.first { $0.task == task.lease.task }?.tenant }
    }

    // MARK: Bytes

    @Test func `the bytes of limits are these`() throws {
        var limits = StartLimits()
        limits.queue = StartLimit(concurrency: 5)
        limits.tenant = StartLimit(rate: StartRate(count: 2, period: 1_000, burst: 3))
        limits.names = ["ab": StartLimit(concurrency: 1)]
        let bytes: [UInt8] = [
            1,  // version
            1, 0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // the queue's
            2, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x03, 0xE8, 0, 0, 0, 3,  // a tenant's
            3, 0, 0, 0, 30, 0, 0, 0, 1, 0, 0, 0, 2, 0x61, 0x62,  // of names
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(limits.bytes == bytes)
        #expect(try StartLimits(bytes[...]) == limits)
        #expect(StartLimits().bytes == [1] && TaskRecordKey(.limits, 0).bytes[0] == 5)
        for count in 0..<bytes.count where count != 1 && count != 26 && count != 51 {
            #expect(throws: MalformedRecord.self) { try StartLimits(bytes[..<count]) }
        }
    }

    @Test func `a definition says whose the task is, and without a tenant is as it ever was`() throws {
        var definition = TaskDefinition(
            nonce: 1, published: 2, due: 3, priority: 4, name: "a", payload: [], expires: nil, group: nil,
            unique: nil)
        let bytes = definition.bytes
        definition.tenant = "t"
        #expect(definition.bytes == bytes + [7, 0, 0, 0, 5, 0, 0, 0, 1, 0x74])
        #expect(try TaskDefinition(definition.bytes[...]) == definition)
        #expect(MemoryLayout<TaskEntry>.stride == 64)
    }

    @Test func `limits that cannot be are refused, and those of the log that make no sense are none`() throws
    {
        var bench = TaskBench()
        let rates = [
            StartRate(count: 0, period: 1), StartRate(count: 1_000_001, period: 1),
            StartRate(count: 1, period: 0), StartRate(count: 1, period: 86_400_001),
            StartRate(count: 1, period: 1, burst: 0), StartRate(count: 1, period: 86_400_000, burst: 31),
            StartRate(count: .max, period: .max, burst: .max), StartRate(count: 1, period: .min, burst: 1),
        ]
        for rate in rates {
            var limits = StartLimits()
            limits.tenant.rate = rate
            #expect(throws: TaskRefusal.self) { try bench.machine.setLimits(limits, now: bench.now) }
        }
        for concurrency in [0, -1, 1 << 24 + 1] {
            var limits = StartLimits()
            limits.names["a"] = StartLimit(concurrency: concurrency)
            #expect(throws: TaskRefusal.self) { try bench.machine.setLimits(limits, now: bench.now) }
        }
        #expect(bench.machine.takeRecords().isEmpty && bench.machine.limits == StartLimits())
        var limits = StartLimits()
        limits.queue.rate = StartRate(count: 1_000_000, period: 1, burst: 1_000_000)
        limits.tenant.rate = StartRate(count: 1, period: 86_400_000, burst: 30)
        try bench.machine.setLimits(limits, now: bench.now)
        bench.store()
        #expect(bench.reopened().limits == limits)
        var value = try #require(bench.log[0].value)
        value[15] = 0x7F
        bench.log[0].value = value
        let machine = bench.reopened()
        #expect(machine.limits == StartLimits() && machine.unreadable.count == 1)
    }

    @Test func `the same limits again are not written, and keep what a bucket has`() throws {
        var bench = try limited { $0.queue.rate = StartRate(count: 1, period: 1_000) }
        for _ in 0..<2 { try bench.publish() }
        bench.pass(1_000)
        #expect(bench.lease().count == 1)
        let count = bench.log.count
        try bench.machine.setLimits(bench.machine.limits, now: bench.now)
        bench.store()
        #expect(bench.log.count == count)
        bench.pass(1_000)
        #expect(bench.lease().count == 1)
    }

    // MARK: Concurrency

    @Test func `no more are leased than may run at a time, and the next is when a lease has ended`() throws {
        var bench = try limited { $0.queue.concurrency = 2 }
        for _ in 0..<4 { try bench.publish() }
        let first = bench.lease(10)
        #expect(first.count == 2 && bench.lease().isEmpty && bench.machine.hasAvailable)
        try bench.machine.complete(first[0].lease, result: [], now: bench.now)
        #expect(bench.lease(10).count == 1)
        // A lease that is lost frees its place too.
        bench.pass(30_000)
        #expect(bench.lease(10).count == 2)
    }

    @Test func `a limit that is lowered stops nothing that runs, and gives out nothing until it is kept`()
        throws
    {
        var bench = TaskBench()
        for _ in 0..<4 { try bench.publish() }
        let leased = bench.lease(3)
        var limits = StartLimits()
        limits.queue.concurrency = 2
        try bench.machine.setLimits(limits, now: bench.now)
        try bench.machine.complete(leased[0].lease, result: [], now: bench.now)
        #expect(bench.lease().isEmpty)
        try bench.machine.complete(leased[1].lease, result: [], now: bench.now)
        #expect(bench.lease(5).count == 1)
        try bench.machine.setLimits(StartLimits(), now: bench.now)
        try bench.publish()
        #expect(bench.lease(5).count == 1)
    }

    @Test
    func `what another process has leased is counted after an opening, what died with the program is not`()
        throws
    {
        var bench = try limited { $0.tenant.concurrency = 2 }
        for _ in 0..<3 { try bench.publish { $0.tenant = "t" } }
        #expect(bench.lease(1, host: 9).count == 1 && bench.lease(5).count == 1)
        let host: UInt64 = 1 << 63 | 77
        bench.machine = bench.reopened(host: host)
        bench.store()
        #expect(bench.lease(5, host: host).count == 1)
    }

    @Test func `each tenant and each kind has its own limit, and who has reached it keeps nobody else`()
        throws
    {
        var bench = try limited {
            $0.tenant.concurrency = 1
            $0.names["b"] = StartLimit(concurrency: 1)
        }
        for tenant in ["t", "t", "u", nil, nil] { try bench.publish { $0.tenant = tenant } }
        for tenant in ["v", "w"] { try bench.publish("b") { $0.tenant = tenant } }
        let leased = bench.lease(10)
        #expect(Set(tenants(bench, leased)) == ["t", "u", nil, "v"] && leased.count == 4)
        let done = try #require(leased.first { $0.name == "b" })
        try finish(&bench, [done])
        #expect(tenants(bench, bench.lease(10)) == ["w"])
    }

    // MARK: Rates

    @Test func `a rate gives its burst, then one in each interval, to the nanosecond`() throws {
        var bench = try limited { $0.queue.rate = StartRate(count: 3, period: 1_000, burst: 2) }
        for _ in 0..<6 { try bench.publish() }
        bench.pass(10_000)
        #expect(bench.lease(10).count == 2)
        let next = bench.now.monotonicNanoseconds + 333_333_334
        #expect(bench.machine.nextMonotonic == next)
        bench.now.monotonicNanoseconds = next - 1
        #expect(bench.lease(10).isEmpty)
        bench.now.monotonicNanoseconds = next
        #expect(bench.lease(10).count == 1)
    }

    @Test func `a bucket is empty when its rate is set, and after an opening`() throws {
        var bench = try limited { $0.tenant.rate = StartRate(count: 1, period: 1_000, burst: 3) }
        for _ in 0..<9 { try bench.publish { $0.tenant = "t" } }
        #expect(bench.lease(10).isEmpty)
        bench.pass(2_000)
        #expect(bench.lease(10).count == 2)
        bench.pass(60_000)
        bench.machine = bench.reopened()
        #expect(bench.lease(10).isEmpty)
        bench.pass(1_000)
        #expect(bench.lease(10).count == 1)
        bench.pass(60_000)
        #expect(bench.lease(10).count == 3)
    }

    @Test func `the moment at which something may start is told when somebody has asked, and not before`()
        throws
    {
        var bench = try limited { $0.tenant.rate = StartRate(count: 1, period: 1_000) }
        for tenant in ["t", "u"] { try bench.publish { $0.tenant = tenant } }
        #expect(bench.machine.nextMonotonic == nil)
        #expect(bench.lease().isEmpty)
        let next = bench.now.monotonicNanoseconds + 1_000_000_000
        #expect(bench.machine.nextMonotonic == next)
        bench.pass(1_000)
        #expect(bench.machine.nextMonotonic == nil)
        #expect(bench.lease(2).count == 2)
    }

    @Test func `a tenant that goes and comes again has no more than it had`() throws {
        var bench = try limited { $0.tenant.rate = StartRate(count: 1, period: 1_000) }
        bench.pass(10_000)
        let task = try bench.publish { $0.tenant = "t" }
        try finish(&bench, bench.lease())
        try bench.machine.purge(task)
        try bench.publish { $0.tenant = "t" }
        #expect(bench.lease().isEmpty)
        bench.pass(1_000)
        #expect(bench.lease().count == 1)
    }

    // MARK: Sharing

    @Test func `the tenant with the fewest leases is next, then the one served longest ago`() throws {
        var bench = TaskBench()
        for _ in 0..<4 { try bench.publish { $0.tenant = "t" } }
        for tenant in ["u", nil] { for _ in 0..<2 { try bench.publish { $0.tenant = tenant } } }
        let leased = bench.lease(6)
        #expect(tenants(bench, leased) == ["t", "u", nil, "t", "u", nil])
        try finish(&bench, [leased[1], leased[4]])
        try bench.publish { $0.tenant = "u" }
        #expect(tenants(bench, bench.lease(3)) == ["u", "t", "t"])
    }

    @Test func `one that is new comes behind those that wait`() throws {
        var bench = TaskBench()
        for tenant in ["t", "u"] { for _ in 0..<2 { try bench.publish { $0.tenant = tenant } } }
        try finish(&bench, bench.lease())
        try bench.publish { $0.tenant = "v" }
        let leased = bench.lease(3)
        #expect(tenants(bench, leased) == ["u", "t", "v"])
    }

    @Test func `within a tenant priority decides, and over tenants it does not`() throws {
        var bench = TaskBench()
        let plain = try bench.publish { $0.tenant = "t" }
        let urgent = try bench.publish("b") { ($0.tenant, $0.priority) = ("t", 9) }
        let other = try bench.publish { ($0.tenant, $0.priority) = ("u", 0) }
        #expect(bench.lease(3).map(\.lease.task) == [urgent, other, plain])
    }

    @Test func `a group holds over tenants`() throws {
        var bench = TaskBench()
        let first = try bench.publish { ($0.tenant, $0.group) = ("t", "g") }
        let second = try bench.publish { ($0.tenant, $0.group) = ("u", "g") }
        let leased = bench.lease(5)
        #expect(leased.map(\.lease.task) == [first])
        try finish(&bench, leased)
        #expect(bench.lease(5).map(\.lease.task) == [second])
    }

    @Test func `ten thousand tenants take turns, and are forgotten with their tasks`() throws {
        var bench = TaskBench { $0.kept = 0 }
        for round in 0..<2 {
            for number in 0..<10_000 {
                var draft = TaskDraft(name: "a", payload: [])
                draft.tenant = "tenant \(number)"
                draft.priority = round == 0 ? 0 : 9
                _ = try bench.machine.publish(draft, now: bench.now)
            }
        }
        bench.store()
        #expect(bench.machine.tenants.count == 10_001)
        for _ in 0..<2 {
            var seen: Set<String?> = []
            for _ in 0..<10 {
                let leased = bench.lease(1_000)
                for task in leased {
                    let slot = try bench.machine.find(task.lease)
                    let tenant = bench.machine.tenants[Int(bench.machine.entries[Int(slot)].tenant)]
                    #expect(seen.insert(tenant.name).inserted)
                }
                try finish(&bench, leased)
            }
            #expect(seen.count == 10_000)
        }
        #expect(bench.machine.taskCount == 0 && bench.machine.tenantNumbers.isEmpty)
        #expect(bench.machine.freeTenants.count == 10_000)
    }

    @Test func `no bytes of limits trap`() throws {
        var bench = try limited {
            $0.queue = StartLimit(concurrency: 3, rate: StartRate(count: 1, period: 1_000, burst: 2))
            $0.tenant = $0.queue
            $0.names["a"] = $0.queue
        }
        try bench.publish { $0.tenant = "t" }
        let value = try #require(bench.log[0].value)
        var random = SplitMix64(state: 4)
        for _ in 0..<500 {
            var bytes = value
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = [0, 1, 127, 255].randomElement(
                    using: &random)!
            }
            bench.log[0].value = bytes
            var copy = bench
            copy.machine = bench.reopened()
            copy.pass(1 << 40)
            _ = copy.lease(3)
        }
    }
}
