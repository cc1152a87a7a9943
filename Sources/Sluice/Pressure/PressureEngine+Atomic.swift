// Atomic writes at the gates: they wait as producers do, each topic's part at a gate of its own.

import CoreMetrics
import SluiceCore
import SluiceLog

/// How long an atomic write has been waiting.
struct AtomicWait {
    var deadline: Int64?
    /// Topics whose gates have let it through, and what was paid.
    var paid: [String: Double] = [:]
}

extension PressureEngine {
    /// Lets an atomic write through, with its room on the disk reserved. nil: it may go; else what to wait
    /// for before asking again.
    ///
    /// Commits need no permission. Throws `busy` when the policy is to fail fast, and after a minute.
    func admit(_ write: inout AtomicWrite, _ wait: inout AtomicWait) throws(StreamError) -> Waiter<Void>? {
        let sizes = write.sizes.sorted { $0.key < $1.key }
        guard let first = sizes.first?.key else { return nil }
        for (topic, _) in sizes where wait.paid[topic] == nil {
            switch begin(atomicGate(topic), topic) {
            case .admit(let paid): wait.paid[topic] = paid
            case .blocked(let obstacle): return try waiter(obstacle, topic, &wait)
            }
        }
        let bytes = sizes.reduce(0) { $0 + $1.value }
        if let obstacle = reserve(bytes, atomicGate(first), first) {
            return try waiter(obstacle, first, &wait)
        }
        write.noteReserved()
        noteAdmitted(bytes)
        for (topic, bytes) in sizes {
            settle(atomicGate(topic), paid: wait.paid[topic] ?? 0, bytes: bytes)
        }
        return nil
    }

    private func waiter(
        _ obstacle: Obstacle, _ topic: String, _ wait: inout AtomicWait
    ) throws(StreamError) -> Waiter<Void> {
        let now = Instant.monotonicNow
        let deadline = wait.deadline ?? now + Self.longestWaitNanoseconds
        wait.deadline = deadline
        guard now < deadline, !obstacle.isFinal else {
            for (topic, paid) in wait.paid { settle(atomicGate(topic), paid: paid, bytes: 0) }
            TopicMetrics(topic: topic).rejected.increment()
            if obstacle.isFileSystem { throw .noSpace(path: engine.path) }
            throw .busy(
                Busy(
                    topic: topic, retryAfter: .nanoseconds(obstacle.retryAt - now), reason: obstacle.reason))
        }
        let waiter = Waiter<Void>()
        engine.schedule(at: min(deadline, obstacle.retryAt, now + Self.pollNanoseconds)) {
            waiter.resume(.success(()))
        }
        return waiter
    }

    /// As long as a producer's default.
    private static let longestWaitNanoseconds: Int64 = 60_000_000_000
    /// The rates may be others at the next look.
    private static let pollNanoseconds: Int64 = 100_000_000

    private func atomicGate(_ topic: String) -> UInt32 {
        state.withLock { state in
            if let gate = state.atomicGates[topic] { return gate }
            let policy = state.catalogue.first { $0.name == topic }?.settings.pressurePolicy ?? .throttle
            let gate = state.gates.add(topic: topic, weight: 1, policy: policy, now: Instant.monotonicNow)
            state.atomicGates[topic] = gate
            return gate
        }
    }
}
