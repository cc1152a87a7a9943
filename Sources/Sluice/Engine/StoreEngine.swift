// The shell around one volume: its lock, its threads, and the delivery of what was completed. No policy.
//
// (1) `volume` is touched with `lock` held, and by nothing else. (2) Jobs run, and completions are delivered,
// without it. (3) A thread that finished a job looks for the next itself: a bell is rung only for a thread
// that sleeps. (4) Producers are called without the lock; they may call back in.

import Logging
import SluiceCore
import SluiceLog
import Synchronization

final class StoreEngine: @unchecked Sendable {
    let path: String
    let files: any FileSystem
    let runner: JobRunner
    let reader: SegmentReader
    let readers: ReaderThreads
    let timer = TimerThread()
    let logger: Logger
    let report: RecoveryReport
    let events = EventRing()
    let offsetsRetention: Duration
    /// The store's own; nil: a part of its device.
    let diskBudget: Int64?
    let storeID: UniqueID

    // Guarded by `lock`.
    let lock = Lock()
    let appendBell = Condition()
    let backgroundBell = Condition()
    /// Rung when something has completed, for callers that help.
    let helperBell = Condition()
    @exclusivity(unchecked) var volume: Volume
    @exclusivity(unchecked) private var sinks: [UInt32: WeakSink] = [:]
    @exclusivity(unchecked) private var requests: [UInt64: @Sendable (Result<Int64, LogError>) -> Void] = [:]
    /// Topics that are being made, by what collides with their names, and who else waits for that.
    @exclusivity(unchecked) private var creations: [String: (name: String, others: [Waiter<Int64>])] = [:]
    @exclusivity(unchecked) private var watchers: [Int: [ObjectIdentifier: any PartitionWatcher]] = [:]
    @exclusivity(unchecked) private var areWatchersGone = false
    @exclusivity(unchecked) private var nextSink: UInt32 = 0
    @exclusivity(unchecked) private var nextRequest: UInt64 = 0
    @exclusivity(unchecked) var appendersAsleep = 0
    /// Of those, the ones that will wake by themselves within a millisecond.
    @exclusivity(unchecked) var appendersDozing = 0
    @exclusivity(unchecked) var unrung = 0
    @exclusivity(unchecked) var threadCount = 0
    @exclusivity(unchecked) var isBackgroundAsleep = false
    /// Until when it sleeps.
    @exclusivity(unchecked) var backgroundWakesAt = Int64.max
    /// How often the volume has been changed, and at which change each lane was last rung by a look that
    /// found nothing.
    @exclusivity(unchecked) var changes: UInt64 = 0
    @exclusivity(unchecked) var appendRungAt: UInt64 = 0
    @exclusivity(unchecked) var backgroundRungAt: UInt64 = 0
    /// Helpers that are not running a job: they will look for one before they sleep.
    @exclusivity(unchecked) var helpersFree = 0
    @exclusivity(unchecked) var isStopping = false
    @exclusivity(unchecked) var threads: [Thread] = []
    @exclusivity(unchecked) var closeWaiters: [Waiter<Void>] = []
    @exclusivity(unchecked) var retentionAt: Int64?
    /// The time at the last look of retention.
    @exclusivity(unchecked) var lastClock: Instant?
    /// Partitions in the last commit, as far as they had gathered.
    @exclusivity(unchecked) var lastGroup = 0
    @exclusivity(unchecked) var isGathering = false
    /// How long a commit takes, about, seconds.
    @exclusivity(unchecked) var commitSeconds = 0.0
    /// Set when the close begins: nothing new is taken.
    let isClosed = Atomic(false)
    /// How often users have changed: who holds one looks him up again when it has.
    let userChanges = Atomic(0)
    /// Callers that help.
    let helpers = Atomic(0)
    let lockFile: FileID
    let openedAt: Instant
    let previousWall: Int64

