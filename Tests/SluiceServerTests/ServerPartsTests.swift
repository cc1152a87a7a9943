// The small state machines of the server: memory, purgatory, refusals, quotas, metrics.

import CoreMetrics
import KafkaWire
import Testing

@testable import SluiceServer

struct MemoryBudgetTests {
    @Test func `what does not fit waits in line and is named when it fits`() {
        var budget = MemoryBudget(limit: 10)
        #expect(budget.take(6, ticket: 1) == true)
        #expect(budget.take(4, ticket: 2) == true)
        #expect(budget.take(5, ticket: 3) == false)
        #expect(budget.take(1, ticket: 4) == false)
        #expect(budget.giveBack(4) == [])
        #expect(budget.giveBack(6) == [3, 4])
        #expect(budget.used == 6)
    }

    @Test func `more than the limit is granted to one who finds nothing else out`() {
        var budget = MemoryBudget(limit: 10)
        #expect(budget.take(11, ticket: 1) == true)
        #expect(budget.take(1, ticket: 2) == false)
        #expect(budget.giveBack(11) == [2])
    }

    @Test func `whoever gives up makes way for those behind`() {
        var budget = MemoryBudget(limit: 10)
        #expect(budget.take(8, ticket: 1) == true)
        #expect(budget.take(5, ticket: 2) == false)
        #expect(budget.take(2, ticket: 3) == false)
        #expect(budget.cancel(2) == [3])
    }
}

struct PurgatoryTests {
    @Test func `a fetch is woken once by the first of its partitions`() {
        var purgatory = Purgatory()
        let first = purgatory.hold([1, 2], until: 100)
        #expect(first.toWatch == [1, 2])
        let second = purgatory.hold([2, 3], until: 50)
        #expect(second.toWatch == [3])
        #expect(purgatory.advanced(2).woken == [first.id, second.id])
        #expect(purgatory.advanced(1).woken == [])
        #expect(purgatory.nextDeadline == nil)
    }

    @Test func `a partition that moves while nobody waits is watched no more`() {
        var purgatory = Purgatory()
        let held = purgatory.hold([1], until: 100)
        purgatory.release(held.id)
        // Its reader is expected back at once.
        #expect(purgatory.hold([1], until: 100).toWatch == [])
        #expect(purgatory.advanced(1).unwatch == false)
        #expect(purgatory.advanced(1).unwatch == true)
        #expect(purgatory.hold([1], until: 100).toWatch == [1])
    }

    @Test func `deadlines wake those that are due and no others`() {
        var purgatory = Purgatory()
        let early = purgatory.hold([1], until: 50)
        let late = purgatory.hold([1], until: 51)
        #expect(purgatory.nextDeadline == 50)
        #expect(purgatory.expire(now: 50) == [early.id])
        #expect(purgatory.nextDeadline == 51)
        #expect(purgatory.wakeAll() == [late.id])
        #expect(purgatory.expire(now: 1000) == [])
    }
}

struct RefusalMemoryTests {
    private let reason = ProduceRefusal(.kafkaStorageError, "full")
    private let grace: Int64 = 50_000_000

    @Test func `what is under way behind a refusal is refused until the client can know`() {
        var memory = RefusalMemory(graceNanoseconds: grace)
        #expect(memory.check(7, crc: 1, now: 0) == nil)
        memory.refused(7, crc: 1, reason)
        #expect(memory.check(7, crc: 2, now: 1) == reason)
        memory.refused(7, crc: 2, reason)
        memory.written(7, 1, now: 10)
        // One answer is still to be written.
        #expect(memory.check(7, crc: 3, now: 10 + grace) == reason)
        memory.written(7, 1, now: 20)
        #expect(memory.check(7, crc: 3, now: 19 + grace) == reason)
        #expect(memory.check(7, crc: 3, now: 20 + grace) == nil)
        #expect(memory.check(7, crc: 4, now: 20 + grace) == nil)
    }

    @Test func `the first batch sent again ends it at once`() {
        var memory = RefusalMemory(graceNanoseconds: grace)
        memory.refused(7, crc: 1, reason)
        memory.refused(7, crc: 2, reason)
        memory.written(7, 2, now: 10)
        #expect(memory.check(7, crc: 2, now: 11) == reason)
        memory.refused(7, crc: 2, reason)
        memory.written(7, 1, now: 12)
        #expect(memory.check(7, crc: 1, now: 13) == nil)
        #expect(memory.check(7, crc: 2, now: 14) == nil)
    }

    @Test func `one partition's refusals are not another's`() {
        var memory = RefusalMemory(graceNanoseconds: grace)
        memory.refused(7, crc: 1, reason)
        #expect(memory.check(8, crc: 1, now: 0) == nil)
    }
}

struct ClientQuotasTests {
    @Test func `a client over its rate is told to wait until it is within again`() {
        var quotas = ClientQuotas(standard: .init(producerBytesPerSecond: 1000), named: [:])
        #expect(quotas.charge(1000, client: "a", .produced, now: 0) == 0)
        #expect(quotas.charge(100, client: "a", .produced, now: 0) == 100_000_000)
        #expect(quotas.charge(0, client: "a", .produced, now: 100_000_000) == 0)
        // Another name has its own, and the other way none.
        #expect(quotas.charge(1000, client: "b", .produced, now: 0) == 0)
        #expect(quotas.charge(1 << 40, client: "a", .consumed, now: 0) == 0)
    }

    @Test func `nobody waits more than a second at once`() {
        var quotas = ClientQuotas(standard: .init(), named: ["a": .init(consumerBytesPerSecond: 1)])
        #expect(quotas.charge(1 << 40, client: "a", .consumed, now: 0) == 1_000_000_000)
        #expect(quotas.charge(1 << 40, client: "b", .consumed, now: 0) == 0)
        #expect(!quotas.isEmpty)
        #expect(ClientQuotas(standard: .init(), named: [:]).isEmpty)
    }

    @Test func `names that come and go take no more memory than so many`() {
        var quotas = ClientQuotas(standard: .init(producerBytesPerSecond: 1000), named: [:])
        for number in 0..<(2 * ClientQuotas.rememberedClients) {
            _ = quotas.charge(1, client: "\(number)", .produced, now: Int64(number) * 1_000_000)
        }
        #expect(quotas.clientCount <= ClientQuotas.rememberedClients)
    }
}

struct PrometheusMetricsTests {
    @Test func `series are written by name with their labels escaped`() {
        let metrics = PrometheusMetrics()
        metrics.makeCounter(label: "b_total", dimensions: [("topic", "a\"b\\c\nd")]).increment(by: 2)
        metrics.makeCounter(label: "b_total", dimensions: [("topic", "a\"b\\c\nd")]).increment(by: 3)
        metrics.makeRecorder(label: "a.gauge", dimensions: [], aggregate: false).record(7.5)
        metrics.makeTimer(label: "c_seconds", dimensions: []).recordNanoseconds(1_500_000_000)
        #expect(
            metrics.text() == """
                # TYPE a_gauge gauge
                a_gauge 7.5
                # TYPE b_total counter
                b_total{topic="a\\"b\\\\c\\nd"} 5
                # TYPE c_seconds summary
                c_seconds_sum 1.5
                c_seconds_count 1

                """)
    }

    @Test func `no numbers are an empty text`() {
        #expect(PrometheusMetrics().text() == "\n")
    }
}
