// A coordinator with its caller: takes the effects, stores at once unless told otherwise, keeps the answers.

import SluiceCore
import SluiceLog

struct GroupBench {
    var coordinator: GroupCoordinator
    var now = Instant(wallMilliseconds: 1_000_000, monotonicNanoseconds: 0)
    var lastTicket: UInt64 = 0
    var log: [GroupRecord] = []
    var held: [GroupStore] = []
    var holdsStores = false
    var joins: [UInt64: Result<JoinResponse, GroupError>] = [:]
    var syncs: [UInt64: Result<SyncResponse, GroupError>] = [:]
    var commits: [UInt64: Result<[RefusedPartition], GroupError>] = [:]
    var deletions: [UInt64: GroupError?] = [:]
    var topics: [UInt64: GroupError?] = [:]
    var notices: [String: [MemberNotice]] = [:]

    init(_ change: (inout GroupConfiguration) -> Void = { $0.initialRebalanceDelayMilliseconds = 0 }) {
        coordinator = GroupCoordinator(configuration: .init(change), seed: 1)
        coordinator.finishLoading(now: now)
    }

    mutating func run() {
        while true {
            let effects = coordinator.takeEffects()
            if effects.isEmpty { return }
            for effect in effects {
                switch effect {
                case .joined(let ticket, let result): joins[ticket] = result
                case .synced(let ticket, let result): syncs[ticket] = result
                case .committed(let ticket, let result), .offsetsDeleted(let ticket, let result):
                    commits[ticket] = result
                case .groupDeleted(let ticket, let error): deletions[ticket] = error
                case .topicForgotten(let ticket, let error):
                    topics.updateValue(error, forKey: ticket)
                case .store(let store): if holdsStores { held.append(store) } else { finish(store) }
                case .notify(_, let memberID, let notice): notices[memberID, default: []].append(notice)
                }
            }
        }
    }

    mutating func finish(_ store: GroupStore, fails: Bool = false) {
        if fails { return coordinator.stored(store.id, .failed, now: now) }
        coordinator.stored(store.id, .durable(at: Int64(log.count)), now: now)
        log += store.records
    }

    mutating func pass(milliseconds: Int64) {
        now.wallMilliseconds += milliseconds
        now.monotonicNanoseconds += milliseconds * 1_000_000
        coordinator.advance(to: now)
        run()
    }

    static func request(
        _ memberID: String = "", client: String = "c", instance: String? = nil,
        protocols: [String] = ["range"], metadata: [UInt8] = [], isLocal: Bool = false,
        needsID: Bool = false, isReturning: Bool = false, type: String = "consumer"
    ) -> JoinRequest {
        JoinRequest(
            groupID: "g", memberID: memberID, instanceID: instance, clientID: client, clientHost: "/h",
            sessionTimeoutMilliseconds: 10_000, rebalanceTimeoutMilliseconds: 60_000, protocolType: type,
            protocols: protocols.map { GroupProtocol(name: $0, metadata: metadata) }, isLocal: isLocal,
            requiresKnownMemberID: needsID, isReturning: isReturning)
    }

    /// Joins; the ticket finds the answer in `joins`.
    @discardableResult mutating func join(_ request: JoinRequest) -> UInt64 {
        lastTicket += 1
        coordinator.join(request, ticket: lastTicket, now: now)
        run()
        return lastTicket
    }

    @discardableResult mutating func sync(
        _ memberID: String, _ generation: Int32, _ assignments: [String: [UInt8]] = [:],
        instance: String? = nil
    ) -> UInt64 {
        lastTicket += 1
        coordinator.sync(
            SyncRequest(
                groupID: "g", generation: generation, memberID: memberID, instanceID: instance,
                assignments: assignments), ticket: lastTicket, now: now)
        run()
        return lastTicket
    }

    @discardableResult mutating func commit(
        _ memberID: String = "", _ generation: Int32 = -1, offset: Int64 = 5, metadata: String = "",
        topic: String = "t"
    ) -> UInt64 {
        lastTicket += 1
        let offset = OffsetToCommit(
            GroupPartition(topic: topic, partition: 0), offset: offset, metadata: metadata)
        coordinator.commit(
            CommitRequest(groupID: "g", generation: generation, memberID: memberID, offsets: [offset]),
            ticket: lastTicket, now: now)
        run()
        return lastTicket
    }

    mutating func leave(_ memberID: String, instance: String? = nil) -> GroupError? {
        defer { run() }
        return coordinator.leave(
            groupID: "g", members: [.init(memberID: memberID, instanceID: instance)], now: now)[0]
    }

    mutating func heartbeat(_ memberID: String, _ generation: Int32) -> GroupError? {
        do throws(GroupError) {
            try coordinator.heartbeat(groupID: "g", generation: generation, memberID: memberID, now: now)
            return nil
        } catch { return error }
    }

    /// How it went; nil while that is not known.
    @discardableResult mutating func deleteTopic(_ topic: String) -> GroupError?? {
        lastTicket += 1
        coordinator.topicDeleted(topic, ticket: lastTicket, now: now)
        run()
        return topics[lastTicket]
    }

    /// A stable group of one; its member's id.
    mutating func single(_ request: JoinRequest = request()) throws -> String {
        let id = try joins[join(request)]?.get().memberID ?? ""
        sync(id, 1, [id: [7]])
        return id
    }

    /// Another bench that reads this one's log.
    func reloaded() throws -> GroupBench {
        var bench = GroupBench()
        bench.coordinator = GroupCoordinator(configuration: coordinator.configuration, seed: 2)
        for (offset, record) in log.enumerated() {
            try bench.coordinator.load(
                key: record.key[...], value: record.value?[...], offset: Int64(offset))
        }
        bench.log = log
        bench.now = now
        bench.coordinator.finishLoading(now: now)
        bench.run()
        return bench
    }

    var state: GroupState? { coordinator.describe("g")?.state }

    func committed(_ topic: String = "t") throws -> Int64? {
        try coordinator.committed(groupID: "g", partitions: [.init(topic: topic, partition: 0)])[0]
            .offset?.offset
    }
}
