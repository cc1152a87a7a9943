// The states of a task and the one table of what leads from which to which.
//
//   waiting ─proceed─► scheduled ─due─► available ─lease─► leased ─complete─► succeeded
//                                           ▲                ├─retry─► retrying ─due─► available
//                                           └─redrive─ dead ◄┴─exhaust, reject
//
// (1) Whoever changes a state asks `after`: what is not in the table does not happen. (2) A state's number is
// in the log: none is ever given another meaning.

/// Where a task stands.
public enum TaskState: UInt8, Sendable, CaseIterable {
    /// Its time has not come.
    case scheduled = 0
    /// Whoever leases next may get it.
    case available = 1
    /// A worker has it.
    case leased = 2
    /// An attempt failed; the next has its time.
    case retrying = 3
    /// Done.
    case succeeded = 4
    /// Given up: in the dead-letter queue.
    case dead = 5
    /// Wanted no more.
    case cancelled = 6
    /// Its time to begin went by.
    case expired = 7
    /// Those that it runs after have not all ended.
    case waiting = 8

    /// Whether nothing more happens by itself.
    public var isFinal: Bool {
        switch self {
        case .waiting, .scheduled, .available, .leased, .retrying: false
        case .succeeded, .dead, .cancelled, .expired: true
        }
    }

    /// What a task in this state becomes; nil when that cannot happen to it.
    package func after(_ event: TaskEvent) -> TaskState? {
        for transition in Self.transitions where transition.event == event {
            if transition.from.contains(self) { return transition.to }
        }
        return nil
    }

    /// A row of the table.
    package struct Transition: Sendable {
        /// What happens.
        package var event: TaskEvent
        /// To a task in one of these states.
        package var from: [TaskState]
        /// What it becomes.
        package var to: TaskState
    }

    /// All that can happen.
    package static let transitions: [Transition] = [
        Transition(event: .wait, from: [.scheduled, .available], to: .waiting),
        Transition(event: .proceed, from: [.waiting], to: .scheduled),
        Transition(event: .due, from: [.scheduled, .retrying], to: .available),
        Transition(event: .lease, from: [.available], to: .leased),
        Transition(event: .complete, from: [.leased], to: .succeeded),
        Transition(event: .retry, from: [.leased], to: .retrying),
        Transition(event: .exhaust, from: [.leased], to: .dead),
        Transition(event: .reject, from: [.leased], to: .dead),
        Transition(event: .release, from: [.leased], to: .available),
        Transition(event: .postpone, from: [.leased], to: .scheduled),
        Transition(
            event: .cancel, from: [.waiting, .scheduled, .available, .leased, .retrying], to: .cancelled),
        Transition(event: .expire, from: [.waiting, .scheduled, .available, .retrying], to: .expired),
        Transition(event: .redrive, from: [.dead, .cancelled, .expired], to: .available),
        Transition(event: .hurry, from: [.scheduled, .retrying], to: .available),
    ]
}

/// What happens to a task.
package enum TaskEvent: String, Sendable, CaseIterable {
    case wait, proceed, due, lease, complete, retry, exhaust, reject, release, postpone, cancel, expire,
        redrive, hurry
}
