// The shell around one volume: its lock, its threads, and the delivery of what was completed. No policy.
//
// (1) `volume` is touched with `lock` held, and by nothing else. (2) Jobs run, and completions are delivered, without
// it. (3) A thread that finished a job looks for the next itself: a bell is rung only for a thread that sleeps.
// (4) Producers are called without the lock; they may call back in.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import Logging
import Metrics
import SluiceLog

/// Told what became of its batches. Called on an I/O thread, or on a caller that helps.
protocol BatchSink: AnyObject, Sendable {
    func completed(_ completions: [AppendCompletion])
}

/// Told that records may be there to be read.
protocol PartitionWatcher: AnyObject, Sendable {
    func partitionAdvanced(_ number: Int)
}

final class StoreEngine: @unchecked Sendable {
    let path: String
    let files: any FileSystem
    let runner: JobRunner
    let reader: SegmentReader
    let readers: ReaderThreads
    private let timer = TimerThread()
    let logger: Logger
    let report: RecoveryReport

    // Guarded by `lock`.
    private let lock = Lock()
    private let appendBell = Condition()
    private let backgroundBell = Condition()
    /// Rung when something has completed, for callers that help.
    private let helperBell = Condition()
    @exclusivity(unchecked) private var volume: Volume
    @exclusivity(unchecked) private var sinks: [UInt32: WeakSink] = [:]
    @exclusivity(unchecked) private var requests: [UInt64: @Sendable (Result<Int64, LogError>) -> Void] = [:]
    @exclusivity(unchecked) private var watchers: [Int: [ObjectIdentifier: any PartitionWatcher]] = [:]
    @exclusivity(unchecked) private var nextSink: UInt32 = 0
    @exclusivity(unchecked) private var nextRequest: UInt64 = 0
    @exclusivity(unchecked) private var appendersAsleep = 0
    @exclusivity(unchecked) private var isBackgroundAsleep = false
    @exclusivity(unchecked) private var helpers = 0
    /// Helpers that are not running a job: they will look for one before they sleep.
    @exclusivity(unchecked) private var helpersFree = 0
    @exclusivity(unchecked) private var isStopping = false
    @exclusivity(unchecked) private var threads: [Thread] = []
    @exclusivity(unchecked) private var closeWaiters: [Waiter<Void>] = []
    @exclusivity(unchecked) private var retentionAt: Int64?
    /// Partitions in the last commit, as far as they had gathered.
    @exclusivity(unchecked) private var lastGroup = 0
    @exclusivity(unchecked) private var isGathering = false
    private let lockFile: FileID
    private let openedAt: Instant
    private let previousWall: Int64

    init(
        _ opened: consuming OpenedStore, path: String, files: any FileSystem, configuration: StoreConfiguration
    ) {
        self.path = path
        self.files = files
        report = opened.report
        lockFile = opened.lock
        previousWall = opened.previousWall
        runner = JobRunner(files, storeID: opened.storeID)
        reader = SegmentReader(files, mayRepair: true)
        readers = ReaderThreads(count: configuration.readerThreads)
        logger = configuration.logger
        openedAt = .now
        volume = opened.intoVolume()
    }

    /// Starts the threads. Throws `io` when the system has none to give.
    func start(_ configuration: StoreConfiguration) throws(StreamError) {
        for number in 0..<configuration.writerThreads {
            threads.append(try Self.thread("sluice-io-\(number)", path) { [self] in appendLoop() })
        }
        threads.append(try Self.thread("sluice-backgr", path) { [self] in backgroundLoop() })
    }

    private static func thread(
        _ name: String, _ path: String, _ body: @escaping @Sendable () -> Void
    ) throws(StreamError) -> Thread {
        guard let thread = Thread.start(name, body) else {
            throw .io(operation: "pthread_create", file: path, errno: 11)
        }
        return thread
    }

    // MARK: The volume

    /// Changes or asks the volume, then wakes whom that concerns and delivers what was completed.
    func withVolume<R, E: Error>(_ body: (inout Volume) throws(E) -> R) throws(E) -> R {
        lock.lock()
        let result: R
        do throws(E) {
            result = try body(&volume)
        } catch {
            leave()
            throw error
        }
        leave()
        return result
    }

    /// Asks the volume, and changes nothing.
    func read<R, E: Error>(_ body: (borrowing Volume) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(volume)
    }

    /// Unlocks; before that wakes threads, after it delivers.
    private func leave() {
        let completions = volume.takeCompletions()
        ring()
        if completions.isEmpty { return lock.unlock() }
        let delivery = delivery(of: completions)
        let hasHelpers = helpers > 0
        lock.unlock()
        delivery.deliver(logger)
        // After the delivery: a helper that wakes finds its answer there.
        if hasHelpers { lock.withLock { helperBell.broadcast() } }
    }

    private func ring() {
        if helpersFree == 0, appendersAsleep > 0, volume.mayHaveAppendJob { appendBell.signal() }
        if isBackgroundAsleep, volume.mayHaveBackgroundJob || volume.nextDeadline != nil { backgroundBell.signal() }
    }

