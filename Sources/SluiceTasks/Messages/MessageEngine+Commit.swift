// What is committed, and with it the dead letters.
//
// (1) A commit with dead letters is one atomic write: a record is with the dead if and only if the group has
// settled it. (2) A record that does not fit such a write is there without its value, and its headers say
// where the value was. (3) A commit that meets a difference is not written: the partitions that somebody else
// has moved begin anew, the rest goes with the next.

import Logging
import Sluice
import SluiceCore
import SluiceLog

extension MessageEngine {
    /// Bytes of dead letters in one write, when there are several.
    private static let letterBytes = 256 << 10
    /// What the keys and headers of a letter take, about.
    private static let letterOverhead = 4 << 10
    private static let retryMilliseconds: Int64 = 30_000

    // MARK: Graves

    /// Sees that the dead have their records, and a topic to go to. With the lock.
    func tend(_ state: inout State, _ now: Instant) {
        guard !state.graves.isEmpty, deadTopic != nil else { return }
        var keys: [MessageKey] = []
        for (key, grave) in state.graves where grave.record == nil && !grave.isReading {
            if grave.retryAt ?? .min > now.monotonicNanoseconds { continue }
            state.graves[key]?.isReading = true
            state.graves[key]?.retryAt = nil
            keys.append(key)
        }
        if !keys.isEmpty { state.works.append(.exhume(keys.sorted())) }
        let isNeeded = state.graves.values.contains { grave in
            grave.record != nil && grave.retryAt ?? .min <= now.monotonicNanoseconds
        }
        if isNeeded, !state.deadTopicIsThere, !state.isMakingDeadTopic {
            state.isMakingDeadTopic = true
            state.works.append(.makeDeadTopic)
        }
    }

    /// A grave is tried again later; who waits for it is told why.
    func putOff(_ key: MessageKey, _ error: TaskError, _ state: inout State) {
        state.graves[key]?.retryAt = Instant.monotonicNow + Self.retryMilliseconds * 1_000_000
        guard let say = state.graves[key]?.say.take() else { return }
        state.works.append(.say { say(error) })
    }

    /// A grave is closed; who waits for it is told when a version is durable.
    func end(_ key: MessageKey, _ version: UInt64, _ state: inout State) {
        guard let grave = state.graves.removeValue(forKey: key), let say = grave.say else { return }
        state.parts[key.partition].answers.append(Answer(version: version, say: say))
    }

    func makeDeadTopic() {
        guard let deadTopic else { return }
        let life = state.withLock { $0.life }
        Task { [self] in
            var failure: StreamError?
            do throws(StreamError) {
                try await served.store.admin.ensureTopic(
                    deadTopic,
                    configuration: .init { $0.retentionTime = .seconds(14 * 24 * 3600) })
            } catch {
                failure = error
            }
            change { state in
                guard state.life == life else { return }
                state.isMakingDeadTopic = false
                guard let failure else { return state.deadTopicIsThere = true }
                logger.error(
                    "the topic of dead letters cannot be made",
                    metadata: ["topic": "\(deadTopic)", "reason": "\(failure)"])
                for (key, grave) in state.graves where grave.record != nil {
                    putOff(key, .stream(failure), &state)
                }
            }
        }
    }

    // MARK: Commits

    /// Begins a commit, when there is something to be said and none is under way. With the lock.
    func commit(_ state: inout State, _ now: Instant) {
        guard !state.machine.isCommitting else { return }
        if let moment = state.commitAt {
            guard moment <= now.monotonicNanoseconds else { return }
            state.commitAt = nil
        }
        let ready = lettersThatFit(state, now)
        guard let commit = state.machine.commit(burying: ready, now: now) else {
            for pending in state.idle { state.works.append(.say { pending.give(()) }) }
            return state.idle = []
        }
        state.commits += 1
        var letters: [(key: MessageKey, Grave)] = []
        for key in commit.buried { if let grave = state.graves[key] { letters.append((key, grave)) } }
        let parts = commit.parts.map { state.parts[$0.partition] }
        state.works.append(.commit(commit, parts.map(\.place), parts.map(\.number), letters: letters))
    }

    private func lettersThatFit(_ state: borrowing State, _ now: Instant) -> [MessageKey] {
        guard state.deadTopicIsThere, !state.graves.isEmpty else { return [] }
        var (keys, bytes): ([MessageKey], Int) = ([], 0)
        for (key, grave) in state.graves.sorted(by: { $0.key < $1.key }) {
            guard let record = grave.record, grave.retryAt ?? .min <= now.monotonicNanoseconds else {
                continue
            }
            let size = Self.bytes(of: record)
            if !keys.isEmpty, bytes + size > Self.letterBytes { break }
            keys.append(key)
            bytes += size
        }
        return keys
    }

