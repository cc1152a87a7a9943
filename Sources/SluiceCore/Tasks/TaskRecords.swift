// The records of a queue's topic. Docs/Tasks.md has the layout.
//
// (1) A value is `version u8`, a fixed part, then fields `tag u8 | length u32 | bytes` to its end. (2) A tag
// below 128 that is not known throws, one from 128 on is stepped over. (3) Every length is checked against
// what is left before anything is allocated.

package import SluiceLog

/// What a record is about.
package struct TaskRecordKey: Hashable, Sendable {
    /// The kinds of records.
    package enum Kind: UInt8, Sendable {
        case definition = 1
        case standing = 2
        case queue = 3
        case schedule = 4
        case limits = 5

        /// Whether the sequence is a task's.
        var isOfTask: Bool { self == .definition || self == .standing }
    }
    /// Which kind.
    package var kind: Kind
    /// The task's sequence, or the schedule's number; 0 of the queue and its limits.
    package var sequence: UInt64

    /// A key.
    package init(_ kind: Kind, _ sequence: UInt64) {
        self.kind = kind
        self.sequence = sequence
    }

    /// Reads a key; nil for a kind that a later version has.
    package init?(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        let kind = try reader.integer(UInt8.self)
        sequence = try reader.integer()
        guard reader.left == 0 else { throw MalformedRecord(reason: "a key of \(bytes.count) bytes") }
        guard let kind = Kind(rawValue: kind) else { return nil }
        self.kind = kind
    }

    /// The key's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.bytes.reserveCapacity(9)
        writer.put(kind.rawValue)
        writer.put(sequence)
        return writer.bytes
    }
}

/// What was published.
package struct TaskDefinition: Hashable, Sendable {
    /// Random, part of the identity.
    package var nonce: UInt64
    /// When it was published.
    package var published: Int64
    /// When it is due for the first time.
    package var due: Int64
    /// 0 … 9.
    package var priority: UInt8
    /// The kind of task.
    package var name: String
    /// What the handler gets.
    package var payload: ArraySlice<UInt8>
    /// When it is not to be begun any more.
    package var expires: Int64?
    /// Whose tasks run one at a time.
    package var group: String?
    /// The unique key, and until when it is held; nil: while the task is unfinished.
    package var unique: UniqueClaim?
    /// The schedule that made it.
    package var origin: TaskOrigin?
    /// Whose task it is.
    package var tenant: String?
    /// The tasks that it runs after.
    package var after: After?

    /// What a task runs after.
    package struct After: Hashable, Sendable {
        /// Which, each once.
        package var tasks: [TaskIdentity]
        /// Whether it runs when one of them has not ended well, too.
        package var runsAnyway: Bool
    }

    /// A key that one task has.
    package struct UniqueClaim: Hashable, Sendable {
        /// The key.
        package var key: String
        /// Until when; nil: while the task is unfinished.
        package var until: Int64?
    }

    private enum Field: UInt8 {
        case expires = 1
        case group = 2
        case unique = 3
        case after = 4
        case origin = 6
        case tenant = 7
    }

    init(
        nonce: UInt64, published: Int64, due: Int64, priority: UInt8, name: String,
        payload: ArraySlice<UInt8>, expires: Int64?, group: String?, unique: UniqueClaim?,
        origin: TaskOrigin? = nil, tenant: String? = nil, after: After? = nil
    ) {
        self.nonce = nonce
        self.published = published
        self.due = due
        self.priority = priority
        self.name = name
        self.payload = payload
        self.expires = expires
        self.group = group
        self.unique = unique
        self.origin = origin
        self.tenant = tenant
        self.after = after
    }

    /// Reads a definition's value.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        try reader.version("definition")
        nonce = try reader.integer()
        published = try reader.integer()
        due = try reader.integer()
        priority = min(try reader.integer(), UInt8(TaskLimits.priority))
        name = try reader.string()
        payload = try reader.bytes(Int(try reader.integer(UInt32.self)))
        while let (tag, bytes) = try reader.field() {
            var field = BinaryReader(bytes)
            switch Field(rawValue: tag) {
            case .expires: expires = try field.integer()
            case .group: group = try field.string()
            case .unique:
                let key = try field.string()
                let until = try field.integer(Int64.self)
                unique = UniqueClaim(key: key, until: until < 0 ? nil : until)
            case .origin:
                let schedule = try field.integer(UInt64.self)
                let moment = try field.integer(Int64.self)
                origin = TaskOrigin(
                    schedule: schedule, moment: min(max(moment, 0), TaskLimits.latest))
            case .tenant: tenant = try field.string()
            case .after:
                let runsAnyway = try field.integer(UInt8.self) & 1 != 0
                let tasks = try field.array(minimumBytes: 16) { reader throws(MalformedRecord) in
                    TaskIdentity(sequence: try reader.integer(), nonce: try reader.integer())
                }
                after = After(tasks: tasks, runsAnyway: runsAnyway)
            case nil: try checkSkippable(tag)
            }
        }
    }

    /// The value's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.bytes.reserveCapacity(48 + name.utf8.count + payload.count)
        writer.put(UInt8(1))
        writer.put(nonce)
        writer.put(published)
        writer.put(due)
        writer.put(priority)
        writer.put(name)
        writer.put(UInt32(payload.count))
        writer.bytes.append(contentsOf: payload)
        if let expires { writer.field(Field.expires.rawValue) { $0.put(expires) } }
        if let group { writer.field(Field.group.rawValue) { $0.put(group) } }
        if let unique {
            writer.field(Field.unique.rawValue) { writer in
                writer.put(unique.key)
                writer.put(unique.until ?? -1)
            }
        }
        if let origin {
            writer.field(Field.origin.rawValue) { writer in
                writer.put(origin.schedule)
                writer.put(origin.moment)
            }
        }
        if let after {
            writer.field(Field.after.rawValue) { writer in
                writer.put(after.runsAnyway)
                writer.put(after.tasks) { writer, task in
                    writer.put(task.sequence)
                    writer.put(task.nonce)
                }
            }
        }
        if let tenant { writer.field(Field.tenant.rawValue) { $0.put(tenant) } }
        return writer.bytes
    }
}

