// A topic that a group shares out message by message, as a state machine. What it promises is in
// Docs/Tasks.md, "Messages".
//
// (1) Pure: time comes in as an argument, and what is to be stored goes out as a commit; one is under way at
// a time. (2) What a call has changed holds, and may be told, once a commit with its version is durable. (3)
// When a commit fails the machine is thrown away and one is made from what the group has committed; when
// somebody else has moved the group in a partition, that partition alone is begun anew. (4) Every word about
// a message names its lease, and is refused with `leaseLost` when that is not the message's. (5) The caller
// reads the log: `take` and `skip` say what it found behind `next`, `recalled` and `gone` what became of a
// message that came back.
//
// Not synchronised: one owner. After every call look for `commit`, `takeDying`, `nextMonotonic`, `nextWall`.

package import SluiceLog

/// A topic and a group that shares it out.
package struct MessageMachine: Sendable {
    /// How it behaves.
    package let configuration: MessageConfiguration
    /// The last number of a lease; it only rises, also from one machine to the next.
    package private(set) var lastToken: UInt64
    /// Whether a commit's outcome is awaited.
    package internal(set) var isCommitting = false

    var windows: [MessageWindow] = []
    var ready = KeyQueue()
    var returned = KeyQueue()
    private var dying: [DyingMessage] = []
    /// The partition at which the next commit begins.
    var turn = 0

    /// A queue without partitions: `open` them.
    ///
    /// - Parameter lastToken: that of the machine before, in the same process.
    package init(configuration: MessageConfiguration = .init(), lastToken: UInt64 = 0) {
        self.configuration = configuration
        self.lastToken = lastToken
    }

    /// Partitions that were opened.
    package var partitionCount: Int { windows.count }

    /// Opens the next partition: where the group's commit says, or at `start`, which is committed then.
    package mutating func open(_ stored: StoredPosition?, start: Int64, now: Instant) {
        windows.append(MessageWindow(stored, start: start, limit: configuration.deliveryLimit))
        begin(windows.count - 1)
        advance(to: now)
    }

    /// Somebody else has moved the group: the partition is begun anew there, and its leases are over.
    package mutating func restart(_ partition: Int, at stored: StoredPosition?, start: Int64, now: Instant) {
        windows[partition] = MessageWindow(stored, start: start, limit: configuration.deliveryLimit)
        // They would mean messages of the new window, and bring them out of their order.
        ready.removeAll(of: partition)
        returned.removeAll(of: partition)
        dying.removeAll { $0.key.partition == partition }
        begin(partition)
        advance(to: now)
    }

    private mutating func begin(_ partition: Int) {
        for entry in windows[partition].entries {
            switch entry.state {
            case .free: returned.append(MessageKey(partition: partition, offset: entry.offset))
            case .dying:
                guard let index = windows[partition].index(of: entry.offset) else { continue }
                die(partition, index, nil)
            default: break
            }
        }
    }

    // MARK: What the log has

    /// The first offset of a partition that was never taken.
    package func next(_ partition: Int) -> Int64 { windows[partition].next }

    /// How many records of a partition may be taken now; each is to be asked for anew.
    package mutating func room(_ partition: Int) -> Int { windows[partition].room(configuration.prefetch) }

    /// Takes the record at an offset at or behind `next`; those in between are not there. There is `room`.
    package mutating func take(_ key: MessageKey) { windows[key.partition].take(key.offset) }

    /// There is no record between `next` and an offset.
    package mutating func skip(_ partition: Int, to offset: Int64) { windows[partition].skip(to: offset) }

    /// A message that came back, the first that did: its record is to be read, and `recalled`, `gone` or
    /// `putBack` called.
    package mutating func recall() -> MessageKey? {
        while let key = returned.popFirst() {
            guard let index = windows[key.partition].index(of: key.offset),
                windows[key.partition].entries[index].state == .free
            else { continue }
            windows[key.partition].set(.reading, at: index)
            return key
        }
        return nil
    }

    /// The record of a message that came back has been read: its delivery is counted. False when the
    /// partition was begun anew meanwhile.
    package mutating func recalled(_ key: MessageKey) -> Bool {
        guard let index = reading(key) else { return false }
        windows[key.partition].count(at: index)
        return true
    }

    /// The record of a message that came back cannot be read now: it waits so long, at most 12 hours.
    package mutating func putBack(_ key: MessageKey, for milliseconds: Int64, now: Instant) {
        guard let index = reading(key) else { return }
        let wait = min(max(milliseconds, 0), MessageLimits.visibilityMilliseconds)
        windows[key.partition].set(.waiting(until: now.wallMilliseconds + wait), at: index)
    }

    /// A record is not there any more: retention, compaction or somebody's deletion took it. It counts as
    /// settled.
    package mutating func gone(_ key: MessageKey) {
        guard let index = windows[key.partition].index(of: key.offset) else { return }
        switch windows[key.partition].entries[index].state {
        case .reading, .dying: windows[key.partition].settle(at: index)
        default: break
        }
    }

    /// What was changed in a partition so far is said by this version of it.
    package func version(_ partition: Int) -> UInt64 { windows[partition].version }

    private func reading(_ key: MessageKey) -> Int? {
        guard let index = windows[key.partition].index(of: key.offset),
            windows[key.partition].entries[index].state == .reading
        else { return nil }
        return index
    }

    // MARK: Giving out

    /// Messages that can be given out at once; a few of them may have been begun anew.
    package var readyCount: Int { ready.count }

    /// Messages that are counted, or being counted, and that nobody has.
    ///
    /// - Complexity: O(n) in the partitions.
    package var aheadCount: Int { windows.reduce(0) { $0 + $1.ahead } }

    /// Gives out the next message that is ready; nil when none is.
    package mutating func hand(now: Instant) -> MessageLease? {
        while let key = ready.popFirst() {
            guard let index = windows[key.partition].index(of: key.offset),
                windows[key.partition].entries[index].state == .ready
            else { continue }
            lastToken += 1
            let deadline = now.after(milliseconds: configuration.visibilityMilliseconds)
            windows[key.partition].set(.leased(token: lastToken, until: deadline), at: index)
            return MessageLease(
                key: key, token: lastToken, deliveries: windows[key.partition].entries[index].deliveries)
        }
        return nil
    }

    /// Nobody got the message after all: it is the next that is given out.
    package mutating func giveBack(_ lease: MessageLease) {
        guard let index = try? holder(lease) else { return }
        windows[lease.key.partition].set(.ready, at: index)
        ready.prepend(lease.key)
    }

    /// Whether a lease still holds.
    package func holds(_ lease: MessageLease) -> Bool { (try? holder(lease)) != nil }

    private func holder(_ lease: MessageLease) throws(MessageRefusal) -> Int {
        guard windows.indices.contains(lease.key.partition),
            let index = windows[lease.key.partition].index(of: lease.key.offset),
            case .leased(let token, _) = windows[lease.key.partition].entries[index].state,
            token == lease.token || PlantedBug.staleMessageHolds.isPlanted
        else { throw .leaseLost }
        return index
    }

    // MARK: What holders say

    /// The message is done. Returns the version that a commit must have said before it may be told.
    package mutating func accept(_ lease: MessageLease) throws(MessageRefusal) -> UInt64 {
        let index = try holder(lease)
        windows[lease.key.partition].settle(at: index)
        return windows[lease.key.partition].version
    }

    /// The message is given back, for now or for a moment up to 12 hours ahead; delivered as often as it may
    /// be, it is dead. Returns the version as above; nil when there is nothing to be stored.
    package mutating func release(
        _ lease: MessageLease, after milliseconds: Int64, now: Instant
    ) throws(MessageRefusal) -> UInt64? {
        let index = try holder(lease)
        let partition = lease.key.partition
        let delay = min(max(milliseconds, 0), MessageLimits.visibilityMilliseconds)
        guard comeBack(partition, index), delay > 0 else {
            return configuration.dropsDead ? windows[partition].version : nil
        }
        windows[partition].set(.waiting(until: now.wallMilliseconds + delay), at: index)
        windows[partition].change()
        return windows[partition].version
    }

    /// The message is dead. Its holder hears of it when it has been buried, or is `gone`, durably; with
    /// `dropsDead` that is the version that is returned.
    package mutating func reject(
        _ lease: MessageLease, reason: String
    ) throws(MessageRefusal) -> UInt64? {
        let index = try holder(lease)
        die(lease.key.partition, index, TaskLimits.cut(reason, MessageLimits.reasonBytes))
        return configuration.dropsDead ? windows[lease.key.partition].version : nil
    }

    /// The lease ends so long from now, 12 hours at most, whatever it was before.
    package mutating func extend(
        _ lease: MessageLease, by milliseconds: Int64, now: Instant
    ) throws(MessageRefusal) {
        let index = try holder(lease)
        let span = min(max(milliseconds, 0), MessageLimits.visibilityMilliseconds)
        windows[lease.key.partition].set(
            .leased(token: lease.token, until: now.after(milliseconds: span)), at: index)
    }

    /// A delivery has ended without an outcome. False when it was the last, and the message dies.
    private mutating func comeBack(_ partition: Int, _ index: Int) -> Bool {
        let entry = windows[partition].entries[index]
        if entry.deliveries >= configuration.deliveryLimit {
            die(partition, index, nil)
            return false
        }
        windows[partition].set(.free, at: index)
        returned.append(MessageKey(partition: partition, offset: entry.offset))
        return true
    }

    // MARK: The dead

    private mutating func die(_ partition: Int, _ index: Int, _ reason: String?) {
        guard !configuration.dropsDead else { return windows[partition].settle(at: index) }
        let entry = windows[partition].entries[index]
        windows[partition].set(.dying, at: index)
        dying.append(
            DyingMessage(
                key: MessageKey(partition: partition, offset: entry.offset), deliveries: entry.deliveries,
                reason: reason))
    }

    /// Messages that have died since the last call: their records are to be read, and given to `commit`, or
    /// `gone` called.
    package mutating func takeDying() -> [DyingMessage] {
        defer { dying = [] }
        return dying
    }

    // MARK: Time

    /// Ends the leases whose time is over, and makes what waited for its moment available.
    package mutating func advance(to now: Instant) {
        for partition in windows.indices {
            var settled = 0
            for index in windows[partition].due(now) {
                let before = windows[partition].entries.count
                _ = comeBack(partition, index - settled)
                settled += before - windows[partition].entries.count
            }
        }
    }

    /// When `advance` is to be called, in monotonic nanoseconds; it may be early.
    package var nextMonotonic: Int64? {
        windows.lazy.map(\.nextDeadline).min().flatMap { $0 == .max ? nil : $0 }
    }

    /// When `advance` is to be called, in milliseconds since 1970; it may be early.
    package var nextWall: Int64? { windows.lazy.map(\.nextMoment).min().flatMap { $0 == .max ? nil : $0 } }
}

/// Keys in the order in which they came; some may mean nothing any more: their message is looked at.
struct KeyQueue: Sendable {
    private var keys: [MessageKey] = []
    private var head = 0

    var count: Int { keys.count - head }

    mutating func append(_ key: MessageKey) { keys.append(key) }

    mutating func prepend(_ key: MessageKey) {
        if head > 0 {
            head -= 1
            keys[head] = key
        } else {
            keys.insert(key, at: 0)
        }
    }

    mutating func removeAll(of partition: Int) {
        keys = keys[head...].filter { $0.partition != partition }
        head = 0
    }

    mutating func popFirst() -> MessageKey? {
        guard head < keys.count else { return nil }
        defer {
            head += 1
            if head == keys.count {
                keys.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024, head * 2 > keys.count {
                keys.removeFirst(head)
                head = 0
            }
        }
        return keys[head]
    }
}
