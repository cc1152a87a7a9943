// Who asks through the socket, and what layers above the store answer there.
//
// (1) A peer is there as long as its connection: what somebody has by it ends with it. (2) When the store is
// closed, or dropped, no peer has ended: it may come back to the next who opens the store. (3) An action runs
// once, on the socket's thread, and is short.

package import SluiceCore

/// A connection, as those see it who answer its requests.
package final class ControlPeer: Sendable {
    private struct State {
        var hasEnded = false
        var next = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }
    private let state = Locked(State())
    /// The member of a group that it is.
    let member = Locked<ControlMember?>(nil)

    /// Somebody who may ask.
    package init() {}

    /// Has something done when the connection ends: at once if it has. Returns what `forget` takes.
    @discardableResult
    package func whenEnded(_ action: @escaping @Sendable () -> Void) -> Int {
        let (number, isLate) = state.withLock { state in
            state.next += 1
            if !state.hasEnded { state.actions[state.next] = action }
            return (state.next, state.hasEnded)
        }
        if isLate { action() }
        return number
    }

    /// What was to be done at the end is not to be done any more.
    package func forget(_ number: Int) { state.withLock { $0.actions[number] = nil } }

    /// Whether somebody has something by it: it may be silent for as long as that lasts.
    var isHolding: Bool { state.withLock { !$0.actions.isEmpty } }

    /// The connection has ended.
    package func end() {
        let actions = state.withLock { state in
            defer { state.actions = [:] }
            state.hasEnded = true
            return state.actions.sorted { $0.key < $1.key }.map(\.value)
        }
        for action in actions { action() }
    }
}

/// Answers one kind of request for a layer above the store. Throws what is told by `ControlFailure`.
package typealias ControlService = @Sendable (StreamStore, JSONValue, ControlPeer) async throws -> JSONValue

extension ServedStore {
    /// Has requests of these names answered, as long as the store is open. The last who says so counts.
    package func answer(_ services: [String: ControlService]) {
        store.services.withLock { $0.merge(services) { $1 } }
    }
}
