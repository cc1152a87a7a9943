// A producer's own lane, behind a lock, and its rule of when a batch leaves.
//
// (1) linger zero: at once when nothing of the producer is under way to that partition, else when that has been
// answered; so the first record goes alone and the ones behind it go together. (2) A linger: when its time is up.
// (3) In any case when it is full, or when someone asks. (4) A batch may be answered, on this very thread, while the lane
// is locked to submit another. Who comes with such news and finds the lock taken leaves it to the holder.

import SluiceLog
import Synchronization

final class SharedLane: @unchecked Sendable {
    private let core: ProducerCore
    // Guarded by `lock`.
    private let lock = Lock()
    @exclusivity(unchecked) private var lane: Lane
    /// Partitions that have become idle and whose open batch may leave.
    private let idle = Mutex<[Int]>([])

    init(_ core: ProducerCore) {
        self.core = core
        lane = Lane(core)
    }

    /// nil when there is no room.
    func append(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader], _ timestamp: Int64?, _ partition: Int?
    ) throws(StreamError) -> PendingRecord? {
        defer { drain() }
        return try lock.withLock { () throws(StreamError) -> PendingRecord? in
            guard case .appended(let record) = try lane.append(
                key, value, headers, timestamp ?? coarseWallMilliseconds(), partition)
            else { return nil }
            if record.index == 0 { arrange(Int(record.partition), record.batchNumber) }
            return record
        }
    }

    /// A batch was begun: decides when it leaves. With the lock held.
    private func arrange(_ partition: Int, _ number: UInt64) {
        if core.configuration.linger == .zero {
            if !core.isInFlight(partition) { lane.submit(partition) }
        } else {
            let deadline = Instant.monotonicNow.addingSaturated(core.configuration.linger.wholeNanoseconds)
            core.engine.schedule(at: deadline) { [weak self] in self?.submit(partition, number: number) }
        }
    }

    /// What was under way to the partition has been answered.
    func becameIdle(_ partition: Int) {
        guard core.configuration.linger == .zero else { return }
        idle.withLock { $0.append(partition) }
        drain()
    }

    /// Submits for the partitions that became idle, unless the lock's holder will do it when it lets go.
    private func drain() {
        while !idle.withLock({ $0.isEmpty }) {
            guard lock.tryLock() else { return }
            let partitions = idle.withLock { idle in
                defer { idle = [] }
                return idle
            }
            for partition in partitions { lane.submit(partition) }
            lock.unlock()
        }
    }

    /// Submits the partition's open batch if it is that one.
    func submit(_ partition: Int, number: UInt64) {
        lock.withLock {
            if lane.openBatch(partition) == number { lane.submit(partition) }
        }
        drain()
    }

    func submitAll() {
        lock.withLock { lane.submitAll() }
        drain()
    }
}
