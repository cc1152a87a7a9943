// What can go wrong with tasks.

public import Sluice
import SluiceCore

/// Why a call about tasks failed. `description` says what happened and what to do.
@nonexhaustive
public enum TaskError: Error, Hashable, Sendable {
    /// The store said no, or could not.
    case stream(StreamError)
    /// The store has no queue of this name: nobody has published to it yet.
    case unknownQueue(String)
    /// There is no such task: it never was, or its retention is over.
    case unknownTask(TaskID)
    /// The text is no task's id.
    case illegalID(String)
    /// The lease is over: another may have the task, or it was cancelled. Stop working on it.
    case leaseLost(TaskID)
    /// The message is another's, or may be: its visibility time-out is over, its group was moved, or what was
    /// said of it could not be stored. Stop working on it.
    case messageLost(TopicPartition, offset: Offset)
    /// The group has consumers as members, which commit for it: one or the other.
    case groupHasConsumers(String)
    /// An option, a name or a span has a value that cannot be. `reason` is a sentence without its full stop.
    case illegal(reason: String)
    /// The text is no cron line. `column` is where, from 1; `reason` a sentence without its full stop.
    case illegalCron(line: String, column: Int, reason: String)
    /// The system's database of time zones has none of this name.
    case unknownZone(String)
    /// What happened to the task does not allow that: it is in this state.
    case notPossible(TaskState)
    /// A payload or a result is larger than one may be.
    case tooLarge(bytes: Int, limit: Int)
    /// The queue has as many tasks as one may have.
    case queueFull(limit: Int)
    /// A payload or a result is not what the type says. `reason` is the coder's.
    case coding(type: String, reason: String)
    /// The task ended otherwise than well: there is no result.
    case ended(TaskStatus)
    /// The result did not come in time; the task itself goes on.
    case timedOut
    /// The caller was cancelled; what had been asked for may have been done.
    case cancelled
    /// The process has not joined the queue, or the connection by which it had is over.
    case unknownWorker
    /// No process answers that has the store open, which is its directory here.
    case unreachable(store: String)
    /// The process that has the store open says no: `code` is the name of its error.
    case refused(code: String, message: String)
}

extension TaskError {
    /// The name of the case: what a program goes by that asks through the control socket.
    var code: String {
        if case .stream(let error) = self { return error.code }
        if case .refused(let code, _) = self { return code }
        if let label = Mirror(reflecting: self).children.first?.label { return label }
        return self == .timedOut ? "timedOut" : self == .unknownWorker ? "unknownWorker" : "cancelled"
    }
}

extension TaskError: CustomStringConvertible {
    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .stream(let error): error.description
        case .unknownQueue(let name):
            "There is no queue \"\(name)\" in this store: it is made by who publishes to it, or works on it."
        case .unknownTask(let id):
            "There is no task \(id): it never was, or it was removed after its retention."
        case .illegalID(let text): "\"\(text)\" is no task's id: that is 22 letters, digits, '-' and '_'."
        case .leaseLost(let id):
            "The lease of task \(id) is over, and another may have it: stop working on it."
        case .messageLost(let place, let offset):
            "The message at offset \(offset.rawValue) of \(place) is not held any more, and another may have it: "
                + "stop working on it."
        case .groupHasConsumers(let group):
            "The group \"\(group)\" has consumers as members: close them, or give the messages to another group."
        case .illegal(let reason): reason + "."
        case .illegalCron(let line, let column, let reason):
            "\"\(line)\" is no cron line: \(reason), at character \(column)."
        case .unknownZone(let name):
            "There is no time zone \"\(name)\" in /usr/share/zoneinfo, or where TZDIR says."
        case .notPossible(let state): "The task is \(state): that cannot be done with it now."
        case .tooLarge(let bytes, let limit):
            "\(bytes) bytes are more than the \(limit) of a payload or a result: keep them elsewhere, "
                + "and pass where they are."
        case .queueFull(let limit): "The queue has \(limit) tasks, and may have no more: wait, or purge some."
        case .coding(let type, let reason): "The bytes are no \(type): \(reason)"
        case .ended(let status):
            "The task is \(status.state)" + (status.lastError.map { ": \($0)" } ?? "") + "."
        case .timedOut: "The result did not come in time; the task goes on."
        case .unknownWorker: "The worker has not joined the queue, or its connection is over."
        case .unreachable(let store):
            "Nobody answers who has the store \(store) open: the program has ended, or has no control.sock."
        case .refused(_, let message): message
        case .cancelled: "The caller was cancelled; what it had asked for may have been done."
        }
    }

    init(_ refusal: TaskRefusal, _ id: TaskID?) {
        self =
            switch refusal {
            case .unknownPredecessor(let task): .unknownTask(TaskID(task))
            case .unknownTask: .unknownTask(id ?? TaskID(TaskIdentity(sequence: 0, nonce: 0)))
            case .leaseLost: .leaseLost(id ?? TaskID(TaskIdentity(sequence: 0, nonce: 0)))
            case .notPossible(_, let state): .notPossible(state)
            case .illegal(let reason): .illegal(reason: reason)
            case .tooLarge(let bytes, let limit): .tooLarge(bytes: bytes, limit: limit)
            case .queueFull(let limit): .queueFull(limit: limit)
            }
    }
}
