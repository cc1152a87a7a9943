// What the engine says of itself, for logs and metrics.

import Logging
import Metrics
import SluiceLog

extension Logger {
    /// One line for each event that someone may have to act on.
    func log(_ event: VolumeEvent) {
        switch event {
        case .partitionStopped(let topic, let partition, let error):
            critical(
                "writing to a partition has stopped until the store is opened again",
                metadata: [
                    "topic": "\(topic)", "partition": "\(partition)", "operation": "\(error.operation)",
                    "file": "\(error.path)", "errno": "\(error.errno)",
                ])
        case .storeStopped(let error):
            critical(
                "writing to the store has stopped until it is opened again",
                metadata: [
                    "operation": "\(error.operation)", "file": "\(error.path)", "errno": "\(error.errno)",
                ])
        case .removalFailed(let error):
            warning(
                "files of deleted records could not be removed",
                metadata: [
                    "operation": "\(error.operation)", "file": "\(error.path)", "errno": "\(error.errno)",
                ])
        case .segmentsRemoved(let topic, let partition, let count, let bytes):
            info(
                "segments were deleted",
                metadata: [
                    "topic": "\(topic)", "partition": "\(partition)", "segments": "\(count)",
                    "bytes": "\(bytes)",
                ])
        case .recordsDropped(let topic, let partition, let records, let bytes):
            warning(
                "records were dropped for want of room",
                metadata: [
                    "topic": "\(topic)", "partition": "\(partition)", "records": "\(records)",
                    "bytes": "\(bytes)",
                ])
        case .compacted(let topic, let partition, let offset):
            debug(
                "a partition was compacted",
                metadata: ["topic": "\(topic)", "partition": "\(partition)", "offset": "\(offset)"])
        case .compactionFailed(let error):
            warning(
                "a compaction could not be completed and is tried again",
                metadata: [
                    "operation": "\(error.operation)", "file": "\(error.path)", "errno": "\(error.errno)",
                ])
        case .syncDelayed(let error):
            warning(
                "a sync had no room and is tried again; what waits for it is acknowledged then",
                metadata: [
                    "operation": "\(error.operation)", "file": "\(error.path)", "errno": "\(error.errno)",
                ])
        case .syncResumed: notice("what had no room has been synced")
        case .recordsUnreadable(let file, let position, let reason):
            error(
                "records cannot be read",
                metadata: ["file": "\(file)", "position": "\(position)", "reason": "\(reason)"])
        case .scrubbed(let segments, let bytes, let damaged):
            log(
                level: damaged > 0 ? .error : .info, "all sealed segments have been read again",
                metadata: ["segments": "\(segments)", "bytes": "\(bytes)", "damaged": "\(damaged)"])
        }
    }

    /// What opening found.
    func log(_ report: RecoveryReport) {
        for finding in report.findings {
            if finding.isDamage {
                error("\(finding)")
            } else if case .unreferenced = finding {
                debug("\(finding)")
            } else {
                notice("\(finding)")
            }
        }
    }
}

extension TopicMetrics {
    /// Records that were dropped for want of room; what was read again, and what of it was damaged.
    static func count(_ event: VolumeEvent) {
        switch event {
        case .recordsDropped(let topic, let partition, let records, _):
            Counter(
                label: "sluice_dropped_records_total",
                dimensions: [("topic", topic), ("partition", "\(partition)")]
            ).increment(by: records)
        case .recordsUnreadable: Counter(label: "sluice_unreadable_total").increment()
        case .scrubbed(_, let bytes, _): Counter(label: "sluice_scrubbed_bytes_total").increment(by: bytes)
        default: break
        }
    }
}

/// The counters of a topic, under the names that metrics systems see.
struct TopicMetrics: Sendable {
    let records: Counter
    let bytes: Counter
    /// How long producers were made to wait, and how often they were told no.
    let delay: Timer
    let rejected: Counter

    init(topic: String) {
        let dimensions = [("topic", topic)]
        records = Counter(label: "sluice_appended_records_total", dimensions: dimensions)
        bytes = Counter(label: "sluice_appended_bytes_total", dimensions: dimensions)
        delay = Timer(label: "sluice_pressure_delay_seconds", dimensions: dimensions)
        rejected = Counter(label: "sluice_pressure_rejected_total", dimensions: dimensions)
    }
}
