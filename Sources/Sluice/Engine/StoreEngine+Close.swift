// The end of an engine: closed, or dropped with the last that used it.

import SluiceLog
import Synchronization

extension StoreEngine {
    /// The close begins: from now on nothing new is taken.
    func refuse() { isClosed.store(true, ordering: .relaxed) }

    /// Finishes what was submitted, syncs, records the close, and gives the directory back. To be called
    /// once.
    nonisolated(nonsending) func close() async -> Result<Void, StreamError> {
        let waiter = Waiter<Void>()
        withVolume { volume in
            closeWaiters.append(waiter)
            volume.close(now: .now)
        }
        let result = await waiter.value()
        let done = Waiter<Void>()
        // Joining waits for threads: not in the cooperative pool.
        guard
            let thread = Thread.start(
                "sluice-close",
                { [self] in
                    stopThreads()
                    done.resume(.success(()))
                })
        else {
            stopThreads()
            return result
        }
        thread.detach()
        _ = await done.value()
        return result
    }

    /// Nobody has the store any more, and nobody closed it: gives the directory back as it is.
    func abandon() {
        guard !lock.withLock({ isStopping }) else { return }
        Self.leaving.began()
        // This may be one of the threads that are to be joined.
        let thread = Thread.start("sluice-abandon") { [self] in
            stopThreads()
            Self.leaving.ended()
        }
        guard let thread else { return Self.leaving.ended() }
        thread.detach()
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

    /// Engines that were dropped and have not yet given their directories back: an opening waits for them.
    static let leaving = Leaving()

    final class Leaving: @unchecked Sendable {
        private let lock = Lock()
        private let bell = Condition()
        // Guarded by `lock`.
        @exclusivity(unchecked) private var count = 0

        func began() { lock.withLock { count += 1 } }

        func ended() {
            lock.withLock {
                count -= 1
                bell.broadcast()
            }
        }

        func wait() {
            lock.withLock {
                while count > 0 { bell.wait(lock) }
            }
        }
    }
}

/// What a store, its producers and its consumers have in common: with the last of them the engine ends.
///
/// A class for its `deinit`. The engine's threads hold the engine, not this.
final class EngineLease: LogLease {
    let engine: StoreEngine
    let groups: GroupEngine
    let pressure: PressureEngine
    var source: any LogSource { engine }
    init(_ engine: StoreEngine) {
        self.engine = engine
        groups = GroupEngine(engine, offsetsRetention: engine.offsetsRetention)
        pressure = PressureEngine(engine, groups)
    }
    deinit {
        pressure.device.leave()
        engine.abandon()
    }

    /// Topics were made, changed or deleted.
    func catalogueChanged() {
        groups.catalogueChanged()
        pressure.catalogueChanged()
    }
}
