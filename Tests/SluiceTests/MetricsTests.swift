// What a metrics system that the program has chosen is told.

import CoreMetrics
import MetricsTestKit
import Sluice
import Testing

@Suite struct MetricsTests {
    /// A process has one, and sets it once: other suites' stores are counted too.
    private static let system: TestMetrics = {
        let system = TestMetrics()
        MetricsSystem.bootstrap(system)
        return system
    }()

    @Test func `lag by group and partition, commits and rebalances come to the metrics system`() async throws
    {
        let system = Self.system
        try await withStore { store in
            try await store.admin.createTopic("metered")
            for value in ["a", "b", "c"] { try await store.producer(for: "metered").send(value: value) }
            let consumer = try await store.consumer(
                group: "meter", topics: ["metered"], configuration: .init { $0.commit = .manual })
            for try await batch in consumer {
                try await consumer.commit(next: [batch.topicPartition: batch.baseOffset + 1])
                break
            }
            let partition = [("group", "meter"), ("topic", "metered"), ("partition", "0")]
            #expect(try system.expectGauge("sluice_group_lag_records", partition).lastValue == 2)
            #expect(try system.expectGauge("sluice_group_lag_bytes", partition).lastValue ?? 0 > 0)
            #expect(try system.expectCounter("sluice_group_commits_total").totalValue >= 1)
            #expect(try system.expectCounter("sluice_group_rebalances_total").totalValue >= 1)
            #expect(try system.expectTimer("sluice_group_commit_duration_seconds").lastValue ?? 0 > 0)
            try await consumer.close()
        }
    }
}