    /// Who is to be told what. With the lock held.
    private func delivery(of completions: Completions) -> Delivery {
        var delivery = Delivery(events: completions.events)
        var bySink: [UInt32: [AppendCompletion]] = [:]
        for completion in completions.appends { bySink[completion.origin.producer, default: []].append(completion) }
        for (number, appends) in bySink {
            if let sink = sinks[number]?.sink { delivery.appends.append((sink, appends)) }
        }
        for (id, result) in completions.requests {
            if let handler = requests.removeValue(forKey: id) { delivery.requests.append((handler, result)) }
        }
        if !watchers.isEmpty {
            for number in completions.advanced {
                for watcher in (watchers[number] ?? [:]).values { delivery.advanced.append((watcher, number)) }
            }
        }
        if completions.events.contains(where: { if case .segmentsRemoved = $0 { false } else { true } }) {
            retentionAt = nil
        }
        if let closed = completions.closed {
            delivery.closed = closeWaiters
            delivery.closeResult = closed
            closeWaiters = []
        }
        return delivery
    }

    /// Does something small at a moment of the monotonic clock, on the timer's thread.
    ///
    /// A helper that waits for it is woken.
    func schedule(at deadline: Int64, _ action: @escaping @Sendable () -> Void) {
        timer.schedule(at: deadline) { [weak self] in
            action()
            guard let self else { return }
            lock.withLock { if helpers > 0 { helperBell.broadcast() } }
        }
    }

    // MARK: Who is told

    /// A number under which `sink` submits batches.
    func register(_ sink: any BatchSink) -> UInt32 {
        lock.withLock {
            nextSink += 1
            sinks[nextSink] = WeakSink(sink: sink)
            return nextSink
        }
    }

    func unregister(_ number: UInt32) {
        lock.withLock { _ = sinks.removeValue(forKey: number) }
    }

    func watch(_ numbers: [Int], _ watcher: any PartitionWatcher) {
        lock.withLock {
            for number in numbers { watchers[number, default: [:]][ObjectIdentifier(watcher)] = watcher }
        }
    }

    func unwatch(_ numbers: [Int], _ watcher: ObjectIdentifier) {
        lock.withLock {
            for number in numbers {
                watchers[number]?[watcher] = nil
                if watchers[number]?.isEmpty == true { watchers[number] = nil }
            }
        }
    }

    /// A request to the catalogue, answered when it is durable.
    func request(
        _ body: (inout Volume, UInt64) throws(LogError) -> Void
    ) throws(LogError) -> Waiter<Int64> {
        let waiter = Waiter<Int64>()
        try withVolume { volume throws(LogError) in
            nextRequest += 1
            let id = nextRequest
            requests[id] = { waiter.resume($0.mapError { StreamError($0, at: nil) }) }
            do throws(LogError) {
                try body(&volume, id)
            } catch {
                requests[id] = nil
                throw error
            }
        }
        return waiter
    }

    // MARK: Threads

    private func appendLoop() {
        var jobs: [IOJob] = []
        lock.lock()
        while true {
            gather()
            takeJobs(&jobs)
            if !jobs.isEmpty {
                run(&jobs)
                continue
            }
            if isStopping { break }
            appendersAsleep += 1
            appendBell.wait(lock)
            appendersAsleep -= 1
        }
        lock.unlock()
    }

    /// Takes several small writes at once, so that many partitions with a record each cost one turn of the lock; a
    /// commit goes alone, since it takes long.
    private func takeJobs(_ jobs: inout [IOJob]) {
        let now = Instant.now
        while jobs.count < Self.jobsAtOnce, let job = volume.nextJob(.append, now: now) {
            jobs.append(job)
            guard case .write = job else { return }
        }
    }

    /// Before a commit, waits a moment for those that the last one answered: they are about to come again.
    private func gather() {
        let waiting = volume.waitingToCommit
        guard waiting > 0, !volume.isCommitUnderWay, !volume.hasReadyWrites, !isGathering else { return }
        defer { lastGroup = volume.waitingToCommit }
        guard waiting < lastGroup else { return }
        isGathering = true
        let deadline = Instant.monotonicNow + Self.gatherNanoseconds
        while volume.waitingToCommit < lastGroup, !volume.hasReadyWrites, Instant.monotonicNow < deadline {
            lock.unlock()
            sched_yield()
            lock.lock()
        }
        isGathering = false
    }

    private static let gatherNanoseconds: Int64 = 60_000
    private static let leastSleepNanoseconds: Int64 = 1_000_000
    private static let jobsAtOnce = 32

    /// Runs a job without the lock, and comes back with it.
    private func run(_ job: IOJob) {
        var jobs = [job]
        run(&jobs)
    }

    /// Runs jobs one after another without the lock, and comes back with it.
    private func run(_ jobs: inout [IOJob]) {
        lock.unlock()
        let results = jobs.map(runner.run)
        lock.lock()
        let now = Instant.now
        for (job, result) in zip(jobs, results) { volume.finished(job, result, now: now) }
        jobs.removeAll(keepingCapacity: true)
        leave()
        lock.lock()
    }

