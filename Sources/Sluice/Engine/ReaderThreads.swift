// Threads for reads that have to wait for the disk.

/// A small pool that takes closures in order. Started with the first.
final class ReaderThreads: @unchecked Sendable {
    // All below is guarded by `lock`.
    private let lock = Lock()
    private let bell = Condition()
    @exclusivity(unchecked) private var queue: [@Sendable () -> Void] = []
    @exclusivity(unchecked) private var threads: [Thread] = []
    /// Threads that wait for something to do.
    @exclusivity(unchecked) private var idle = 0
    @exclusivity(unchecked) private var isStopped = false
    private let count: Int

    init(count: Int) { self.count = count }

    /// Runs `body` on one of the threads; on the caller's when they have been stopped.
    func run(_ body: @escaping @Sendable () -> Void) {
        lock.lock()
        guard !isStopped else {
            lock.unlock()
            return body()
        }
        queue.append(body)
        if idle < queue.count, threads.count < count {
            if let thread = Thread.start("sluice-reader", { [self] in loop() }) {
                threads.append(thread)
            }
        }
        let isStarted = !threads.isEmpty
        if !isStarted { queue.removeAll() }
        bell.signal()
        lock.unlock()
        if !isStarted { body() }
    }

    /// Waits for what is running and for what is queued.
    func stop() {
        lock.withLock {
            isStopped = true
            bell.broadcast()
        }
        for thread in threads { thread.join() }
    }

    private func loop() {
        lock.lock()
        defer { lock.unlock() }
        while true {
            if queue.isEmpty {
                if isStopped { return }
                idle += 1
                bell.wait(lock)
                idle -= 1
                continue
            }
            let body = queue.removeFirst()
            lock.unlock()
            body()
            lock.lock()
        }
    }
}
