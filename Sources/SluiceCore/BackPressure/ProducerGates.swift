// The gates in front of the log: each producer's part of the rates that the controller admits.
//
//   rate of the store ─► level over all active producers ──┐
//   rate of a topic   ─► level over the topic's producers ─┴► the lower one, times the weight ─► bucket
//
// A batch may begin while the bucket is above zero, and is paid for then with what the producer's batches
// have come to; when it is sealed the difference is settled. So a bucket goes below zero by a batch at the
// most, and over time each producer gets its rate to the byte, whatever the sizes of its records.
//
// (1) Without a bound nobody is counted, refused or delayed. (2) One who sends less than his share never
// waits: his bucket fills at his share, not at what he sends. (3) Buckets hold a tenth of a second of the
// rate, or one batch. (4) No clock: the time is a parameter, monotonic nanoseconds.

/// What a producer's policy is, in the controller's terms.
package enum PressurePolicy: Hashable, Sendable {
    /// It waits.
    case throttle
    /// What it sends is taken into a queue that the admitted rate empties in so many milliseconds; then it
    /// waits.
    case buffer(milliseconds: Int64)
    /// It is told at once.
    case reject
    /// Old records make room; it waits only for what may not go.
    case dropOldest
}

/// The answer to a producer that begins a batch.
package enum GateVerdict: Hashable, Sendable {
    /// Paid in advance, bytes: `settle` is to be told what it came to.
    case admit(paid: Double)
    /// It is to ask again after so long.
    case wait(nanoseconds: Int64)
    /// It is refused; asking again may help after so long.
    case busy(nanoseconds: Int64)
}

