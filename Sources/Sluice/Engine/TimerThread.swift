// One thread that does small things at their time: lingering batches, calls that wait at most so long. It is
// started with the first of them and sleeps while nothing is due.

import SluiceLog

/// Actions with a time.
final class TimerThread: @unchecked Sendable {
    // All below is guarded by `lock`.
    private let lock = Lock()
    private let bell = Condition()
    /// A binary heap by deadline.
    @exclusivity(unchecked) private var heap: [(deadline: Int64, action: @Sendable () -> Void)] = []
    @exclusivity(unchecked) private var thread: Thread?
    @exclusivity(unchecked) private var isStopped = false

    /// Does `action` once, at or soon after a moment of the monotonic clock. It must be short.
    func schedule(at deadline: Int64, _ action: @escaping @Sendable () -> Void) {
        lock.withLock {
            guard !isStopped else { return }
            heap.append((deadline, action))
            siftUp(heap.count - 1)
            if thread == nil { thread = Thread.start("sluice-timer") { [self] in run() } }
            // Else it wakes early enough by itself.
            if heap[0].deadline == deadline { bell.signal() }
        }
    }

    /// Ends the thread. What was scheduled is dropped.
    func stop() {
        lock.withLock {
            isStopped = true
            heap = []
            bell.signal()
        }
        thread?.join()
    }

    private func run() {
        lock.lock()
        defer { lock.unlock() }
        while !isStopped {
            guard let first = heap.first else {
                bell.wait(lock)
                continue
            }
            guard first.deadline <= Instant.monotonicNow else {
                bell.wait(lock, until: first.deadline)
                continue
            }
            popFirst()
            lock.unlock()
            first.action()
            lock.lock()
        }
    }

    private func siftUp(_ start: Int) {
        var child = start
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func popFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
