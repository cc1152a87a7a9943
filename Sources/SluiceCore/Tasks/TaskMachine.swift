// A queue of tasks as a state machine. What it promises is in Docs/Tasks.md, the numbers below are of there.
//
// (1) Pure: time comes in as an argument, randomness as a seed, and what is to be stored goes out as records,
// in the order in which they must be in the log. (2) What it says may be told once `emitted` records, counted
// after the call, are durable (4); the caller tells where they are with `placed`. (3) When an append fails
// the machine is thrown away and one is made from the log. (4) Every call of a worker names a lease, and is
// refused with `leaseLost` when that is not the task's.
//
// Not synchronised: one owner. After every call take the records and look at `nextWall`, `nextMonotonic`.

import SluiceLog

/// How a queue behaves.
package struct TaskConfiguration: Sendable, Hashable {
    /// How long a task is kept that succeeded, was cancelled or expired.
    package var retention: Int64 = 24 * 3_600_000
    /// How many of those are kept at most; the oldest go first.
    package var kept = 100_000
    /// How long a dead task is kept. SQS: 14 days at most.
    package var deadRetention: Int64 = 14 * 24 * 3_600_000
    /// Tasks of the queue, unfinished and kept.
    package var tasks = TaskLimits.tasks

    /// The defaults, changed as `change` says.
    package init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}

