// What one connection may do, and in which order it is answered: a state machine without I/O.
//
//   requests ─► slots, in their order ─► answered in any order ─► written in the order of the slots
//
// (1) Answers go out in the order of the requests, whoever is done first; a request without an answer
// (acks 0) only gives up its slot. (2) At most `requestsInFlight` slots are open; beyond it nothing is read.
// (3) Nothing is read either while the peer does not take what is written, while it is throttled, and once
// the end has begun. (4) After `close` nothing is taken and nothing comes out. (5) Time is a parameter. (6) A
// slow line is no reason to end: that in a whole time-out less than `progressBytes` went over it, and not all
// that there was, is one.

/// The order of one connection. `Frame` is what is written for a request.
struct ConnectionProtocol<Frame: Sendable>: Sendable {
    /// What a request came to.
    enum Outcome: Sendable {
        case frame(Frame)
        /// The connection ends behind it.
        case last(Frame)
        /// The client waits for nothing.
        case nothing
        /// The connection ends there; what is in front of it is still written.
        case close
    }

    /// What is to be done.
    enum Effect: Sendable {
        case write(Frame)
        /// All that was written goes out, then the connection ends.
        case close(CloseReason)
    }

    private enum Slot {
        case open
        case answered(Outcome)

        var isAnswered: Bool { if case .answered = self { true } else { false } }
    }

    private let limits: ConnectionLimits
    private var slots: [Slot] = []
    /// The number of the first slot.
    private var first = 0
    /// Nanoseconds of the monotonic clock.
    private var mutedUntil = Int64.min
    private var lastHeard: Int64
    /// Bytes that wait for the peer to take them; nil while none do.
    private var outgoing: Stretch?
    /// A frame that is arriving; nil between two.
    private var incoming: Stretch?

    /// A time in which bytes should go over the line, and how many had when it began.
    private struct Stretch {
        var since: Int64
        var bytes: Int

        /// Whether enough went over since; then another begins.
        mutating func goesOn(_ now: Int64, _ bytes: Int) -> Bool {
            guard bytes - self.bytes >= ConnectionLimits.progressBytes else { return false }
            self = Stretch(since: now, bytes: bytes)
            return true
        }
    }
    private(set) var isClosed = false
    private var isDraining = false

    init(_ limits: ConnectionLimits, now: Int64) {
        self.limits = limits
        lastHeard = now
    }

    /// Whether another request may be taken in now.
    func mayRead(now: Int64) -> Bool {
        !isClosed && !isDraining && outgoing == nil && slots.count < limits.requestsInFlight
            && now >= mutedUntil
    }

    /// When reading may go on by itself; nil when something else has to happen first, or nothing.
    func readsAgain(now: Int64) -> Int64? { mutedUntil > now && !isClosed ? mutedUntil : nil }

    /// Requests that have no answer yet.
    var inFlight: Int { slots.count }

    // MARK: What happens

    /// A request is there. Returns the number of its slot.
    mutating func received(now: Int64) -> Int {
        lastHeard = now
        incoming = nil
        slots.append(.open)
        return first + slots.count - 1
    }

    /// So many bytes of a frame are there, and not all of it.
    mutating func receivedPart(_ bytes: Int, now: Int64) {
        if incoming?.goesOn(now, bytes) == nil { incoming = Stretch(since: now, bytes: bytes) }
    }

    /// A request has been dealt with: what can go out now.
    mutating func answered(_ slot: Int, _ outcome: Outcome) -> [Effect] {
        let index = slot - first
        guard !isClosed, slots.indices.contains(index), case .open = slots[index] else { return [] }
        slots[index] = .answered(outcome)
        var effects: [Effect] = []
        var done = 0
        for case .answered(let outcome) in slots.prefix(while: \.isAnswered) {
            done += 1
            switch outcome {
            case .frame(let frame): effects.append(.write(frame))
            case .nothing: break
            case .last(let frame):
                isClosed = true
                effects += [.write(frame), .close(.refused)]
            case .close:
                isClosed = true
                effects.append(.close(.refused))
            }
            if isClosed { break }
        }
        slots.removeFirst(done)
        first += done
        if isDraining, slots.isEmpty, !isClosed {
            isClosed = true
            effects.append(.close(.shutdown))
        }
        return effects
    }

    /// The client is to send nothing for a while.
    mutating func mute(until moment: Int64) { mutedUntil = max(mutedUntil, moment) }

    /// Whether the peer takes what is written.
    ///
    /// - Parameter taken: how many bytes it has, of all that were ever written.
    mutating func writabilityChanged(_ isWritable: Bool, taken: Int, now: Int64) {
        outgoing = isWritable ? nil : outgoing ?? Stretch(since: now, bytes: taken)
    }

    /// The server ends: no more requests; those that are under way are answered first.
    mutating func drain() -> [Effect] {
        guard !isClosed, !isDraining else { return [] }
        isDraining = true
        guard slots.isEmpty else { return [] }
        isClosed = true
        return [.close(.shutdown)]
    }

    /// The connection is over, whoever ended it.
    mutating func close() { isClosed = true }

    /// To be called now and then: why the connection is to end.
    ///
    /// - Parameters:
    ///   - taken: as in `writabilityChanged`.
    ///   - mayRead: whether there is room for what the peer sends.
    mutating func tick(taken: Int, mayRead: Bool = true, now: Int64) -> CloseReason? {
        guard !isClosed else { return nil }
        // What nobody reads cannot arrive.
        if !mayRead || !self.mayRead(now: now) { incoming?.since = now }
        let reason: CloseReason?
        if outgoing?.goesOn(now, taken) == false, isStalled(outgoing, now) {
            reason = .slowReader
        } else if isStalled(incoming, now) {
            reason = .slowSender
        } else if slots.isEmpty, incoming == nil, now - lastHeard > limits.idleNanoseconds {
            reason = .idle
        } else {
            reason = nil
        }
        if reason != nil { isClosed = true }
        return reason
    }

    private func isStalled(_ stretch: Stretch?, _ now: Int64) -> Bool {
        stretch.map { now - $0.since > limits.stalledNanoseconds } ?? false
    }
}

/// Why the server ends a connection.
enum CloseReason: String, Sendable, Hashable, CaseIterable {
    /// What a client sent cannot be read, or it asked for something without an answer.
    case refused
    /// Bytes that are no request.
    case malformed
    /// It was not encrypted in time, or not so that it can be read.
    case handshake
    /// It did not say in time who it is.
    case unauthenticated
    /// It did not take its answers.
    case slowReader
    /// A request did not arrive to its end.
    case slowSender
    /// It was silent.
    case idle
    /// The server ends.
    case shutdown
}

/// What one connection may take.
struct ConnectionLimits: Sendable {
    /// Requests without an answer; Kafka's clients have 5 under way, librdkafka at most some dozens.
    var requestsInFlight = 64
    /// How long a frame may be on its way in, and answers on their way out, or `progressBytes` of them.
    var stalledNanoseconds: Int64 = 30_000_000_000
    /// What has to go over a line while it is not all: in 30 s what 280 kbit/s take.
    static let progressBytes = 1 << 20
    /// Kafka: connections.max.idle.ms.
    var idleNanoseconds: Int64 = 600_000_000_000
}
