// What back pressure measures, under the names that metrics systems see. What producers were told is counted
// with their topic: TopicMetrics.

import CoreMetrics
import SluiceCore

/// Gauges of the rates and marks.
struct PressureMetrics: Sendable {
    /// The last look's numbers: bytes and bytes per second. A rate that has no bound is reported as -1.
    func record(_ output: PressureOutput) {
        record(output.disk, [("cause", "disk"), ("topic", "")])
        for (topic, ruling) in output.topics { record(ruling, [("cause", "lag"), ("topic", topic)]) }
    }

    private func record(_ ruling: PressureRuling, _ dimensions: [(String, String)]) {
        Gauge(label: "sluice_pressure_rate_bytes_per_second", dimensions: dimensions)
            .record(ruling.rate ?? -1)
        Gauge(label: "sluice_pressure_target_bytes", dimensions: dimensions).record(ruling.targetBytes)
        Gauge(label: "sluice_pressure_waiting_bytes", dimensions: dimensions).record(ruling.waitingBytes)
    }
}