/// A queue of tasks.
package struct TaskMachine: Sendable {
    /// How it behaves.
    package let configuration: TaskConfiguration
    /// The host of workers in this process: another at each opening.
    package let localHost: UInt64
    /// Time zones by their names.
    let zones: @Sendable (String) -> ZoneRules?
    /// Records that were ever given out to be appended.
    package private(set) var emitted: UInt64 = 0
    /// Whether nothing is leased.
    package internal(set) var isPaused = false
    /// Records of the log that make no sense, with the reason.
    package internal(set) var unreadable: [(sequence: UInt64, reason: String)] = []

    var entries: [TaskEntry] = []
    var free: [UInt32] = []
    var slots = SlotTable()
    /// The greatest sequence that was ever given out.
    package internal(set) var lastSequence: UInt64 = 0
    var timers = TaskTimers()
    var names: [String] = []
    var numbers: [String: UInt32] = [:]
    /// By the number of a name: tenants that have something ready of it.
    var orders: [TenantOrder] = []
    /// Tasks that are leased, by the number of their name.
    var nameLeases: [Int] = []
    var tenants = [Tenant()]
    var freeTenants: [UInt32] = []
    var tenantNumbers: [String: UInt32] = [:]
    /// By the tenant's number.
    var ranks = [TenantRank()]
    /// How often something was given out, or a tenant came.
    var served: UInt64 = 0
    /// What the queue may start.
    package internal(set) var limits = StartLimits()
    var nameLimits: [UInt32: NameLimit] = [:]
    /// When the queue's bucket is full; when one is that no start has been taken from. Monotonic nanoseconds.
    var queueFull: Int64 = 0
    var tenantFull: Int64 = 0
    /// When what is kept by a rate may start: of the queue, of names and of tenants, by the monotonic clock.
    var starts = TaskTimers()
    var leases: [UInt32: HeldLease] = [:]
    var extras: [UInt32: TaskExtras] = [:]
    var histories: [UInt32: TaskHistory] = [:]
    var groups: [String: KeyGroup] = [:]
    var unique: [String: UInt32] = [:]
    /// Keys that were let go, and how many records must be durable before that is.
    private var endingKeys: [String: UInt64] = [:]
    /// Records that are durable.
    private var placedCount: UInt64 = 0
    var hosts: [UInt64: HostLeases] = [:]
    /// What tasks run after, and what runs after tasks.
    var afters: [UInt32: Predecessors] = [:]
    var followers: [UInt32: Followers] = [:]
    /// Tasks that have ended, and whose followers are to be looked at; those before the head are done.
    var endings: [Ending] = []
    var endingsHead = 0
    /// Whoever is at it follows what ends meanwhile, too.
    var isFollowing = false
    /// The atomic write that a provisional task is part of.
    var writes: [UInt32: UInt64] = [:]
    var schedules: [UInt64: HeldSchedule] = [:]
    /// When the first of them is to be looked at.
    var nextSchedule: Int64?
    /// While loading: the last moment of each schedule of which there is a task.
    var firedMoments: [UInt64: Int64] = [:]
    var counts = [Int](repeating: 0, count: TaskState.allCases.count)
    var random: SplitMix64
    private var records: [TaskRecord] = []
    private var changed: [UInt64] = []
    private var revoked: [RevokedLease] = []
    /// Records whose place is not known, in order; those before `placedHead` are.
    private var unplaced: [(slot: UInt32, key: TaskRecordKey)] = []
    private var placedHead = 0

    /// A queue without tasks: load the topic's records, then call `finishLoading`.
    ///
    /// - Parameters:
    ///   - seed: from a real random source: nonces and back-offs come of it.
    ///   - localHost: the number of this opening, random too.
    ///   - zones: time zones by their names: those of schedules.
    package init(
        configuration: TaskConfiguration = .init(), seed: UInt64, localHost: UInt64,
        zones: @escaping @Sendable (String) -> ZoneRules? = { _ in nil }
    ) {
        self.zones = zones
        self.configuration = configuration
        self.localHost = localHost
        random = SplitMix64(state: seed)
    }

    // MARK: What goes out

    /// What is to be appended since the last call, in order, as one batch or several.
    package mutating func takeRecords() -> [TaskRecord] {
        defer { records = [] }
        return records
    }

    /// Sequences of tasks whose state or progress has changed since the last call.
    package mutating func takeChanged() -> [UInt64] {
        defer { changed = [] }
        return changed
    }

    /// Leases that were taken from their holders since the last call: cancelled, or lost.
    package mutating func takeRevoked() -> [RevokedLease] {
        defer { revoked = [] }
        return revoked
    }

    /// The next `count` records are durable, the first at an offset, the others behind it.
    package mutating func placed(_ count: Int, at baseOffset: Int64) {
        precondition(count <= unplaced.count - placedHead, "more records are placed than were given out")
        for index in 0..<count {
            let (slot, key) = unplaced[placedHead + index]
            guard key.kind.isOfTask, entries[Int(slot)].sequence == key.sequence else { continue }
            let offset = baseOffset + Int64(index)
            if key.kind == .definition {
                entries[Int(slot)].definitionOffset = offset
            } else {
                entries[Int(slot)].standingOffset = offset
            }
            entries[Int(slot)].pending -= 1
        }
        placedHead += count
        placedCount += UInt64(count)
        if !endingKeys.isEmpty { endingKeys = endingKeys.filter { $0.value > placedCount } }
        guard placedHead > 1024, placedHead * 2 > unplaced.count else { return }
        unplaced.removeFirst(placedHead)
        placedHead = 0
    }

    /// When `advance` is to be called by the wall clock, in milliseconds.
    package var nextWall: Int64? {
        if hasEndings { return 0 }
        return [timers.next(.wall), timers.next(.finished), timers.next(.dead), nextSchedule].compactMap {
            $0
        }.min()
    }

    /// When `advance` is to be called by the monotonic clock, in nanoseconds.
    package var nextMonotonic: Int64? {
        [timers.next(.lease), starts.next(.lease)].compactMap { $0 }.min()
    }

    // MARK: For the extensions

    mutating func emit(_ kind: TaskRecordKey.Kind, _ slot: UInt32, _ sequence: UInt64, _ value: [UInt8]?) {
        let key = TaskRecordKey(kind, sequence)
        records.append(TaskRecord(key: key, value: value))
        unplaced.append((slot, key))
        emitted += 1
        if kind.isOfTask, value != nil { entries[Int(slot)].pending += 1 }
    }

    /// The task that had a key has ended. An atomic write may be durable before that is: it is not to have
    /// the key until then, or a crash could leave two tasks of it.
    mutating func noteEnding(_ key: String) {
        if emitted > placedCount { endingKeys[key] = emitted }
    }

    func isEnding(_ key: String) -> Bool { endingKeys[key] != nil }

    func slot(of sequence: UInt64) -> UInt32? {
        slots.find(sequence) { entries[Int($0)].sequence }
    }

    /// The slot of a task that is published. Throws `unknownTask`.
    func find(_ task: TaskIdentity) throws(TaskRefusal) -> UInt32 {
        guard let slot = slot(of: task.sequence), entries[Int(slot)].nonce == task.nonce,
            !entries[Int(slot)].isProvisional
        else { throw .unknownTask }
        return slot
    }

    mutating func makeEntry(_ sequence: UInt64) -> UInt32 {
        let slot = free.popLast() ?? UInt32(entries.count)
        if Int(slot) == entries.count { entries.append(TaskEntry()) }
        entries[Int(slot)] = TaskEntry()
        entries[Int(slot)].sequence = sequence
        index(sequence, slot)
        counts[Int(TaskState.scheduled.rawValue)] += 1
        return slot
    }

    // In functions of their own: what they hold of the entries is let go before anything is changed there.
    private mutating func index(_ sequence: UInt64, _ slot: UInt32) {
        let entries = entries
        slots.insert(sequence, slot) { entries[Int($0)].sequence }
    }

    private mutating func unindex(_ sequence: UInt64) {
        let entries = entries
        slots.remove(sequence) { entries[Int($0)].sequence }
    }

    /// Forgets all about a task; the log is another matter.
    mutating func dropEntry(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        timers.cancel(slot)
        endLease(slot)
        leaveGroup(slot)
        unpin(slot)
        (afters[slot], followers[slot], writes[slot]) = (nil, nil, nil)
        histories[slot] = nil
        if let claim = extras[slot]?.unique, unique[claim.key] == slot { unique[claim.key] = nil }
        extras[slot] = nil
        counts[Int(entry.state.rawValue)] -= 1
        unindex(entry.sequence)
        entries[Int(slot)] = TaskEntry()
        free.append(slot)
        if entry.state == .available { noteStale(entry) }
        if entry.isDefined { releaseTenant(entry.tenant) }
    }

    /// The one way into another state. Throws `notPossible`.
    mutating func move(_ slot: UInt32, _ event: TaskEvent) throws(TaskRefusal) {
        let state = entries[Int(slot)].state
        guard let next = state.after(event) else { throw .notPossible(event, state) }
        set(slot, next)
        if state == .available, event != .lease { noteStale(entries[Int(slot)]) }
    }

    mutating func set(_ slot: UInt32, _ state: TaskState) {
        counts[Int(entries[Int(slot)].state.rawValue)] -= 1
        counts[Int(state.rawValue)] += 1
        entries[Int(slot)].state = state
        noteChanged(slot)
    }

    mutating func noteRevoked(_ slot: UInt32) {
        guard let held = leases[slot] else { return }
        let lease = TaskLease(task: identity(slot), token: entries[Int(slot)].deliveries)
        revoked.append(RevokedLease(lease: lease, holder: held.holder))
    }

    mutating func noteChanged(_ slot: UInt32) { changed.append(entries[Int(slot)].sequence) }

    /// Writes down where a task stands.
    mutating func emitStanding(
        _ slot: UInt32, _ now: Instant, result: [UInt8]? = nil, cause: String? = nil
    ) {
        let entry = entries[Int(slot)]
        var standing = TaskStanding(
            state: entry.state, losses: entry.losses, attempt: entry.attempt, deliveries: entry.deliveries,
            changed: now.wallMilliseconds, due: entry.time)
        if let held = leases[slot] { standing.lease = held.terms(now) }
        standing.result = result?[...]
        standing.cause = cause
        standing.history = histories[slot]
        standing.progress = extras[slot]?.progress
        standing.isExpiryLifted = entry.isExpiryLifted
        entries[Int(slot)].hasStanding = true
        emit(.standing, slot, entry.sequence, standing.bytes)
    }

    /// The number of a name. Throws `illegal` for one too many.
    mutating func number(_ name: String) throws(TaskRefusal) -> UInt32 {
        if let number = numbers[name] { return number }
        guard names.count < TaskLimits.names else {
            throw .illegal("the queue has tasks of \(names.count) names, and may have no more")
        }
        numbers[name] = UInt32(names.count)
        names.append(name)
        orders.append(TenantOrder())
        nameLeases.append(0)
        return UInt32(names.count - 1)
    }
}

