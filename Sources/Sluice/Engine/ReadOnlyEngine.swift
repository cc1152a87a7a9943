// The shell around one read-only view: who looks, who is shown what, who is told.
//
// (1) `volume` is changed by one look at a time, under `looking`; the disk is read then. (2) What the last
// look has found is copied to `shown`, which is held for moments only: readers never wait for a look. (3)
// Watchers are told without a lock. (4) The thread that follows the store begins with the first watcher.

import Logging
import SluiceCore
import SluiceLog

final class ReadOnlyEngine: LogSource, @unchecked Sendable {
    let path: String
    let files: any FileSystem
    let reader: SegmentReader
    let readers: ReaderThreads
    private let logger: Logger
    private let looking = Lock()
    // Guarded by `looking`.
    @exclusivity(unchecked) private var volume: ReadOnlyVolume
    private let shown: Locked<Shown>
    // Set once, before the engine is shared.
    @exclusivity(unchecked) private var watch: DirectoryWatch?

    private struct Shown {
        var volume: ReadOnlyVolume
        var watchers: [Int: [ObjectIdentifier: any PartitionWatcher]] = [:]
        var isClosed = false
        /// The last look failed, and that has been logged.
        var hasFailed = false
    }

    init(_ volume: ReadOnlyVolume, path: String, files: any FileSystem, configuration: StoreConfiguration) {
        self.path = path
        self.files = files
        self.volume = volume
        reader = SegmentReader(files, mayRepair: false)
        readers = ReaderThreads(count: configuration.readerThreads)
        logger = configuration.logger
        shown = Locked(Shown(volume: volume))
        watch = DirectoryWatch { [weak self] in
            self?.directories ?? []
        } changed: { [weak self] in
            self?.follow()
        }
    }

    /// What the last look has found: a consistent cut through all partitions.
    var snapshot: ReadOnlyVolume { shown.withLock { $0.volume } }

    func checkOpen() throws(StreamError) {
        if shown.withLock({ $0.isClosed }) { throw .closed }
    }

    // MARK: Looking

    func lookAgain() throws(StreamError) {
        do throws(LogError) {
            let told = try looking.withLock { () throws(LogError) -> [(any PartitionWatcher, Int)] in
                let numbers = try volume.look()
                let volume = volume
                return shown.withLock { shown in
                    shown.volume = volume
                    shown.hasFailed = false
                    guard !shown.watchers.isEmpty else { return [] }
                    return numbers.flatMap { number in
                        (shown.watchers[number] ?? [:]).values.map { ($0, number) }
                    }
                }
            }
            for (watcher, number) in told { watcher.partitionAdvanced(number) }
        } catch {
            throw StreamError(error, at: nil)
        }
    }

    /// A look that nobody asked for. What is wrong is said once; the next one may find it right.
    private func follow() {
        do throws(StreamError) {
            try lookAgain()
        } catch {
            let isNews = shown.withLock { shown in
                defer { shown.hasFailed = true }
                return !shown.hasFailed
            }
            if isNews { logger.warning("looking at the store failed", metadata: ["error": "\(error)"]) }
        }
    }

    private var directories: Set<String> {
        shown.withLock { shown in
            var directories = Set(shown.volume.directories)
            for number in shown.watchers.keys {
                if let directory = shown.volume.directory(number) { directories.insert(directory) }
            }
            return directories
        }
    }

    // MARK: Answers of the last look

    func number(of partition: TopicPartition) throws(StreamError) -> Int {
        do throws(LogError) {
            return try snapshot.number(topic: partition.topic, partition: partition.partition)
        } catch {
            throw StreamError(error, at: partition)
        }
    }

    func offsets(_ number: Int) throws(LogError) -> Range<Int64> {
        try shown.withLock { shown throws(LogError) in try shown.volume.offsets(number) }
    }

    func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView? {
        try shown.withLock { shown throws(LogError) in try shown.volume.segment(number, at: offset) }
    }

    func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        try shown.withLock { shown throws(LogError) in try shown.volume.segment(number, atTime: timestamp) }
    }

    func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView? {
        try shown.withLock { shown throws(LogError) in try shown.volume.segment(number, after: view) }
    }

    /// Looks again where a compaction may have come in between: what it swaps is in the manifest before any
    /// name changes hands.
    func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool) -> Bool {
        guard !view.isActive, shown.withLock({ $0.volume.mayBeCompacted(number) }) else { return false }
        // A look that fails is met again by the next fetch.
        try? lookAgain()
        return shown.withLock { $0.volume.isReplaced(view, of: number, afterFailure: afterFailure) }
    }

    // MARK: Who is told

    func watch(_ numbers: [Int], _ watcher: any PartitionWatcher) {
        let isLate = shown.withLock { shown in
            guard !shown.isClosed else { return true }
            for number in numbers {
                shown.watchers[number, default: [:]][ObjectIdentifier(watcher)] = watcher
            }
            return false
        }
        if isLate { watcher.storeClosed() } else { watch?.update() }
    }

    func unwatch(_ numbers: [Int], _ watcher: ObjectIdentifier) {
        shown.withLock { shown in
            for number in numbers {
                shown.watchers[number]?[watcher] = nil
                if shown.watchers[number]?.isEmpty == true { shown.watchers[number] = nil }
            }
        }
    }

    /// Ends consumers' loops; nothing new is taken.
    func refuse() {
        let all = shown.withLock { shown in
            shown.isClosed = true
            defer { shown.watchers = [:] }
            return shown.watchers.values.reduce(into: [:]) { all, some in
                all.merge(some) { first, _ in first }
            }
        }
        for watcher in all.values { watcher.storeClosed() }
    }

    /// Ends the threads and waits for them: not from one of them, nor in the cooperative pool.
    func stop() {
        watch?.stop()
        readers.stop()
    }
}

/// What a read-only store and its consumers have in common: with the last of them the threads end.
///
/// A class for its `deinit`.
final class ReadOnlyLease: LogLease {
    let engine: ReadOnlyEngine
    var source: any LogSource { engine }
    init(_ engine: ReadOnlyEngine) { self.engine = engine }
    deinit {
        let engine = engine
        // This may be one of the threads that are to be joined.
        Thread.start("sluice-leave") { engine.stop() }?.detach()
    }
}
