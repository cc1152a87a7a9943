// A topic and group out of what the group has committed, before anybody asks; and what is done when others
// change it.
//
// (1) A load that failed is begun anew by the next call. While it runs, calls wait. (2) What others commit
// is looked for between two commits of this: only then is a difference theirs. (3) A partition of which
// nothing is committed any more has all begun anew, since where to begin may have to be looked up.

import Logging
import Sluice
import SluiceCore
import SluiceLog

extension MessageEngine {
    /// What is wrong with a topic, a group or its dead letters. Throws `stream(.unknownTopic)`, `illegal`.
    static func check(
        _ topic: String, _ group: String, _ configuration: MessageQueueConfiguration, _ served: ServedStore
    ) throws(TaskError) {
        guard served.topic(topic) != nil else { throw .stream(.unknownTopic(topic)) }
        guard (1...GroupLimits.groupIDBytes).contains(group.utf8.count) else {
            throw .illegal(reason: "a group's name has 1 to \(GroupLimits.groupIDBytes) bytes")
        }
        guard let dead = configuration.deadTopic(of: topic, group) else { return }
        if let reason = TopicName.check(dead) {
            throw .illegal(
                reason: "\"\(dead)\" cannot be the topic of the dead letters, since \(reason): name another")
        }
        if dead == topic {
            throw .illegal(reason: "the dead letters of \"\(topic)\" would be messages of it again")
        }
        guard let there = served.topic(dead) else { return }
        if there.isInternal || there.settings.cleanupPolicy.contains(.compact) {
            throw .illegal(
                reason: "\"\(dead)\" cannot be the topic of the dead letters: it is compacted, or internal")
        }
    }

    /// Loads it, and hears of what concerns it from then on.
    nonisolated(nonsending) func begin() async throws(TaskError) {
        try await ready()
        served.attach(self, to: group)
        // What came between the two.
        groupChanged()
        catalogueChanged()
    }

    /// Returns when it can be asked. Throws `groupHasConsumers`, `stream`, `cancelled`.
    nonisolated(nonsending) func ready() async throws(TaskError) {
        let entry = state.withLock { $0.phase.enter() }
        try await entry.loaded { [self] in await loadAndTell() }
    }

    private func loadAndTell() async -> TaskError? {
        var loaded: [Loaded] = []
        var failure: TaskError?
        do throws(TaskError) {
            loaded = try await load()
        } catch {
            failure = error
        }
        let waiting = change { state -> [PendingAnswer<TaskError?>] in
            guard case .loading(let waiting) = state.phase else { return [] }
            if let failure {
                state.phase = failure == .stream(.closed) ? .closed : .unloaded
                for waiter in state.waiters {
                    state.works.append(.say { waiter.wake(failure == .stream(.closed) ? nil : failure) })
                }
                state.waiters = []
            } else {
                begin(&state, loaded)
            }
            return waiting
        }
        for pending in waiting { pending.give(failure) }
        return failure
    }

    private func begin(_ state: inout State, _ loaded: [Loaded]) {
        let now = Instant.now
        state.phase = .ready
        state.machine = MessageMachine(
            configuration: configuration.machine, lastToken: state.machine.lastToken)
        state.parts = []
        for one in loaded { add(one, &state, now) }
        (state.commitAt, state.delays, state.changes) = (nil, 0, 0)
        (state.wakesAt, state.refreshAt) = (.max, .max)
        refresh(&state)
    }

    private func add(_ one: Loaded, _ state: inout State, _ now: Instant) {
        state.machine.open(one.stored, start: one.start, now: now)
        state.parts.append(Part(place: one.place, number: one.number))
    }

    /// A partition, and what the group has committed of it.
    private struct Loaded: Sendable {
        var place: TopicPartition
        var number: Int
        var stored: StoredPosition?
        var start: Int64
    }

