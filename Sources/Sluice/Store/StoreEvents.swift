// What a program may want to know of its store without asking: as a sequence that never fails and never
// holds anything up.
//
// (1) One ring of the newest events for all who listen; each has his own place in it. (2) Who is too slow
// misses the oldest, and is told how many. (3) Events from the opening on are there for who listens later.

import SluiceLog
import Synchronization

/// Something that happened to a store by itself.
public enum StoreEvent: Sendable, Hashable {
    /// Opening found this: a torn tail that was cut, damage, an index that was rebuilt …
    case recovered(RecoveryFinding)
    /// Records cannot be read: their bytes are not what was written.
    case recordsUnreadable(file: String, position: Int64, reason: String)
    /// All sealed segments have been read again and held against their checksums: so many, `damaged` of which
    /// are not what was sealed. Of each of those `recordsUnreadable` has told.
    case scrubbed(segments: Int, bytes: Int64, damaged: Int)
    /// A call failed in a way that ends writing to this partition until the store is opened again.
    case partitionStopped(TopicPartition, reason: String)
    /// A call failed in a way that ends all writing until the store is opened again.
    case storeStopped(reason: String)
    /// Retention deleted whole segments.
    case segmentsDeleted(TopicPartition, count: Int, bytes: Int64)
    /// Records were dropped for want of room on the disk, although somebody may have wanted them: so many,
    /// the oldest of their partition.
    case recordsDropped(TopicPartition, records: Int64, bytes: Int64)
    /// A group has not read for so long that it no longer keeps records from being deleted.
    case groupAbandoned(group: String, topic: String)
    /// Records were deleted that a group had not read: so many.
    case lostUnread(group: String, TopicPartition, records: Int64)
    /// What groups had committed could not all be read; these positions in the file are lost.
    case committedOffsetsLost(file: String, position: Int64, reason: String)
    /// Producers are being slowed: of this topic, or of all (nil) when it is the disk.
    case pressureOn(topic: String?, Busy.Reason)
    /// They are not any more.
    case pressureOff(topic: String?)
    /// The wall clock went so far in one step; ages of records are limited to what is plausible.
    case clockJumped(milliseconds: Int64)
    /// This listener was too slow for so many events.
    case missed(Int)
}

/// The events of a store: `for await event in store.events`. It ends when the store is closed.
public struct StoreEvents: AsyncSequence, Sendable {
    public typealias Element = StoreEvent
    public typealias Failure = Never

    let ring: EventRing

    /// From the newest 256 events on.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(ring: ring) }

    /// One listener's place.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let ring: EventRing
        private var next = 0

        fileprivate init(ring: EventRing) { self.ring = ring }

        /// The next event; nil when the store has been closed, and on cancellation.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async -> StoreEvent? {
            await ring.event(&next)
        }
    }
}

/// The newest events, and who waits for the next.
final class EventRing: Sendable {
    static let capacity = 256

    private struct State: ~Copyable {
        var events: [StoreEvent] = []
        /// How many there have been before `events`.
        var dropped = 0
        var waiters: [Waiter<Void>] = []
        var isClosed = false
    }
    private let state = Locked(State())

    func add(_ event: StoreEvent) {
        let waiters = state.withLock { state in
            state.events.append(event)
            if state.events.count > Self.capacity {
                state.dropped += 1
                state.events.removeFirst()
            }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(.success(())) }
    }

    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(.success(())) }
    }

    nonisolated(nonsending) func event(_ next: inout Int) async -> StoreEvent? {
        while !Task.isCancelled {
            let waiter = Waiter<Void>()
            let place = next
            let (event, after, isOver) = state.withLock { state -> (StoreEvent?, Int, Bool) in
                // The first look of a listener is at what is left, however much there was before.
                if place > 0, place < state.dropped {
                    return (.missed(state.dropped - place), state.dropped, false)
                }
                let index = Swift.max(place - state.dropped, 0)
                if index < state.events.count {
                    return (state.events[index], state.dropped + index + 1, false)
                }
                if state.isClosed { return (nil, place, true) }
                state.waiters.append(waiter)
                return (nil, place, false)
            }
            next = after
            if let event { return event }
            if isOver { return nil }
            _ = await waiter.value(cancelled: .cancelled(accepted: false))
        }
        return nil
    }
}

extension StoreEvent {
    /// What the engine says, as a program is told of it; nil for what only a log needs.
    init?(_ event: VolumeEvent) {
        func text(_ error: IOError) -> String {
            "\(error.operation) of \(error.path) failed (\(error.errno))"
        }
        switch event {
        case .partitionStopped(let topic, let partition, let error):
            self = .partitionStopped(TopicPartition(topic: topic, partition: partition), reason: text(error))
        case .storeStopped(let error): self = .storeStopped(reason: text(error))
        case .segmentsRemoved(let topic, let partition, let count, let bytes):
            self = .segmentsDeleted(
                TopicPartition(topic: topic, partition: partition), count: count, bytes: bytes)
        case .recordsDropped(let topic, let partition, let records, let bytes):
            self = .recordsDropped(
                TopicPartition(topic: topic, partition: partition), records: records, bytes: bytes)
        case .recordsUnreadable(let file, let position, let reason):
            self = .recordsUnreadable(file: file, position: position, reason: reason)
        case .scrubbed(let segments, let bytes, let damaged):
            self = .scrubbed(segments: segments, bytes: bytes, damaged: damaged)
        case .removalFailed, .compacted, .compactionFailed, .syncDelayed, .syncResumed: return nil
        }
    }
}

extension StreamStore {
    /// What happens to the store by itself: damage, deletions, groups that are left behind.
    public var events: StoreEvents { StoreEvents(ring: engine.events) }
}