/// Where a task stands, as the log has it.
package struct TaskStanding: Hashable, Sendable {
    /// The state; one that waits is available once its time has come.
    package var state: TaskState
    /// Leases that were lost.
    package var losses: UInt8
    /// Whether its expiry does not count any more: it was given out anew by hand.
    package var isExpiryLifted = false
    /// Attempts that count.
    package var attempt: UInt32
    /// How often it was given out: the greatest token so far.
    package var deliveries: UInt32
    /// When this was so.
    package var changed: Int64
    /// When it is due, of one that waits.
    package var due: Int64
    /// Who has it.
    package var lease: LeaseTerms?
    /// What the handler returned.
    package var result: ArraySlice<UInt8>?
    /// What came before.
    package var history: TaskHistory?
    /// How far it had come.
    package var progress: TaskProgress?
    /// Why it was cancelled, when that was not for its own sake.
    package var cause: String?

    /// A lease, as the log has it.
    package struct LeaseTerms: Hashable, Sendable {
        /// Who has it.
        package var holder: TaskHolder
        /// Until when, without a heartbeat.
        package var until: Int64
        /// How long a heartbeat makes it hold.
        package var visibility: Int64
        /// How often the task is tried.
        package var policy: TaskRetryPolicy
    }

    private enum Field: UInt8 {
        case lease = 1
        case result, history, progress
        // An earlier version may go on without it.
        case cause = 128
    }

    init(
        state: TaskState, losses: UInt8, attempt: UInt32, deliveries: UInt32, changed: Int64, due: Int64
    ) {
        self.state = state
        self.losses = losses
        self.attempt = attempt
        self.deliveries = deliveries
        self.changed = changed
        self.due = due
    }

    /// Reads a standing's value.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        try reader.version("standing")
        let number = try reader.integer(UInt8.self)
        guard let state = TaskState(rawValue: number) else {
            throw MalformedRecord(reason: "a task's state of number \(number)")
        }
        self.state = state
        losses = try reader.integer()
        isExpiryLifted = try reader.integer(UInt8.self) & 1 != 0
        attempt = try reader.integer()
        deliveries = try reader.integer()
        changed = try reader.integer()
        due = try reader.integer()
        while let (tag, bytes) = try reader.field() {
            var field = BinaryReader(bytes)
            switch Field(rawValue: tag) {
            case .lease: lease = try LeaseTerms(&field)
            case .result: result = bytes
            case .history: history = try TaskHistory(&field)
            case .progress:
                let fraction = Double(bitPattern: try field.integer())
                progress = TaskProgress(fraction: fraction, note: try field.string())
            case .cause: cause = try field.string()
            case nil: try checkSkippable(tag)
            }
        }
        if state == .leased, lease == nil { throw MalformedRecord(reason: "a lease without terms") }
    }

    /// The value's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.bytes.reserveCapacity(96 + (result?.count ?? 0))
        writer.put(UInt8(1))
        writer.put(state.rawValue)
        writer.put(losses)
        writer.put(isExpiryLifted)
        writer.put(attempt)
        writer.put(deliveries)
        writer.put(changed)
        writer.put(due)
        if let lease { writer.field(Field.lease.rawValue) { lease.put(&$0) } }
        if let result { writer.field(Field.result.rawValue) { $0.bytes.append(contentsOf: result) } }
        if let history { writer.field(Field.history.rawValue) { history.put(&$0) } }
        if let progress {
            writer.field(Field.progress.rawValue) { writer in
                writer.put(progress.fraction.bitPattern)
                writer.put(progress.note)
            }
        }
        if let cause { writer.field(Field.cause.rawValue) { $0.put(cause) } }
        return writer.bytes
    }
}