package struct ProducerGates: Sendable {
    struct Gate: Sendable {
        var topic: String
        var weight: Double
        var policy: PressurePolicy
        var bucket = Self.batchBytes
        var filledAt: Int64
        /// What its batches come to, stored; at first a guess, so that nobody begins any number of them.
        var expected = Self.batchBytes / 4
        var hasSent = false
        var sent = 0.0
        var wasBlocked = false
        var demand = RateAverage(windowSeconds: 1)
        var activeAt: Int64

        /// What a bucket holds at least: a batch.
        static let batchBytes = 65_536.0
    }

    var gates: [UInt32: Gate] = [:]
    private var next: UInt32 = 0
    /// By unit of weight; nil: no bound.
    private var storeLevel: Double?
    private var topicLevels: [String: Double] = [:]
    private var retries: [String: Double] = [:]
    private var storeRetry = 0.0
    private var ratedAt: Int64?
    /// Whether anybody was held up since the rates were set.
    package internal(set) var hasHeldUp = false

    package init() {}

    /// Whether anybody may have to wait.
    package var isBounded: Bool { storeLevel != nil || !topicLevels.isEmpty }

    /// A new producer. Its weight is 1 to 100.
    package mutating func add(
        topic: String, weight: Int, policy: PressurePolicy, now: Int64
    ) -> UInt32 {
        next += 1
        gates[next] = Gate(
            topic: topic, weight: Double(max(weight, 1)), policy: policy, filledAt: now, activeAt: .min)
        return next
    }

    package mutating func remove(_ id: UInt32) { gates[id] = nil }

    /// The topic's settings have changed, for producers that have none of their own.
    package mutating func setPolicy(_ id: UInt32, _ policy: PressurePolicy) { gates[id]?.policy = policy }

    package func policy(of id: UInt32) -> PressurePolicy? { gates[id]?.policy }

    /// Whether what the producer sends goes through its queue at present.
    package func isPaced(_ id: UInt32) -> Bool {
        guard case .buffer? = gates[id]?.policy else { return false }
        return rate(of: id) != nil
    }

    // MARK: Shares

    /// Takes the controller's rates, and shares them among those who are there.
    package mutating func setRates(_ output: PressureOutput, now: Int64) {
        let seconds = ratedAt.map { Double(max(0, now - $0)) / 1e9 } ?? 0
        ratedAt = now
        hasHeldUp = false
        for id in gates.keys { fill(id, now) }
        var claims: [(id: UInt32, topic: String, claim: ShareClaim)] = []
        for (id, gate) in gates {
            gates[id]?.demand.add(bytes: gate.sent, seconds: seconds)
            gates[id]?.sent = 0
            gates[id]?.wasBlocked = false
            guard gate.activeAt > now - Self.idleNanoseconds else { continue }
            let demand = gate.wasBlocked ? .infinity : 1.25 * (gates[id]?.demand.bytesPerSecond ?? 0)
            claims.append((id, gate.topic, ShareClaim(weight: gate.weight, demand: demand)))
        }
        topicLevels = [:]
        retries = [:]
        for (topic, ruling) in output.topics {
            guard let rate = ruling.rate else { continue }
            let own = claims.filter { $0.topic == topic }.map(\.claim)
            topicLevels[topic] = FairShare.level(of: rate, among: own)
            retries[topic] = ruling.retryAfterSeconds
        }
        storeRetry = output.disk.retryAfterSeconds
        storeLevel = output.disk.rate.map { rate in
            // Nobody can claim of the store what his topic does not let him have.
            let bounded = claims.map { entry in
                let cap = topicLevels[entry.topic].map { $0 * entry.claim.weight } ?? .infinity
                return ShareClaim(weight: entry.claim.weight, demand: min(entry.claim.demand, cap))
            }
            return FairShare.level(of: rate, among: bounded)
        }
    }

    /// Who has not asked for so long is not shared with.
    private static let idleNanoseconds: Int64 = 1_000_000_000

    /// Bytes per second that a producer may send; nil: as many as it likes.
    package func rate(of id: UInt32) -> Double? {
        guard let gate = gates[id] else { return nil }
        let level = [storeLevel, topicLevels[gate.topic]].compactMap { $0 }.min()
        return level.map { $0 * gate.weight }
    }

    // MARK: Batches

    /// A producer begins a batch.
    ///
    /// - Parameter queued: bytes that it has in its queue: accepted under `buffer`, and not sent.
    package mutating func begin(_ id: UInt32, queued: Int = 0, now: Int64) -> GateVerdict {
        guard var gate = gates[id] else { return .admit(paid: 0) }
        defer { gates[id] = gate }
        gate.activeAt = now
        guard let rate = rate(of: id) else { return .admit(paid: 0) }
        if case .buffer(let milliseconds) = gate.policy {
            let room = max(rate * Double(milliseconds) / 1000, Gate.batchBytes)
            // One batch is taken however large it is: it could never begin else.
            if queued == 0 || Double(queued) + gate.expected <= room { return .admit(paid: 0) }
            gate.wasBlocked = true
            hasHeldUp = true
            return .wait(nanoseconds: nanoseconds(Double(queued) + gate.expected - room, rate, gate.topic))
        }
        Self.fill(&gate, rate, now)
        if gate.bucket > 0, rate > 0 {
            gate.bucket -= gate.expected
            return .admit(paid: gate.expected)
        }
        gate.wasBlocked = true
        hasHeldUp = true
        let wait = nanoseconds(1 - gate.bucket, rate, gate.topic)
        return gate.policy == .reject ? .busy(nanoseconds: wait) : .wait(nanoseconds: wait)
    }

    /// A batch that was begun has been sealed: what it came to, 0 when it was given up. One that was not paid
    /// for, since there was no bound, costs nothing now either.
    package mutating func settle(_ id: UInt32, paid: Double, bytes: Int, now: Int64) {
        guard var gate = gates[id] else { return }
        if paid > 0 { gate.bucket += paid - Double(bytes) }
        note(bytes, &gate)
        gates[id] = gate
    }

    /// Under `buffer`: the next batch of the queue wants to go. nil: it goes; else after so long.
    package mutating func send(_ id: UInt32, bytes: Int, now: Int64) -> Int64? {
        guard var gate = gates[id] else { return nil }
        defer { gates[id] = gate }
        gate.activeAt = now
        if let rate = rate(of: id) {
            Self.fill(&gate, rate, now)
            guard gate.bucket > 0, rate > 0 else {
                gate.wasBlocked = true
                hasHeldUp = true
                return nanoseconds(1 - gate.bucket, rate, gate.topic)
            }
            gate.bucket -= Double(bytes)
        }
        note(bytes, &gate)
        return nil
    }

    func note(_ bytes: Int, _ gate: inout Gate) {
        gate.sent += Double(bytes)
        guard bytes > 0 else { return }
        gate.expected = gate.hasSent ? (3 * gate.expected + Double(bytes)) / 4 : Double(bytes)
        gate.hasSent = true
    }

    /// How long until so many bytes are there: at most until the rates are likely to be others.
    func nanoseconds(_ bytes: Double, _ rate: Double, _ topic: String) -> Int64 {
        let retry = max(storeRetry, retries[topic] ?? 0)
        let seconds = rate > 0 ? min(bytes / rate, 10) : max(retry, PressureController.tickSeconds)
        return max(Self.leastWaitNanoseconds, Int64(nearest: seconds * 1e9))
    }

    /// To be woken costs more than a batch: at 60 MB/s of batches of 16 KiB it took 3 % of a core, when each
    /// was waited for. A bucket holds what comes in far longer.
    private static let leastWaitNanoseconds: Int64 = 5_000_000

    private mutating func fill(_ id: UInt32, _ now: Int64) {
        guard var gate = gates[id] else { return }
        Self.fill(&gate, rate(of: id), now)
        gates[id] = gate
    }

    static func fill(_ gate: inout Gate, _ rate: Double?, _ now: Int64) {
        let seconds = Double(max(0, now - gate.filledAt)) / 1e9
        gate.filledAt = max(gate.filledAt, now)
        guard let rate else {
            gate.bucket = Gate.batchBytes
            return
        }
        gate.bucket = min(gate.bucket + rate * seconds, max(Gate.batchBytes, rate * burstSeconds))
    }

    /// What a bucket holds of its rate.
    private static let burstSeconds = 0.1
}