/// What memory has of a task: 64 bytes.
struct TaskEntry: Sendable {
    /// 0: the slot is free.
    var sequence: UInt64 = 0
    var nonce: UInt64 = 0
    var definitionOffset: Int64 = -1
    var standingOffset: Int64 = -1
    /// When it is or was due; since when it is leased, or final.
    var time: Int64 = 0
    var name: UInt32 = 0
    var attempt: UInt32 = 0
    var deliveries: UInt32 = 0
    /// Records of it whose place is not known.
    var pending: UInt32 = 0
    /// The number of its tenant.
    var tenant: UInt32 = 0
    var losses: UInt8 = 0
    var priority: UInt8 = 0
    var state = TaskState.scheduled
    private var flags: UInt8 = 0
}

extension TaskEntry {
    var hasStanding: Bool {
        get { flags & 1 != 0 }
        set { set(1, newValue) }
    }
    var isExpiryLifted: Bool {
        get { flags & 2 != 0 }
        set { set(2, newValue) }
    }
    /// Part of an atomic write whose outcome is not known: nobody sees it.
    var isProvisional: Bool {
        get { flags & 4 != 0 }
        set { set(4, newValue) }
    }
    /// Its definition is there, so that it is one of its tenant's.
    var isDefined: Bool {
        get { flags & 8 != 0 }
        set { set(8, newValue) }
    }

    private mutating func set(_ flag: UInt8, _ isSet: Bool) {
        flags = isSet ? flags | flag : flags & ~flag
    }
}

/// What few tasks have.
struct TaskExtras: Sendable {
    var expires: Int64?
    var group: String?
    var unique: TaskDefinition.UniqueClaim?
    var progress: TaskProgress?
    /// When the progress last went into the log.
    var progressStored: Int64 = 0
}

/// A lease that somebody has.
struct HeldLease: Sendable {
    var holder: TaskHolder
    /// Its end, in nanoseconds of the monotonic clock.
    var deadline: Int64
    var visibility: Int64
    var policy: TaskRetryPolicy

    func terms(_ now: Instant) -> TaskStanding.LeaseTerms {
        let left = max(0, deadline - now.monotonicNanoseconds) / 1_000_000
        return TaskStanding.LeaseTerms(
            holder: holder, until: now.wallMilliseconds + left, visibility: visibility, policy: policy)
    }
}

/// What a host holds.
struct HostLeases: Sendable {
    var count = 0
    /// Whether what it holds is alone.
    var isAlone = false
}
