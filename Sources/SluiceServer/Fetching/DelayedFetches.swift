// The purgatory with those who wait in it: woken by the watermarks, by the clock, and at the store's end.
//
// (1) Whoever holds a fetch looks at the partitions afterwards: what comes in between wakes him. (2) The lock
// is taken before the engine's, never after: the watermarks are told of without it.

import Sluice
import SluiceLog

/// Delayed fetches of all connections.
final class DelayedFetches: Sendable {
    private struct State: ~Copyable {
        var purgatory = Purgatory()
        var waiting: [UInt64: PendingAnswer<Bool>] = [:]
        /// The moment for which the timer is set.
        var wakesAt = Int64.max
        var watch: WatermarkWatch?
        var isClosed = false
    }

    private let served: ServedStore
    private let state = Locked(State())

    /// A fetch that waits, or is about to.
    struct Held: Sendable {
        let id: UInt64
        /// True when something may be there, false when nothing more will come.
        let woken: PendingAnswer<Bool>
    }

    init(_ served: ServedStore) {
        self.served = served
        let watch = WatermarkWatch(
            served, onAdvance: { [weak self] number in self?.advanced(number) },
            // From within `watch`, perhaps, with the lock held.
            onClose: { [weak self] in Task.detached { self?.close() } })
        state.withLock { $0.watch = watch }
    }

    /// Waits for the partitions from now on, until a moment of the monotonic clock.
    func hold(_ numbers: [Int], until deadline: Int64) -> Held {
        let woken = PendingAnswer<Bool>()
        let (id, timer) = state.withLock { state -> (UInt64, Int64?) in
            let (id, toWatch) = state.purgatory.hold(numbers, until: deadline)
            guard !state.isClosed else {
                state.purgatory.release(id)
                woken.give(false)
                return (id, nil)
            }
            state.waiting[id] = woken
            if !toWatch.isEmpty { state.watch?.watch(toWatch) }
            guard deadline < state.wakesAt else { return (id, nil) }
            state.wakesAt = deadline
            return (id, deadline)
        }
        if let timer { schedule(timer) }
        return Held(id: id, woken: woken)
    }

    /// Whoever held it has what he wants.
    func release(_ held: Held) {
        state.withLock { state in
            state.purgatory.release(held.id)
            state.waiting[held.id] = nil
        }
    }

    private func schedule(_ moment: Int64) {
        served.schedule(at: moment) { [weak self] in self?.expire(moment) }
    }

    private func expire(_ moment: Int64) {
        let (woken, next) = state.withLock { state -> ([PendingAnswer<Bool>], Int64?) in
            let due = state.purgatory.expire(now: Instant.monotonicNow)
            let woken = due.compactMap { state.waiting.removeValue(forKey: $0) }
            guard state.wakesAt == moment else { return (woken, nil) }
            let next = state.purgatory.nextDeadline
            state.wakesAt = next ?? .max
            return (woken, next)
        }
        for answer in woken { answer.give(true) }
        if let next { schedule(next) }
    }

    private func advanced(_ number: Int) {
        let woken = state.withLock { state in
            let (ids, unwatch) = state.purgatory.advanced(number)
            if unwatch { state.watch?.unwatch([number]) }
            return ids.compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for answer in woken { answer.give(true) }
    }

    private func close() {
        let woken = state.withLock { state in
            state.isClosed = true
            return state.purgatory.wakeAll().compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for answer in woken { answer.give(false) }
    }
}
