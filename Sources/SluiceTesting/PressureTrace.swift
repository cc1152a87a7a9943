// What happens to a store in a simulation of back pressure: who sends, who reads, how large the disk is.

package import SluiceCore

/// The circumstances of one run. Everything is drawn, or written down, before it begins.
package struct PressureTrace: Sendable {
    /// Bytes per second from each moment on; seconds.
    package typealias Steps = [(from: Double, bytesPerSecond: Double)]

    /// A program that sends.
    package struct Producer: Sendable {
        package var topic = 0
        package var weight = 1
        package var policy = PressurePolicy.throttle
        /// Bytes of a batch, as stored.
        package var batchBytes = 65_536
        /// What it would like to send.
        package var offered: Steps
        package init(offered: Double) { self.offered = [(0, offered)] }
    }

    /// A group that reads a topic.
    package struct Group: Sendable {
        package var topic = 0
        package var name = "group"
        /// What it can read.
        package var drain: Steps
        package var commitSeconds = 5.0
        /// Its members are in this process: where they are is known between commits.
        package var tells = true
        /// What was handed out to its members is known, when they do not tell.
        package var isServed = true
        /// What its members have in hand besides, bytes.
        package var heldBytes: Int64 = 0
        /// It has no members between these moments.
        package var leavesAt = Double.infinity
        package var returnsAt = Double.infinity
        /// Bytes of the log before the run that it has not read.
        package var history = 0.0
        /// It seeks back, to the oldest record that there is, and commits that.
        package var rewindsAt = Double.infinity
        package init(drain: Steps) { self.drain = drain }
    }

    /// What lets segments go.
    package enum Retention: Sendable {
        case untilConsumed
        case time(seconds: Double)
    }

    package var seconds = 300.0
    package var producers: [Producer]
    package var groups: [Group]
    package var retention = Retention.untilConsumed
    /// H and R; a store without a bound has no disk law.
    package var limitBytes = Int64.max
    package var exemptBytes: Int64 = 0
    package var segmentBytes: Int64 = 4 << 20
    package var settings = PressureSettings()
    /// Under drop-oldest, records that are younger stay; seconds.
    package var promiseSeconds = 0.0
    /// How long a commit to the log takes, seconds.
    package var commitSeconds = 0.002
    /// Jumps of the wall clock, seconds, which ages of records are counted by.
    package var jumps: [(at: Double, seconds: Double)] = []
    /// Who decides.
    package var control = Control.law

    package enum Control: Sendable {
        case law
        /// What others do: stop above the target, go on below the soft mark.
        case onOff
    }

    package init(producers: [Producer], groups: [Group]) {
        self.producers = producers
        self.groups = groups
    }
}

extension PressureTrace.Steps {
    /// The value at a moment; 0 before the first.
    func value(at time: Double) -> Double { last { $0.from <= time }?.bytesPerSecond ?? 0 }
}
