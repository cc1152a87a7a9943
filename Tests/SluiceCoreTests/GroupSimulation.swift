// A group's life with a seed: the coordinator and many members, while everything goes wrong that can.
//
// What happens: members join, leave, crash, are replaced by another of their name, are slow to give up,
// exceed their time; answers come late; stores finish in any order, or fail; the store is closed hard and
// its offsets topic read again. What holds after every step: (1) no partition has two owners; (2) a
// committed offset never goes back, and none of a deleted topic is there when another has its name; (3) what
// is visible is what was reported durable; (4) a commit of another generation is refused, and
// one of a generation that has no assignments yet. After a quiet time
// every partition of a subscribed topic has one owner, and the loads are even.

import SluiceCore
import SluiceLog
import SluiceTesting

/// What does not hold, with what was done last.
struct BrokenGroup: Error, CustomStringConvertible {
    var seed: UInt64
    var step: Int
    var reason: String
    var history: [String]
    var description: String {
        "seed \(seed), step \(step): \(reason)\n" + history.suffix(60).joined(separator: "\n")
    }
}

final class GroupSimulation {
    struct Consumer {
        var member: GroupMember
        var isLocal: Bool
        var subscribesToAll: Bool
        var ticket: UInt64 = 0
        var answers: [GroupEffect] = []
        var isRevoking = false
        var mustRetry = false
        /// Where it reads; nil until the committed offset is known.
        var positions: [GroupPartition: Int64] = [:]
        var commitsInFlight = 0
    }
    struct InFlight {
        var store: GroupStore
        var base: Int64
    }
    static let groupID = "g"

