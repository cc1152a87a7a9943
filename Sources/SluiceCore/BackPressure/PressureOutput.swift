// What the controller says: how fast, why, and what is to be done.

/// The outcome of one step.
package struct PressureOutput: Hashable, Sendable {
    /// For all producers of the store together: the disk.
    package var disk: PressureRuling
    /// What retention, groups by their next commit, and drop-oldest may free: x of the disk is without it.
    package var freeableBytes: Int64
    /// For the producers of a topic together: the slowest of its groups; none while no group gates.
    package var topics: [String: PressureRuling]
    /// What there is to say of each group that may gate.
    package var groups: [String: [GroupStanding]]
    /// Retention is to free at once what it may.
    package var relieves: Bool
    /// Groups whose members in this process are to commit what they have processed.
    package var commitSoon: Set<String>
    /// How much drop-oldest is to remove, by topic, bytes.
    package var drops: [String: Int64]
    /// When the next step is due, seconds; nil: not before `lookAfterBytes` have been admitted.
    package var nextStepSeconds: Double?
    package var lookAfterBytes: Int64
    /// When the disk will be full at the present rates, seconds; nil: not in sight.
    package var diskFullSeconds: Double?
}

/// What limits producers, and by how much.
package struct PressureRuling: Hashable, Sendable {
    package enum Regime: String, Hashable, Sendable {
        /// Below the soft mark: no bound.
        case open
        /// Something drains: the law.
        case draining
        /// Nothing does: no bound up to the target, then what the policy says.
        case stalled
        /// What has been consumed is not known: the floor.
        case stale
    }

    package enum Cause: Hashable, Sendable {
        case disk
        case lag(group: String)
    }

    package var cause: Cause
    package var regime: Regime
    /// Bytes per second; nil: no bound; 0: none at present.
    package var rate: Double?
    /// x, S, X*, and for the disk H without its exempt part.
    package var waitingBytes: Double
    package var softBytes: Double
    package var targetBytes: Double
    package var hardBytes: Double?
    /// μ̂, bytes per second.
    package var drainBytesPerSecond: Double
    /// k, per second.
    package var gain: Double
    /// θ̂.
    package var deadTimeSeconds: Double
    /// When asking again may help, seconds.
    package var retryAfterSeconds: Double
}

/// A group that may gate a topic.
package struct GroupStanding: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable {
        case gates
        /// It has not read up to the present yet, or not again since a seek.
        case catchingUp = "catching up"
        /// Neither members nor commits for too long.
        case abandoned
        /// Never seen.
        case unknown
    }
    package var name: String
    package var role: Role
    package var unreadBytes: Double
    package var drainBytesPerSecond: Double
    package var silentSeconds: Double
}
