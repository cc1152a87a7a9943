// A producer's own lane, behind a lock, and its rule of when a batch leaves.
//
// (1) linger zero: at once when nothing of the producer is under way to that partition, else when that has
// been answered; so the first record goes alone and the ones behind it go together. (2) A linger: when its
// time is up. (3) In any case when it is full, or when someone asks. (4) A batch may be answered, on this
// very thread, while the lane is locked to submit another. Who comes with such news and finds the lock taken
// leaves it to the holder.

import SluiceLog

final class SharedLane: @unchecked Sendable {
    private let core: ProducerCore
    // Guarded by `lock`.
    private let lock = Lock()
    @exclusivity(unchecked) private var lane: Lane
    /// With a linger: when each partition's open batch is to leave; a partition in it has one timer.
    @exclusivity(unchecked) private var lingering: [Int: Int64] = [:]
    /// Partitions that have become idle and whose open batch may leave.
    private let idle = Locked<[Int]>([])

    init(_ core: ProducerCore) {
        self.core = core
        lane = Lane(core)
    }

    /// nil when there is no room; `wait` then says for how much.
    func append(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader], _ timestamp: Int64?, _ partition: Int?,
        _ wait: inout RoomWait
    ) throws(StreamError) -> PendingRecord? {
        defer { drain() }
        return try lock.withLock { () throws(StreamError) -> PendingRecord? in
            switch try lane.append(key, value, headers, timestamp ?? coarseWallMilliseconds(), partition) {
            case .appended(let record):
                if record.index == 0 { arrange(Int(record.partition)) }
                return record
            case .full(let bytes, let obstacle):
                wait.bytes = bytes
                wait.obstacle = obstacle
                return nil
            }
        }
    }

    /// A batch was begun: decides when it leaves. With the lock held.
    private func arrange(_ partition: Int) {
        guard core.configuration.linger > .zero else {
            if !core.isInFlight(partition) { lane.submit(partition) }
            return
        }
        let deadline = Instant.monotonicNow.addingSaturated(core.configuration.linger.wholeNanoseconds)
        if lingering.updateValue(deadline, forKey: partition) == nil { setTimer(partition, deadline) }
    }

    /// One timer for each partition, set again when it finds a batch that is younger: what is full leaves
    /// without it.
    private func setTimer(_ partition: Int, _ deadline: Int64) {
        core.engine.schedule(at: deadline) { [weak self] in self?.lingered(partition) }
    }

    private func lingered(_ partition: Int) {
        lock.withLock {
            guard let deadline = lingering[partition] else { return }
            if lane.openBatch(partition) != nil, deadline > Instant.monotonicNow {
                return setTimer(partition, deadline)
            }
            lingering[partition] = nil
            lane.submit(partition)
        }
        drain()
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

    /// Somebody awaits the partition's open batch, if it is that one: it does not linger. Behind one that is
    /// under way it leaves when that has been answered, with all that come until then.
    func submit(_ partition: Int, number: UInt64) {
        lock.withLock {
            let leavesSoon = core.configuration.linger == .zero && core.isInFlight(partition)
            if !leavesSoon, lane.openBatch(partition) == number { lane.submit(partition) }
        }
        drain()
    }

    func submitAll() {
        lock.withLock { lane.submitAll() }
        drain()
    }
}