    let seed: UInt64
    var random: SeededRandom
    var coordinator: GroupCoordinator
    var consumers: [Int: Consumer] = [:]
    var lastConsumer = 0
    var lastTicket: UInt64 = 0
    /// How often a topic was deleted: a commit of an earlier one must not show in a later one.
    var incarnations: [String: Int64] = [:]
    /// Topics that are being deleted, by the ticket of their deletion: the next of that name is not there
    /// yet.
    var deletions: [UInt64: String] = [:]
    /// Whose commit a ticket is.
    var commitTickets: [UInt64: Int] = [:]
    var refusedTickets: Set<UInt64> = []
    var log: [(record: GroupRecord, offset: Int64, isReported: Bool)] = []
    var logEnd: Int64 = 0
    var inFlight: [InFlight] = []
    var counts: [String: Int32] = [:]
    var assignors: [Assignor]
    var subscribesEqually: Bool
    var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1)
    var seen: [GroupPartition: Int64] = [:]
    var history: [String] = []
    var step = 0
    var isQuiet = false
    let usesWire: Bool

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        coordinator = GroupCoordinator(
            configuration: .init { $0.initialRebalanceDelayMilliseconds = 500 }, seed: seed)
        let lists: [[Assignor]] = [
            Assignor.allCases, Assignor.allCases, [.cooperativeSticky], [.range], [.roundRobin, .range],
        ]
        assignors = random.pick(lists)
        subscribesEqually = random.chance(0.6)
        usesWire = random.chance(0.5)
        for index in 0..<random.within(1...4) { counts["t\(index)"] = Int32(random.within(1...9)) }
        coordinator.finishLoading(now: now)
    }

    static func run(seed: UInt64) throws { try GroupSimulation(seed: seed).run() }

    func run() throws {
        for _ in 0..<random.within(50...400) {
            step += 1
            try act()
            try check()
        }
        try settle()
    }

    func note(_ text: @autoclosure () -> String) {
        history.append("\(step) \(text())")
        if history.count > 200 { history.removeFirst(100) }
    }

    func broken(_ reason: String) -> BrokenGroup {
        BrokenGroup(seed: seed, step: step, reason: reason, history: history)
    }

    // MARK: What happens

    func act() throws {
        let ids = consumers.keys.sorted()
        switch random.below(100) {
        case ..<8: if ids.count < 7 { startConsumer() }
        case ..<11: if let id = pick(ids) { leave(id, immediately: random.chance(0.5)) }
        case ..<13: if let id = pick(ids) { crash(id) }
        case ..<40: if let id = pick(ids) { try deliver(id) }
        case ..<52: if let id = pick(ids) { finishRevoking(id) }
        case ..<70: try finishStore(fails: random.chance(0.1))
        case ..<85: if let id = pick(ids) { try read(id) }
        case ..<87: if let id = pick(ids) { commitStale(id) }
        case ..<95: try pass(milliseconds: random.pick([1, 100, 1_000, 3_000]))
        case ..<96: try pass(milliseconds: 61_000)
        case ..<97: if random.chance(0.7) { changeTopics() } else { deleteTopic() }
        case ..<98: try restart()
        case ..<99:
            if let id = pick(ids), consumers[id]?.isLocal == true, let member = consumers[id]?.member {
                note("\(id) exceeds its time")
                coordinator.processing(
                    groupID: Self.groupID, memberID: member.memberID, until: now.monotonicNanoseconds)
                coordinator.advance(to: now)
                try carry()
            }
        default: retryAll()
        }
        try carry()
    }

    func pick(_ ids: [Int]) -> Int? { ids.isEmpty ? nil : random.pick(ids) }

    func topics(all: Bool) -> [String] {
        let names = counts.keys.sorted()
        return all ? names : names.filter { _ in random.chance(0.6) }
    }

    func startConsumer() {
        lastConsumer += 1
        let all = subscribesEqually || random.chance(0.3)
        var configuration = GroupMember.Configuration(
            groupID: Self.groupID, clientID: "c\(lastConsumer)", processingTimeoutMilliseconds: 60_000,
            assignors: assignors)
        if random.chance(0.3) { configuration.instanceID = "static-\(random.below(2))" }
        // One that offers only an eager protocol, so that the group has to change.
        if assignors.count > 2, random.chance(0.15) { configuration.assignors = [.range] }
        var member = GroupMember(configuration, topics: topics(all: all), counts: counts)
        member.start()
        let isLocal = !usesWire || random.chance(0.5)
        consumers[lastConsumer] = Consumer(member: member, isLocal: isLocal, subscribesToAll: all)
        note("start \(lastConsumer) local \(isLocal) \(configuration.instanceID ?? "-") \(member.topics)")
    }

    func leave(_ id: Int, immediately: Bool) {
        note("leave \(id) \(immediately)")
        consumers[id]?.member.leave(immediately: immediately)
    }

    /// One on the wire says nothing any more; one in this process is dropped, and so leaves.
    func crash(_ id: Int) {
        guard consumers[id]?.isLocal == false else { return leave(id, immediately: true) }
        note("crash \(id)")
        consumers[id] = nil
    }

    func deliver(_ id: Int) throws {
        guard var consumer = consumers[id], !consumer.answers.isEmpty else { return }
        switch consumer.answers.removeFirst() {
        case .joined(let ticket, let result) where ticket == consumer.ticket:
            note("\(id) joined \(describe(result.map { "\($0.generation) \($0.protocolName)" }))")
            consumer.member.joined(result)
        case .synced(let ticket, let result) where ticket == consumer.ticket:
            note("\(id) synced \(describe(result.map { "\($0.assignment.count) bytes" }))")
            consumer.member.synced(result)
        default: break
        }
        consumers[id] = consumer
    }

    func describe(_ result: Result<String, GroupError>) -> String {
        switch result {
        case .success(let text): text
        case .failure(let error): "\(error)"
        }
    }

    func finishRevoking(_ id: Int) {
        // Its last commits first: else its successor would begin before them.
        guard let consumer = consumers[id], consumer.isRevoking, consumer.commitsInFlight == 0 else { return }
        note("\(id) revoked")
        consumers[id]?.isRevoking = false
        consumers[id]?.member.revoked()
    }

    func finishStore(fails: Bool) throws {
        guard !inFlight.isEmpty else { return }
        let flight = inFlight.remove(at: random.below(inFlight.count))
        note("store \(flight.store.id) \(fails ? "fails" : "is durable at \(flight.base)")")
        if fails {
            coordinator.stored(flight.store.id, .failed, now: now)
        } else {
            write(flight, isReported: true)
            coordinator.stored(flight.store.id, .durable(at: flight.base), now: now)
        }
        try carry()
    }

    func write(_ flight: InFlight, isReported: Bool) {
        for (index, record) in flight.store.records.enumerated() {
            log.append((record, flight.base + Int64(index), isReported))
        }
    }

    /// Looks up where to begin, reads on, and commits.
    func read(_ id: Int) throws {
        guard var consumer = consumers[id], !consumer.isRevoking else { return }
        for partition in consumer.member.owned
        where consumer.positions[partition] == nil && !isDeleting(partition.topic) {
            do throws(GroupError) {
                let committed = try coordinator.committed(
                    groupID: Self.groupID, partitions: [partition], requireStable: true)
                consumer.positions[partition] = committed[0].offset?.offset ?? start(of: partition.topic)
            } catch {}
        }
        var offsets: [OffsetToCommit] = []
        for partition in consumer.member.owned {
            guard let position = consumer.positions[partition], random.chance(0.7) else { continue }
            consumer.positions[partition] = position + Int64(random.within(1...5))
            offsets.append(OffsetToCommit(partition, offset: position + 1))
        }
        if !offsets.isEmpty {
            lastTicket += 1
            commitTickets[lastTicket] = id
            consumer.commitsInFlight += 1
            note("\(id) commits \(offsets.map { "\($0.partition)=\($0.offset)" }.joined(separator: " "))")
        }
        consumers[id] = consumer
        if !offsets.isEmpty { commit(consumer, offsets) }
    }

    func commit(_ consumer: Consumer, _ offsets: [OffsetToCommit], generation: Int32? = nil) {
        // Nobody owns anything before the assignments are there.
        let state = coordinator.describe(Self.groupID)?.state
        if state == .completingRebalance { refusedTickets.insert(lastTicket) }
        coordinator.commit(
            CommitRequest(
                groupID: Self.groupID, generation: generation ?? consumer.member.generation,
                memberID: consumer.member.memberID, instanceID: consumer.member.configuration.instanceID,
                offsets: offsets), ticket: lastTicket, now: now)
    }

    func commitStale(_ id: Int) {
        guard let consumer = consumers[id], let partition = consumer.member.owned.first,
            let current = coordinator.describe(Self.groupID)?.generation, current > 0
        else { return }
        lastTicket += 1
        refusedTickets.insert(lastTicket)
        commit(consumer, [OffsetToCommit(partition, offset: 1_000_000)], generation: current - 1)
    }

    /// Time passes in pieces in which members on the wire are heard of.
    func pass(milliseconds: Int64) throws {
        var left = milliseconds
        while left > 0 {
            let piece = min(left, 3_000)
            left -= piece
            now.wallMilliseconds += piece
            now.monotonicNanoseconds += piece * 1_000_000
            for id in consumers.keys.sorted() { heartbeat(id) }
            try carry()
            coordinator.advance(to: now)
            try carry()
        }
    }

    func heartbeat(_ id: Int) {
        guard let consumer = consumers[id], !consumer.isLocal, !consumer.member.memberID.isEmpty,
            [.stable, .revoking].contains(consumer.member.phase)
        else { return }
        do throws(GroupError) {
            try coordinator.heartbeat(
                groupID: Self.groupID, generation: consumer.member.generation,
                memberID: consumer.member.memberID, instanceID: consumer.member.configuration.instanceID,
                now: now)
        } catch .rebalanceInProgress {
            consumers[id]?.member.rebalanceNeeded()
        } catch .fencedInstance {
            consumers[id]?.member.fenced()
        } catch {
            note("\(id) heartbeat \(error)")
            lose(id)
        }
    }

    func lose(_ id: Int) {
        consumers[id]?.member.removed()
        consumers[id]?.isRevoking = false
        consumers[id]?.positions = [:]
    }

    func changeTopics() {
        guard let topic = pick(Array(0..<counts.count)).map({ "t\($0)" }) else { return }
        counts[topic, default: 0] += 1
        note("topic \(topic) grows to \(counts[topic] ?? 0)")
        tellTopics()
    }

    /// A topic is deleted, and another made of its name: consumers begin it at its beginning. Offsets say
    /// which of the topics they are of.
    func deleteTopic() {
        guard let topic = pick(Array(0..<counts.count)).map({ "t\($0)" }) else { return }
        incarnations[topic, default: 0] += 1
        note("topic \(topic) is deleted and made anew")
        for id in consumers.keys.sorted() {
            let kept = consumers[id]?.positions.filter { $0.key.topic != topic }
            consumers[id]?.positions = kept ?? [:]
        }
        forget(topic)
    }

    func forget(_ topic: String) {
        lastTicket += 1
        deletions[lastTicket] = topic
        coordinator.topicDeleted(topic, ticket: lastTicket, now: now)
    }

    func isDeleting(_ topic: String) -> Bool { deletions.values.contains(topic) }

    /// Where a topic begins: far behind where any before it of that name has come to.
    func start(of topic: String) -> Int64 { (incarnations[topic] ?? 0) * 1_000_000_000 }

    func tellTopics() {
        for id in consumers.keys.sorted() {
            guard let consumer = consumers[id] else { continue }
            consumers[id]?.member.topicsChanged(topics: consumer.member.topics, counts: counts)
        }
    }

    func retryAll() {
        for id in consumers.keys.sorted() where consumers[id]?.mustRetry == true {
            consumers[id]?.mustRetry = false
            consumers[id]?.member.retry()
        }
    }

    /// The process dies and comes back: what was on its way is there or not.
    func restart() throws {
        try checkVisible()
        note("restart")
        for flight in inFlight where random.chance(0.5) { write(flight, isReported: true) }
        inFlight = []
        for (ticket, id) in commitTickets {
            consumers[id]?.commitsInFlight -= 1
            commitTickets[ticket] = nil
        }
        load()
        if random.chance(0.3) {
            // As after damage: the topic is written anew from what is true.
            log = coordinator.liveRecords().enumerated().map { ($1, Int64($0), true) }
            logEnd = Int64(log.count)
            load()
        }
        for id in consumers.keys.sorted() {
            guard let consumer = consumers[id] else { continue }
            if consumer.isLocal {
                consumers[id] = nil
                continue
            }
            consumers[id]?.answers = []
            switch consumer.member.phase {
            case .joining: consumers[id]?.member.joined(.failure(.coordinatorNotAvailable))
            case .syncing: consumers[id]?.member.synced(.failure(.rebalanceInProgress))
            case .idle, .stable, .revoking, .waiting, .ended: break
            }
        }
        let unfinished = Set(deletions.values).sorted()
        deletions = [:]
        for topic in unfinished { forget(topic) }
        seen = visible()
        try checkVisible()
        try carry()
    }

    func load() {
        coordinator = GroupCoordinator(configuration: coordinator.configuration, seed: random.next())
        for (record, offset, _) in log.sorted(by: { $0.offset < $1.offset }) {
            do throws(MalformedRecord) {
                try coordinator.load(key: record.key[...], value: record.value?[...], offset: offset)
            } catch { note("\(error)") }
        }
        coordinator.finishLoading(now: now)
    }
}