    private func load() async throws(TaskError) -> [Loaded] {
        do throws(StreamError) {
            try await served.groupsReady(isToBeMade: true)
            guard let found = served.topic(topic) else { throw .unknownTopic(topic) }
            let places = found.numbers.indices.map { TopicPartition(topic: topic, partition: $0) }
            watch(found.numbers)
            let stored = try await settled(places)
            var loaded: [Loaded] = []
            for (place, number) in zip(places, found.numbers) {
                var one = Loaded(place: place, number: number, stored: stored[place], start: 0)
                if one.stored == nil { one.start = try await start(place, number) }
                loaded.append(one)
            }
            if let members = served.groupDescription(group)?.members, !members.isEmpty {
                throw .groupNotEmpty(group)
            }
            return loaded
        } catch .groupNotEmpty {
            throw .groupHasConsumers(group)
        } catch {
            throw .stream(error)
        }
    }

    /// What is committed, as soon as no commit is on its way.
    private func settled(
        _ places: [TopicPartition]
    ) async throws(StreamError) -> [TopicPartition: StoredPosition] {
        for _ in 0..<Self.looks {
            if let stored = served.settled(group, places) { return stored }
            if served.isClosed { throw .closed }
            let later = PendingAnswer<Void>()
            served.schedule(at: Instant.monotonicNow + 1_000_000) { later.give(()) }
            _ = await later.value()
        }
        throw inDoubt
    }

    /// Ten seconds of looks, a millisecond apart.
    static let looks = 10_000

    var inDoubt: StreamError {
        .indeterminate(
            TopicPartition(topic: topic, partition: 0),
            reason: "a commit of the group \"\(group)\" has no outcome before the store is opened again")
    }