    init(
        _ opened: consuming OpenedStore, path: String, files: any FileSystem,
        configuration: StoreConfiguration
    ) {
        self.path = path
        self.files = files
        report = opened.report
        storeID = opened.storeID
        lockFile = opened.lock
        previousWall = opened.previousWall
        runner = JobRunner(files, storeID: opened.storeID)
        reader = SegmentReader(files, mayRepair: true)
        readers = ReaderThreads(count: configuration.readerThreads)
        logger = configuration.logger
        offsetsRetention = configuration.offsetsRetention
        diskBudget = configuration.diskBytes
        openedAt = .now
        volume = opened.intoVolume()
        for finding in report.findings {
            if case .unreferenced = finding { continue }
            events.add(.recovered(finding))
        }
    }

    /// Starts the threads. Throws `io` when the system has none to give.
    func start(_ configuration: StoreConfiguration) throws(StreamError) {
        threadCount = configuration.writerThreads
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

    /// Throws `closed` once the close has begun.
    func checkOpen() throws(StreamError) {
        if isClosed.load(ordering: .relaxed) { throw .closed }
    }

    // MARK: The volume

    /// Changes or asks the volume, then wakes whom that concerns and delivers what was completed.
    ///
    /// - Parameter isUrgent: false for work that nobody waits for: a thread that is about to look is not rung
    ///   for it.
    func withVolume<R, E: Error>(
        isUrgent: Bool = true, _ body: (inout Volume) throws(E) -> R
    ) throws(E) -> R {
        lock.lock()
        let result: R
        do throws(E) {
            result = try body(&volume)
        } catch {
            leave()
            throw error
        }
        leave(isUrgent: isUrgent)
        return result
    }

    /// Asks the volume, and changes nothing.
    func read<R, E: Error>(_ body: (borrowing Volume) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(volume)
    }

    /// Unlocks; before that wakes threads, after it delivers.
    func leave(isUrgent: Bool = true) {
        changes &+= 1
        let completions = volume.takeCompletions()
        ringAppenders(isUrgent: isUrgent)
        ringBackground()
        if completions.isEmpty { return lock.unlock() }
        deliver(completions)
    }

    /// Delivers what a look for jobs has brought about; comes back with the lock. False when there was
    /// nothing, and then the lock was not let go.
    func deliverRest() -> Bool {
        let completions = volume.takeCompletions()
        if completions.isEmpty { return false }
        changes &+= 1
        ring()
        deliver(completions)
        lock.lock()
        return true
    }

    private func deliver(_ completions: Completions) {
        let delivery = delivery(of: completions)
        lock.unlock()
        delivery.deliver(logger, events)
        // Asked after the delivery: a helper that came in between and found no answer yet has counted itself
        // before.
        if helpers.load(ordering: .sequentiallyConsistent) > 0 { lock.withLock { helperBell.broadcast() } }
    }

    func ring() {
        ringAppenders()
        ringBackground()
    }

    func ringAppenders(isUrgent: Bool = true) {
        guard helpersFree == 0, appendersAsleep > 0, volume.mayHaveAppendJob else { return }
        if !isUrgent, appendersAsleep - appendersDozing < threadCount {
            // Someone is awake, or will be within a millisecond; until then full batches may gather.
            let isAwake = appendersAsleep < threadCount
            unrung += 1
            if isAwake || unrung < Self.batchesUnrung { return }
        }
        unrung = 0
        appendBell.signal()
    }

    /// Full batches that may wait for a dozing thread to wake by itself.
    private static let batchesUnrung = 8

    func ringBackground() {
        guard isBackgroundAsleep else { return }
        if volume.mayHaveBackgroundJob || (volume.nextDeadline ?? .max) < backgroundWakesAt {
            backgroundBell.signal()
        }
    }

    /// Who is to be told what. With the lock held.
    private func delivery(of completions: Completions) -> Delivery {
        var delivery = Delivery(events: completions.events)
        var bySink: [UInt32: [AppendCompletion]] = [:]
        for completion in completions.appends {
            bySink[completion.origin.producer, default: []].append(completion)
        }
        for (number, appends) in bySink {
            if let sink = sinks[number]?.sink { delivery.appends.append((sink, appends)) }
        }
        for (id, result) in completions.requests {
            if let handler = requests.removeValue(forKey: id) { delivery.requests.append((handler, result)) }
        }
        if !watchers.isEmpty {
            for number in completions.advanced {
                for watcher in (watchers[number] ?? [:]).values {
                    delivery.advanced.append((watcher, number))
                }
            }
        }
        // What retention has done itself is no reason to look again at once.
        let isNews = completions.events.contains { event in
            switch event {
            case .segmentsRemoved, .recordsDropped: false
            default: true
            }
        }
        if isNews {
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
            if helpers.load(ordering: .sequentiallyConsistent) > 0 {
                lock.withLock { helperBell.broadcast() }
            }
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

    /// Nobody is told under that number any more.
    ///
    /// - Parameter refused: partitions in which something of it was refused.
    func unregister(_ number: UInt32, refusedIn refused: [Int] = []) {
        lock.withLock {
            _ = sinks.removeValue(forKey: number)
            volume.forget(producer: number, in: refused)
        }
    }

    /// Tells `watcher` of these partitions until `unwatch`; at once, when the store has been closed.
    func watch(_ numbers: [Int], _ watcher: any PartitionWatcher) {
        let isLate = lock.withLock {
            guard !areWatchersGone else { return true }
            for number in numbers { watchers[number, default: [:]][ObjectIdentifier(watcher)] = watcher }
            return false
        }
        if isLate { watcher.storeClosed() }
    }

    /// The store is being closed: every watcher is told, and none is taken any more.
    func endWatchers() {
        let all = lock.withLock {
            areWatchersGone = true
            defer { watchers = [:] }
            return watchers.values.reduce(into: [:]) { all, some in all.merge(some) { first, _ in first } }
        }
        for watcher in all.values { watcher.storeClosed() }
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

    /// Makes a topic, or joins the one who is making it.
    ///
    /// - Parameter isEnsured: whether a topic of that name will do, also one that is there already.
    /// - Throws: `topicExists` with the name that is in the way.
    func create(
        _ name: String, _ partitions: Int, _ settings: TopicSettings, isEnsured: Bool
    ) throws(StreamError) -> Waiter<Int64> {
        let waiter = Waiter<Int64>()
        do throws(LogError) {
            try withVolume { volume throws(LogError) in
                try create(name, partitions, settings, isEnsured: isEnsured, waiter, &volume)
            }
        } catch {
            throw StreamError(error, at: nil)
        }
        return waiter
    }

    private func create(
        _ name: String, _ partitions: Int, _ settings: TopicSettings, isEnsured: Bool,
        _ waiter: Waiter<Int64>, _ volume: inout Volume
    ) throws(LogError) {
        let collision = TopicName.collisionKey(name)
        if let other = Self.topic(inTheWayOf: name, volume) {
            guard isEnsured, other.name == name else { throw .topicExists(other.name) }
            return waiter.resume(.success(Int64(other.partitions)))
        }
        if let other = creations[collision]?.name {
            guard isEnsured, other == name else { throw .topicExists(other) }
            creations[collision]?.others.append(waiter)
            return
        }
        nextRequest += 1
        let id = nextRequest
        creations[collision] = (name, [])
        requests[id] = { [weak self] result in
            let answer = result.mapError { StreamError($0, at: nil) }
            let others = self?.endCreation(collision) ?? []
            for waiter in [waiter] + others { waiter.resume(answer) }
        }
        do throws(LogError) {
            var random = SystemRandomNumberGenerator()
            try volume.createTopic(
                name, id: UniqueID(using: &random), partitions: partitions, settings: settings.stored,
                log: settings.log, request: id)
        } catch {
            requests[id] = nil
            creations[collision] = nil
            throw error
        }
    }

    /// The topic whose name is the same, or cannot be told apart from it.
    static func topic(inTheWayOf name: String, _ volume: borrowing Volume) -> TopicRecord? {
        let collision = TopicName.collisionKey(name)
        return volume.topics.first { TopicName.collisionKey($0.name) == collision }
    }

    private func endCreation(_ collision: String) -> [Waiter<Int64>] {
        lock.withLock { creations.removeValue(forKey: collision)?.others ?? [] }
    }
}