extension TaskStanding.LeaseTerms {
    fileprivate init(_ reader: inout BinaryReader) throws(MalformedRecord) {
        holder = TaskHolder(host: try reader.integer(), worker: try reader.integer())
        until = try reader.integer()
        visibility = Int64(try reader.integer(UInt32.self))
        let attempts = Int(try reader.integer(UInt32.self))
        let base: Int64 = try reader.integer()
        policy = TaskRetryPolicy(attempts: attempts, base: base, cap: try reader.integer())
    }

    fileprivate func put(_ writer: inout BinaryWriter) {
        writer.put(holder.host)
        writer.put(holder.worker)
        writer.put(until)
        writer.put(UInt32(clamping: visibility))
        writer.put(policy.attempts)
        writer.put(policy.base)
        writer.put(policy.cap)
    }
}

extension TaskHistory {
    fileprivate init(_ reader: inout BinaryReader) throws(MalformedRecord) {
        dropped = try reader.integer()
        attempts = try reader.array(minimumBytes: 25) { reader throws(MalformedRecord) in
            let number: UInt32 = try reader.integer()
            let began: Int64 = try reader.integer()
            let ended: Int64 = try reader.integer()
            let end = try reader.integer(UInt8.self)
            guard let end = AttemptEnd(rawValue: end) else {
                throw MalformedRecord(reason: "an attempt's end of number \(end)")
            }
            return TaskAttempt(
                number: number, began: began, ended: ended, end: end, cause: try reader.string())
        }
    }

    fileprivate func put(_ writer: inout BinaryWriter) {
        writer.put(dropped)
        writer.put(attempts) { writer, attempt in
            writer.put(attempt.number)
            writer.put(attempt.began)
            writer.put(attempt.ended)
            writer.put(attempt.end.rawValue)
            writer.put(attempt.cause)
        }
    }
}

/// Throws for a field that must be understood.
func checkSkippable(_ tag: UInt8) throws(MalformedRecord) {
    if tag < 128 { throw MalformedRecord(reason: "a field of tag \(tag), of a later version") }
}

extension BinaryReader {
    mutating func version(_ what: String) throws(MalformedRecord) {
        let version = try integer(UInt8.self)
        guard version == 1 else { throw MalformedRecord(reason: "a \(what) of version \(version)") }
    }

    /// The next field; nil at the end.
    mutating func field() throws(MalformedRecord) -> (UInt8, ArraySlice<UInt8>)? {
        guard left > 0 else { return nil }
        let tag = try integer(UInt8.self)
        return (tag, try bytes(Int(try integer(UInt32.self))))
    }
}

extension BinaryWriter {
    /// A field: what `body` writes, behind its length.
    mutating func field(_ tag: UInt8, _ body: (inout BinaryWriter) -> Void) {
        put(tag)
        let start = bytes.count
        put(UInt32(0))
        body(&self)
        let length = UInt32(bytes.count - start - 4)
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index)) }
    }
}
