// A budget of memory that tasks wait for.

import Sluice

/// `MemoryBudget` with those who wait.
final class SharedBudget: Sendable {
    private struct State: Sendable {
        var budget: MemoryBudget
        var next: UInt64 = 0
        var waiting: [UInt64: @Sendable (Bool) -> Void] = [:]
    }

    private let state: Locked<State>

    init(limit: Int) { state = Locked(State(budget: MemoryBudget(limit: limit))) }

    var used: Int { state.withLock { $0.budget.used } }

    /// Takes the bytes: nil when they are there. Else the number to give it up by, and `granted` is called
    /// with true when they are, or with false after `cancel`.
    func take(_ bytes: Int, orLater granted: @escaping @Sendable (Bool) -> Void) -> UInt64? {
        state.withLock { state in
            state.next += 1
            if state.budget.take(bytes, ticket: state.next) { return nil }
            state.waiting[state.next] = granted
            return state.next
        }
    }

    /// Waits for the bytes; false when the task is cancelled before they are there.
    nonisolated(nonsending) func take(_ bytes: Int) async -> Bool {
        let ticket = Locked<(id: UInt64?, isCancelled: Bool)>((nil, false))
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard let id = take(bytes, orLater: { continuation.resume(returning: $0) }) else {
                    return continuation.resume(returning: true)
                }
                let isCancelled = ticket.withLock { ticket in
                    ticket.id = id
                    return ticket.isCancelled
                }
                if isCancelled { cancel(id) }
            }
        } onCancel: {
            let id = ticket.withLock { ticket in
                ticket.isCancelled = true
                return ticket.id
            }
            if let id { cancel(id) }
        }
    }

    func giveBack(_ bytes: Int) {
        let granted = state.withLock { state in
            state.budget.giveBack(bytes).compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for grant in granted { grant(true) }
    }

    /// Who waits under that number waits no more; nothing happens when it was granted.
    func cancel(_ ticket: UInt64) {
        let (own, granted) = state.withLock { state in
            let own = state.waiting.removeValue(forKey: ticket)
            guard own != nil else { return (own, [@Sendable (Bool) -> Void]()) }
            return (own, state.budget.cancel(ticket).compactMap { state.waiting.removeValue(forKey: $0) })
        }
        own?(false)
        for grant in granted { grant(true) }
    }
}
