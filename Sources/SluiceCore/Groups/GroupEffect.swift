// What the coordinator wants done. The caller takes the effects after every call and carries them out,
// outside its lock, in their order.
//
// (1) Every ticket is answered once. (2) A store's records are appended together, and `stored` is told the
// outcome; until then nothing that they say is visible. (3) A member is told that it is removed before anyone
// is told of an assignment that gives its partitions away.

/// An answer, a notice, or records to be stored.
package enum GroupEffect: Hashable, Sendable {
    /// The answer to `join`.
    case joined(ticket: UInt64, Result<JoinResponse, GroupError>)
    /// The answer to `sync`.
    case synced(ticket: UInt64, Result<SyncResponse, GroupError>)
    /// The answer to `commit` and `seek`: the partitions that were refused, the others being durable.
    case committed(ticket: UInt64, Result<[RefusedPartition], GroupError>)
    /// The answer to `deleteOffsets`.
    case offsetsDeleted(ticket: UInt64, Result<[RefusedPartition], GroupError>)
    /// The answer to `deleteGroup`; nil when it is gone.
    case groupDeleted(ticket: UInt64, GroupError?)
    /// The answer to `topicDeleted`; nil when nothing that was committed of the topic counts any more.
    case topicForgotten(ticket: UInt64, GroupError?)
    /// Records to be appended to the offsets topic as one; then `stored` is called.
    case store(GroupStore)
    /// A word to a member in this process.
    case notify(groupID: String, memberID: String, MemberNotice)
}

/// Records that are appended together.
package struct GroupStore: Hashable, Sendable {
    /// The number to give to `stored`.
    package var id: UInt64
    /// The request that waits for it, if one does: a commit that is to be atomic with data is known by it.
    package var ticket: UInt64?
    /// The records, all of which or none become durable.
    package var records: [GroupRecord]
}

/// How storing went.
package enum StoreOutcome: Hashable, Sendable {
    /// The records are durable; the first has this offset in the offsets topic.
    case durable(at: Int64)
    /// They are not, or nobody knows.
    case failed
    /// A commit that is atomic with data may yet become durable, but not before the store is opened again:
    /// until then nobody is to begin at what was committed before.
    case unknown
}

/// What a member in this process is told, where another would learn it from a heartbeat.
package enum MemberNotice: Hashable, Sendable {
    /// A rebalance has begun: rejoin.
    case rebalanceNeeded
    /// Another member has its instance id now: stop.
    case fenced
    /// It took too long and is no member any more: what it owned is lost.
    case removed
}
