// What groups count, under the names that metrics systems see.

import CoreMetrics

/// Counters of a store's groups.
struct GroupMetrics: Sendable {
    private let rebalances = Counter(label: "sluice_group_rebalances_total")
    private let commits = Counter(label: "sluice_group_commits_total")
    private let latency = Timer(label: "sluice_group_commit_duration_seconds")

    func rebalanced(_ count: Int) { rebalances.increment(by: Int64(count)) }

    func committed(in nanoseconds: Int64) {
        commits.increment()
        latency.recordNanoseconds(nanoseconds)
    }

    func lags(_ lag: Int64, _ bytes: Int64, of partition: TopicPartition, in group: String) {
        let dimensions = [
            ("group", group), ("topic", partition.topic), ("partition", "\(partition.partition)"),
        ]
        Gauge(label: "sluice_group_lag_records", dimensions: dimensions).record(lag)
        Gauge(label: "sluice_group_lag_bytes", dimensions: dimensions).record(bytes)
    }
}
