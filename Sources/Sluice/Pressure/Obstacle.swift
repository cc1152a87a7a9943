// Why a producer cannot begin a batch now, and when asking again may help.

import SluiceCore
import SluiceLog

struct Obstacle: Sendable {
    var reason: Busy.Reason
    /// On the monotonic clock; `.max`: when an answer to something outstanding makes room.
    var retryAt: Int64
    /// The policy is to tell the caller, not to keep it waiting.
    var isFinal: Bool
    /// It is not the store's budget that is used up but the file system.
    var isFileSystem = false
}

/// What a gate says to a producer that begins a batch.
enum GateAnswer {
    /// What was paid, bytes; `settle` is to be told what the batch came to.
    case admit(paid: Double)
    case blocked(Obstacle)
}

extension Busy.Reason {
    /// What a ruling says to a producer that it holds up.
    init(_ ruling: PressureRuling, _ disk: DiskObservation?) {
        switch ruling.cause {
        case .disk:
            self = .disk(usedBytes: disk?.usedBytes ?? 0, limitBytes: disk?.limitBytes ?? 0)
        case .lag(let group):
            self = .lag(
                group: group, unreadBytes: Int64(nearest: ruling.waitingBytes),
                targetBytes: Int64(nearest: ruling.targetBytes))
        }
    }
}