    private func start(_ place: TopicPartition, _ number: Int) async throws(StreamError) -> Int64 {
        let (served, position) = (served, configuration.start)
        let result = await served.onReader { () -> Result<Int64, StreamError> in
            do throws(StreamError) {
                return .success(try served.offset(of: position, in: place, number))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Hears of new records, and of the store's close.
    private func watch(_ numbers: [Int]) {
        let watermark = WatermarkWatch(
            served, onAdvance: { [weak self] number in self?.advanced(number) },
            onClose: { [weak self] in self?.fail(.stream(.closed)) })
        state.withLock { $0.watermark = watermark }
        watermark.watch(numbers)
    }

    private func advanced(_ number: Int) {
        let isAwaited = state.withLock { state in
            guard let index = state.parts.firstIndex(where: { $0.number == number }) else { return false }
            state.parts[index].hasMore = true
            state.parts[index].advances += 1
            return !state.waiters.isEmpty
        }
        if isAwaited { change { _ in } }
    }

    // MARK: What others change

    /// Somebody has committed something of the group; this, as a rule.
    func groupChanged() {
        let (commits, places) = state.withLock { state -> (Int?, [TopicPartition]) in
            guard case .ready = state.phase else { return (nil, []) }
            guard !state.machine.isCommitting else {
                state.changes += 1
                return (nil, [])
            }
            state.changes = 0
            return (state.commits, state.parts.map(\.place))
        }
        guard let commits, let stored = served.settled(group, places) else { return }
        change { state in
            guard case .ready = state.phase, !state.machine.isCommitting, state.commits == commits,
                state.parts.map(\.place) == places
            else { return }
            for (partition, place) in places.enumerated() {
                // One of them may have all begun anew.
                guard case .ready = state.phase else { return }
                guard stored[place] != state.machine.stored(partition) else { continue }
                restart(partition, at: stored[place], &state)
            }
        }
    }

    /// Begins a partition anew where somebody else has moved the group. With the lock.
    func restart(_ partition: Int, at stored: StoredPosition?, _ state: inout State) {
        guard case .ready = state.phase else { return }
        guard let stored else {
            state.end(lost(MessageKey(partition: partition, offset: state.machine.next(partition))))
            state.phase = .unloaded
            return state.works.append(.load)
        }
        logger.info(
            "a group was moved, and its messages are given out from there",
            metadata: [
                "group": "\(group)", "partition": "\(state.parts[partition].place)",
                "offset": "\(stored.offset)",
            ])
        state.machine.restart(partition, at: stored, start: stored.offset, now: .now)
        for answer in state.parts[partition].answers {
            let failure = lost(MessageKey(partition: partition, offset: stored.offset))
            state.works.append(.say { answer.say(failure) })
        }
        for (key, grave) in state.graves where key.partition == partition {
            let failure = lost(key)
            if let say = grave.say { state.works.append(.say { say(failure) }) }
            state.graves[key] = nil
        }
        state.records = state.records.filter { $0.key.partition != partition }
        state.parts[partition].answers = []
        (state.parts[partition].run, state.parts[partition].isReading) = (nil, false)
        (state.parts[partition].hasMore, state.parts[partition].retryAt) = (true, nil)
        state.parts[partition].epoch += 1
        state.open(graves: state.machine.takeDying())
    }

    func catalogueChanged() {
        let numbers = state.withLock { state -> [Int]? in
            guard case .ready = state.phase else { return nil }
            return state.parts.map(\.number)
        }
        guard let numbers else { return }
        guard let found = served.topic(topic), found.numbers.starts(with: numbers) else {
            return fail(.stream(.unknownTopic(topic)))
        }
        guard found.numbers.count > numbers.count else { return }
        let all = found.numbers
        Task { [self] in
            let places = (numbers.count..<all.count).map { TopicPartition(topic: topic, partition: $0) }
            guard let stored = try? await settled(places) else { return }
            watch(all)
            change { state in
                guard case .ready = state.phase, state.parts.map(\.number) == numbers else { return }
                for place in places {
                    let number = all[place.partition]
                    // Whatever `start` says: a record of it has come since the queue began.
                    let start = served.ends(of: [number])[0]?.logStart ?? 0
                    add(
                        Loaded(place: place, number: number, stored: stored[place], start: start),
                        &state, .now)
                }
            }
        }
    }

    // MARK: The end

    /// Nothing of what was decided since the last commit holds: everyone who waits is told.
    func fail(_ error: TaskError, of life: Int? = nil) {
        change { state in
            if let life, state.life != life { return }
            if case .closed = state.phase { return }
            let isClosed = error == .stream(.closed)
            if case .loading = state.phase, !isClosed { return }
            state.end(error)
            for waiter in state.waiters { state.works.append(.say { waiter.wake(isClosed ? nil : error) }) }
            state.waiters = []
            if case .loading(let waiting) = state.phase {
                for pending in waiting { state.works.append(.say { pending.give(error) }) }
            }
            state.phase = isClosed ? .closed : .unloaded
            if !isClosed {
                logger.error(
                    "what was decided of messages could not be stored",
                    metadata: ["topic": "\(topic)", "group": "\(group)", "reason": "\(error)"])
            }
        }
    }

    /// The store is being closed: nothing more is given out, and what nobody heard of is taken back.
    nonisolated(nonsending) func storeCloses() async {
        let idle = PendingAnswer<Void>()
        change { state in
            state.isClosing = true
            for waiter in state.waiters { state.works.append(.say { waiter.wake() }) }
            state.waiters = []
            guard case .ready = state.phase else { return idle.give(()) }
            state.uncount()
            state.idle.append(idle)
        }
        _ = await idle.value()
    }
}

extension MessageEngine.State {
    /// Everyone who waits for a commit is told that it will not be; the machine counts for nothing.
    mutating func end(_ error: TaskError) {
        life += 1
        for part in parts { for answer in part.answers { works.append(.say { answer.say(error) }) } }
        for grave in graves.values {
            if let say = grave.say { works.append(.say { say(error) }) }
        }
        for pending in idle { works.append(.say { pending.give(()) }) }
        machine = MessageMachine(configuration: machine.configuration, lastToken: machine.lastToken)
        (parts, records, graves, idle) = ([], [:], [:], [])
        (recalling, isMakingDeadTopic, failure) = (0, false, nil)
    }
}
