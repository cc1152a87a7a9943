// A thread that looks when files change: inotify(7) where there is such a thing, else once a second.
//
// (1) It sleeps while nothing changes. (2) Changes within a millisecond are one: a writer that commits a
// thousand times a second is looked at as often. (3) A directory that cannot be watched is looked at once a
// second.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import CSluiceSystem

/// Calls `changed` after changes in some directories, on a thread of its own, until `stop`.
final class DirectoryWatch: @unchecked Sendable {
    private let changed: @Sendable () -> Void
    /// The directories to be watched; asked after each change.
    private let directories: @Sendable () -> Set<String>
    private let watch: Int32
    private let wake: Int32
    private let lock = Lock()
    // Guarded by `lock`.
    @exclusivity(unchecked) private var thread: Thread?
    @exclusivity(unchecked) private var isStopped = false

    init(_ directories: @escaping @Sendable () -> Set<String>, changed: @escaping @Sendable () -> Void) {
        self.directories = directories
        self.changed = changed
        watch = sluice_watch_open()
        wake = sluice_wake_open()
    }

    deinit {
        if watch >= 0 { close(watch) }
        if wake >= 0 { close(wake) }
    }

    /// Begins, or takes note that there are other directories to be watched.
    func update() {
        lock.withLock {
            guard !isStopped else { return }
            if thread == nil { thread = Thread.start("sluice-watch") { [self] in run() } }
            sluice_wake_ring(wake)
        }
    }

    /// Ends the thread and waits for that; not from `changed`.
    func stop() {
        let thread = lock.withLock {
            isStopped = true
            sluice_wake_ring(wake)
            return self.thread.take()
        }
        thread?.join()
    }

    private static let secondMilliseconds: Int32 = 1000

    private func run() {
        var watched: Set<String> = []
        while !lock.withLock({ isStopped }) {
            let isComplete = add(&watched)
            // After the watches are there: what came before them is seen, what comes after them is told.
            changed()
            let missed = directories().subtracting(watched)
            if !missed.isEmpty, add(&watched) { continue }
            // Without a way to be woken it has to ask whether it is to stop.
            let limit = isComplete && wake >= 0 ? -1 : Self.secondMilliseconds
            let happened = Int(sluice_watch_wait(watch, wake, limit))
            if happened & Int(SLUICE_WATCH_LOST) != 0 { watched = [] }
            sluice_wake_clear(wake)
            if happened & Int(SLUICE_WATCH_CHANGED) != 0 { _ = poll(nil, 0, 1) }
        }
    }

    /// Watches what is not watched yet. False when something that is there cannot be.
    private func add(_ watched: inout Set<String>) -> Bool {
        guard watch >= 0 else { return false }
        var isComplete = true
        for directory in directories() where !watched.contains(directory) {
            if sluice_watch_add(watch, directory) >= 0 {
                watched.insert(directory)
            } else if errno != ENOENT {
                // One that is not there yet is told of by the directory that it will be in.
                isComplete = false
            }
        }
        return isComplete
    }
}