    private static func bytes(of record: Record) -> Int {
        let headers = record.headers.reduce(0) { $0 + $1.key.utf8.count + ($1.value?.count ?? 0) + 16 }
        return (record.key?.byteCount ?? 0) + (record.value?.byteCount ?? 0) + headers + letterOverhead
    }

    func write(
        _ commit: MessageCommit, _ places: [TopicPartition], _ numbers: [Int],
        _ letters: [(key: MessageKey, Grave)]
    ) {
        let life = state.withLock { $0.life }
        let lone = LoneCommit(
            group: group,
            parts: commit.parts.indices.map { index in
                LoneCommit.Part(
                    places[index], number: numbers[index], expected: commit.parts[index].expected,
                    position: commit.parts[index].position)
            })
        Task { [self] in
            var failure: LoneCommitError?
            do throws(LoneCommitError) {
                var write = served.exemptWrite()
                try add(letters, to: &write)
                try await served.write(write, committing: lone)
            } catch {
                failure = error
            }
            finished(commit, failure, life)
        }
    }

    private func add(
        _ letters: [(key: MessageKey, Grave)], to write: inout AtomicWrite
    ) throws(LoneCommitError) {
        guard let deadTopic, !letters.isEmpty else { return }
        let settings = served.topic(deadTopic)?.settings
        let most = min(Int64(Limits.atomicBytes), Int64(settings?.maxMessageBytes ?? .max))
        do throws(StreamError) {
            for (key, grave) in letters {
                guard let record = grave.record else { continue }
                var headers = record.headers
                headers += self.headers(of: key, grave, record)
                if Int64(Self.bytes(of: record)) <= most {
                    try write.append(to: deadTopic, key: record.key, value: record.value, headers: headers)
                } else {
                    let omitted = RecordHeader(
                        key: "sluice.dead.omitted", value: Array("\(record.value?.byteCount ?? 0)".utf8))
                    headers = self.headers(of: key, grave, record) + [omitted]
                    try write.append(
                        to: deadTopic, partition: 0, value: NullBytes(), headers: headers)
                }
            }
        } catch {
            throw .stream(error)
        }
    }

    private func headers(of key: MessageKey, _ grave: Grave, _ record: Record) -> [RecordHeader] {
        let fields = [
            ("topic", topic), ("partition", "\(key.partition)"), ("offset", "\(key.offset)"),
            ("timestamp", "\(record.timestamp.millisecondsSince1970)"), ("group", group),
            ("deliveries", "\(grave.deliveries)"),
            ("reason", grave.reason ?? "it was delivered \(grave.deliveries) times"),
        ]
        return fields.map { RecordHeader(key: "sluice.dead.\($0.0)", value: Array($0.1.utf8)) }
    }

    private func finished(_ commit: MessageCommit, _ error: LoneCommitError?, _ life: Int) {
        // Somebody else's commit came while this was under way.
        let isToLook = state.withLock { state in
            defer { state.changes = 0 }
            return state.changes > (error == nil ? 1 : 0)
        }
        switch error {
        case nil: change { state in committed(commit, &state, life) }
        case .unstable: unstable(commit, life)
        case .moved(let moved):
            change { state in
                guard state.life == life else { return }
                state.machine.refused(commit)
                for (place, stored) in moved { restart(place.partition, at: stored, &state) }
            }
        case .stream(.unknownTopic(let name)) where name == deadTopic:
            // Somebody has deleted it: nothing was written, and it is made again.
            change { state in
                guard state.life == life else { return }
                state.machine.refused(commit)
                state.deadTopicIsThere = false
            }
        case .hasMembers: fail(.groupHasConsumers(group), of: life)
        case .stream(let error): fail(.stream(error), of: life)
        }
        // One that came between the two, unless the next commit has begun, which will count it.
        let isNews = state.withLock { $0.changes > 0 && !$0.machine.isCommitting }
        if isToLook || isNews { groupChanged() }
    }

    private func committed(_ commit: MessageCommit, _ state: inout State, _ life: Int) {
        guard state.life == life else { return }
        state.machine.committed(commit)
        state.delays = 0
        for key in commit.buried { end(key, state.machine.durableVersion(key.partition), &state) }
        for part in commit.parts {
            let durable = state.machine.durableVersion(part.partition)
            // They were made in the order of their versions, but for those of graves.
            state.parts[part.partition].answers.removeAll { answer in
                guard answer.version <= durable else { return false }
                state.works.append(.say { answer.say(nil) })
                return true
            }
        }
    }

    /// Somebody else's commit is on its way: a millisecond later it may have come.
    private func unstable(_ commit: MessageCommit, _ life: Int) {
        let isOver = change { state in
            guard state.life == life else { return false }
            state.machine.refused(commit)
            state.delays += 1
            state.commitAt = Instant.monotonicNow + 1_000_000
            return state.delays > Self.looks
        }
        if isOver { fail(.stream(inDoubt), of: life) }
    }
}