    private func backgroundLoop() {
        lock.lock()
        while true {
            let now = Instant.now
            enforceRetention(now)
            if let job = volume.nextJob(.background, now: now) {
                run(job)
                continue
            }
            leave()
            lock.lock()
            if volume.mayHaveBackgroundJob, volume.nextDeadline == nil { continue }
            if isStopping { break }
            isBackgroundAsleep = true
            let deadline = min(volume.nextDeadline ?? .max, retentionAt ?? .max)
            if deadline == .max {
                backgroundBell.wait(lock)
            } else {
                backgroundBell.wait(lock, until: max(deadline, now.monotonicNanoseconds + Self.leastSleepNanoseconds))
            }
            isBackgroundAsleep = false
        }
        lock.unlock()
    }

    /// Retention looks at the store when the oldest segment comes of age, at most once a minute and at least once an
    /// hour while there is something to delete.
    private func enforceRetention(_ now: Instant) {
        if let time = retentionAt, now.monotonicNanoseconds >= time {
            volume.enforceRetention(wall: retentionWall(now))
            retentionAt = nil
        }
        guard retentionAt == nil, let expiry = volume.nextExpiry else { return }
        let wait = min(max(expiry.subtractingReportingOverflow(now.wallMilliseconds).partialValue, 60_000), 3_600_000)
        retentionAt = now.monotonicNanoseconds + wait * 1_000_000
    }

    /// The wall clock, not believed for an hour after the opening: it may have been set while the machine was off.
    func retentionWall(_ now: Instant) -> Int64 {
        let open = (now.monotonicNanoseconds - openedAt.monotonicNanoseconds) / 1_000_000
        guard open < 3_600_000, previousWall > 0 else { return now.wallMilliseconds }
        return min(now.wallMilliseconds, previousWall + open)
    }

    /// Submits something and runs jobs of the append lane on the calling thread until it is answered: without contention
    /// no other thread is involved. For callers without async.
    func helping<Value>(_ submit: () throws(StreamError) -> Waiter<Value>) throws(StreamError) -> Value {
        lock.withLock {
            helpers += 1
            helpersFree += 1
        }
        defer {
            lock.withLock {
                helpers -= 1
                helpersFree -= 1
                ring()
            }
        }
        let waiter = try submit()
        lock.lock()
        while waiter.result == nil {
            if let job = volume.nextJob(.append, now: .now) {
                helpersFree -= 1
                run(job)
                helpersFree += 1
                continue
            }
            leave()
            lock.lock()
            if waiter.result != nil { break }
            helpersFree -= 1
            ring()
            helperBell.wait(lock)
            helpersFree += 1
        }
        lock.unlock()
        guard let result = waiter.result else { throw .closed }
        return try result.get()
    }

    // MARK: Close

    /// Finishes what was submitted, syncs, records the close, and gives the directory back.
    nonisolated(nonsending) func close() async -> Result<Void, StreamError> {
        let waiter = Waiter<Void>()
        let isFirst = withVolume { volume in
            guard !isStopping, !volume.isClosed, closeWaiters.isEmpty else {
                if volume.isClosed { waiter.resume(.success(())) } else { closeWaiters.append(waiter) }
                return false
            }
            closeWaiters.append(waiter)
            volume.close(now: .now)
            return true
        }
        let result = await waiter.value()
        guard isFirst else { return result }
        let done = Waiter<Void>()
        // Joining waits for threads: not in the cooperative pool.
        guard Thread.start("sluice-close", { [self] in
            stopThreads()
            done.resume(.success(()))
        }) != nil else {
            stopThreads()
            return result
        }
        _ = await done.value()
        return result
    }

    private func stopThreads() {
        lock.withLock {
            isStopping = true
            appendBell.broadcast()
            backgroundBell.broadcast()
        }
        for thread in threads { thread.join() }
        timer.stop()
        readers.stop()
        lock.withLock {
            for file in volume.openFiles { files.close(file) }
            files.close(lockFile)
        }
    }
}

/// A producer may be dropped while batches of it are under way: they are written, and nobody is told.
private struct WeakSink {
    weak var sink: (any BatchSink)?
}

/// What is told outside the lock.
private struct Delivery {
    var events: [VolumeEvent]
    var appends: [(any BatchSink, [AppendCompletion])] = []
    var requests: [(@Sendable (Result<Int64, LogError>) -> Void, Result<Int64, LogError>)] = []
    var advanced: [(any PartitionWatcher, Int)] = []
    var closed: [Waiter<Void>] = []
    var closeResult: Result<Void, LogError> = .success(())

    func deliver(_ logger: Logger) {
        for (sink, completions) in appends { sink.completed(completions) }
        for (handler, result) in requests { handler(result) }
        for (watcher, number) in advanced { watcher.partitionAdvanced(number) }
        for event in events { logger.log(event) }
        for waiter in closed { waiter.resume(closeResult.mapError { StreamError($0, at: nil) }) }
    }
}
