// What a member commits, and how it leaves.

import SluiceCore
import SluiceLog

/// How far a consumer has come in a partition, and in which: its number is the volume's, and a later topic of
/// the same name has others, greater ones.
struct Progress: Hashable, Comparable, Sendable {
    var offset: Int64
    var number: Int

    static func < (a: Self, b: Self) -> Bool { (a.number, a.offset) < (b.number, b.offset) }
}

extension Membership {
    /// Whether a commit by itself is due.
    var isToCommit: Bool {
        guard commitInterval != nil else { return false }
        return state.withLock { $0.member != nil && Instant.monotonicNow >= $0.commitDue }
    }

    /// Commits what has moved, and does not wait for it.
    func commitInBackground(_ processed: [TopicPartition: Progress]) {
        let (moved, request) = state.withLock { state -> ([TopicPartition: Progress], CommitRequest?) in
            let moved = ahead(ahead(processed, state.committed), state.sent)
            guard !moved.isEmpty, let request = self.request(state, moved) else { return ([:], nil) }
            state.commitDue = Instant.monotonicNow.addingSaturated(commitInterval ?? 0)
            state.sent.merge(moved) { $1 }
            return (moved, request)
        }
        guard let request else { return }
        let began = Instant.monotonicNow
        send(request, moved) { [weak self] result in
            guard let self else { return }
            let isDone = (try? Admin.outcome(result, request.groupID).get()) != nil
            state.withLock { state in
                // Moved since, or more of it has been sent: this counts for nothing any more.
                for (place, progress) in moved where state.sent[place] == progress {
                    state.sent[place] = nil
                    // What was not committed is in the next one.
                    if isDone { state.committed[place] = progress }
                }
            }
            if isDone {
                groups.committed(moved, in: request.groupID, since: began)
            } else {
                // The loop may be waiting, and counts on it.
                state.withLock { $0.watcher }?.wake()
            }
        }
    }

    /// What has been processed beyond what was committed: what commits itself never goes back.
    private func ahead(
        _ processed: [TopicPartition: Progress], _ committed: [TopicPartition: Progress]
    ) -> [TopicPartition: Progress] {
        processed.filter { place, progress in committed[place].map { progress > $0 } ?? true }
    }

    /// What of these partitions is still to be committed by itself.
    func uncommitted(_ processed: [TopicPartition: Progress]) -> [TopicPartition: Progress] {
        isManual ? [:] : ahead(processed, state.withLock { $0.committed })
    }

    /// The program has moved the consumer: from there on anything may be committed.
    func moved(_ partition: TopicPartition) {
        state.withLock { state in
            state.committed[partition] = nil
            state.sent[partition] = nil
        }
    }

    /// The loop is about to wait, perhaps for long: sees that what has been processed is committed in time.
    func willWait(_ processed: @autoclosure () -> [TopicPartition: Progress]) {
        guard commitInterval != nil else { return }
        let processed = processed()
        let due = state.withLock { state -> Int64? in
            guard state.member != nil, !state.isTimerSet,
                !ahead(ahead(processed, state.committed), state.sent).isEmpty
            else { return nil }
            state.isTimerSet = true
            return state.commitDue
        }
        guard let due else { return }
        groups.engine.timer.schedule(at: due) { [weak self] in
            guard let self else { return }
            state.withLock { state in
                state.isTimerSet = false
                return state.watcher
            }?.wake()
        }
    }

    /// Commits, and returns when that is durable. Throws `fenced`, `unknownMember`, `indeterminate`,
    /// `closed`.
    nonisolated(nonsending) func commit(_ offsets: [TopicPartition: Progress]) async throws(StreamError) {
        guard !offsets.isEmpty else { return }
        let began = Instant.monotonicNow
        try await retrying { request in
            let answer = Waiter<Result<[RefusedPartition], GroupError>>()
            guard send(request(offsets), offsets, { answer.resume(.success($0)) }) else {
                return .success(.closed)
            }
            let result = await answer.value()
            guard case .success(let outcome) = result else { return .success(.closed) }
            switch outcome {
            case .failure(let error): return .failure(error)
            case .success(let refused): return refused.first.map { .failure($0.error) } ?? .success(.done)
            }
        }
        noteCommitted(offsets)
        groups.committed(offsets, in: groupID, since: began)
    }

    /// What came of one try.
    private enum Try { case done, closed }

    /// Tries a commit, again in the next generation when a rebalance has come in between: what is still here
    /// is committed in that one.
    private nonisolated(nonsending) func retrying(
        _ body: ((([TopicPartition: Progress]) -> CommitRequest)) async -> Result<Try, GroupError>
    ) async throws(StreamError) {
        for _ in 0..<Self.attempts {
            guard let member = state.withLock({ Requester($0, groupID, instanceID) }) else { throw gone }
            switch await body(member.request) {
            case .success(.done): return
            case .success(.closed): throw .closed
            case .failure(.rebalanceInProgress):
                guard await settles() != nil else { throw gone }
            case .failure(.illegalGeneration):
                let generation = await settles()
                if generation == nil || generation == member.generation { throw gone }
            case .failure(let error):
                if case .unknownMember = error { throw gone }
                throw StreamError(error, group: groupID)
            }
        }
        throw .fenced(group: groupID, reason: "its partitions are being given out anew, again and again")
    }

    /// Why nothing can be committed: it was away too long, another took its place, or it has left.
    var gone: StreamError {
        let (failure, isLost) = state.withLock { ($0.failure, $0.isLost) }
        if let failure { return failure }
        if isLost { return .fenced(group: groupID, reason: "it took longer than its processing time-out") }
        return .unknownMember(group: groupID)
    }

    /// Waits until the rebalance is over for this member: its generation then, nil when it is out.
    private nonisolated(nonsending) func settles() async -> Int32? {
        let settled = Waiter<Void>()
        let isWaiting = state.withLock { state in
            if Self.isSettled(state) { return false }
            state.unsettled.append(settled)
            return true
        }
        if isWaiting { _ = await settled.value() }
        return state.withLock { $0.isLost ? nil : $0.member?.generation }
    }

    /// These are committed, by whatever way.
    func noteCommitted(_ offsets: [TopicPartition: Progress]) {
        state.withLock { $0.committed.merge(offsets) { $1 } }
    }

    /// New generations that may come in between of one commit.
    private static let attempts = 10

    /// A commit that is to be appended with something else, in this generation or the next.
    ///
    /// Throws as `commit`, and `unknownTopic`.
    nonisolated(nonsending) func prepare(
        _ offsets: [TopicPartition: Progress]
    ) async throws(StreamError) -> GroupStore {
        var prepared: GroupStore?
        let numbers = offsets.mapValues(\.number)
        do throws(StreamError) {
            try await retrying { request in
                switch groups.prepare(request(offsets), of: numbers) {
                case .success(let store):
                    prepared = store
                    return .success(.done)
                case .failure(let error): return .failure(error)
                }
            }
        } catch {
            for (place, number) in numbers where (try? groups.engine.number(of: place)) != number {
                throw .unknownTopic(place.topic)
            }
            throw error
        }
        guard let prepared else { throw .unknownMember(group: groupID) }
        return prepared
    }

    /// Where to begin in partitions that have come: at what is committed, and nothing is on its way.
    nonisolated(nonsending) func positions(
        _ partitions: [TopicPartition]
    ) async throws(StreamError) -> [TopicPartition: Int64] {
        let wanted = partitions.map(GroupPartition.init)
        for _ in 0..<Self.looks {
            let found = groups.read { coordinator in
                try? coordinator.committed(groupID: groupID, partitions: wanted, requireStable: true)
            }
            if let found {
                var offsets: [TopicPartition: Int64] = [:]
                for (partition, committed) in found { offsets[TopicPartition(partition)] = committed?.offset }
                return offsets
            }
            // The commit of the one before is being synced.
            try await groups.pause()
        }
        throw .indeterminate(OffsetsTopic.place, reason: "a commit of the member before has no outcome")
    }

    /// Ten seconds of looks, a millisecond apart.
    static let looks = 10_000

    /// What the group has committed of these partitions.
    func committed(_ partitions: [TopicPartition]) -> [TopicPartition: Int64] {
        groups.read { coordinator in
            var offsets: [TopicPartition: Int64] = [:]
            let wanted = partitions.map(GroupPartition.init)
            for (partition, committed) in (try? coordinator.committed(groupID: groupID, partitions: wanted))
                ?? []
            {
                offsets[TopicPartition(partition)] = committed?.offset
            }
            return offsets
        }
    }

    /// nil when it is not in the group.
    private func request(
        _ state: borrowing State, _ offsets: [TopicPartition: Progress]
    ) -> CommitRequest? {
        Requester(state, groupID, instanceID)?.request(offsets)
    }

    /// Who commits.
    private struct Requester {
        var groupID: String
        var instanceID: String?
        var memberID: String
        var generation: Int32

        init?(_ state: borrowing State, _ groupID: String, _ instanceID: String?) {
            guard let member = state.member, !state.isLost, member.generation >= 0 else { return nil }
            self.groupID = groupID
            self.instanceID = instanceID
            memberID = member.memberID
            generation = member.generation
        }

        func request(_ offsets: [TopicPartition: Progress]) -> CommitRequest {
            CommitRequest(
                groupID: groupID, generation: generation, memberID: memberID, instanceID: instanceID,
                offsets: offsets.map { OffsetToCommit(GroupPartition($0.key), offset: $0.value.offset) })
        }
    }

    /// False when the store has been closed.
    @discardableResult
    private func send(
        _ request: CommitRequest, _ offsets: [TopicPartition: Progress],
        _ answer: @escaping @Sendable (Result<[RefusedPartition], GroupError>) -> Void
    ) -> Bool {
        groups.commit(request, of: offsets.mapValues(\.number), .commit(answer)) != nil
    }

    // MARK: Leaving

    /// Leaves the group at once; a later loop joins again.
    func leave() {
        let old = state.withLock { state in
            state.member?.leave(immediately: true)
            return state.enrolled
        }
        // What it wants done first: it leaves by the id that is forgotten then.
        drive { _ in }
        if let old { groups.dismiss(old) }
        drive { state in
            state.member = nil
            state.enrolled = nil
            state.changes = []
            state.isLost = false
            state.awayUntil = nil
            state.committed = [:]
            state.sent = [:]
            state.commitDue = 0
        }
    }

    /// Takes it out of the group. A static member stays in it for the time for processing, and may come back.
    func depart(_ leaving: LeavingMember) {
        guard leaving.memberID.isEmpty else {
            return groups.depart(
                leaving, from: groupID, staticUntil: Instant.monotonicNow.addingSaturated(processingTime))
        }
        guard let ticket = state.withLock({ $0.joinTicket }) else { return }
        groups.change { coordinator, now in
            coordinator.cancelJoin(groupID: groupID, ticket: ticket, now: now)
        }
    }

    /// Nobody has the consumer any more.
    func abandon(_ processed: [TopicPartition: Progress]) {
        if !isManual { commitInBackground(processed) }
        leave()
    }
}

extension GroupEngine {
    /// Waits a millisecond, for commits that are on their way. Throws `closed`.
    nonisolated(nonsending) func pause() async throws(StreamError) {
        // A timer of a closed store never fires.
        try engine.checkOpen()
        let later = Waiter<Void>()
        engine.timer.schedule(at: Instant.monotonicNow + 1_000_000) { later.resume(.success(())) }
        _ = await later.value()
    }

    /// Counts a commit, and how far behind its group is now.
    func committed(_ offsets: [TopicPartition: Progress], in group: String, since began: Int64) {
        metrics.committed(in: Instant.monotonicNow - began)
        for (partition, progress) in offsets {
            guard let lag = engine.lag(behind: progress) else { continue }
            metrics.lags(lag.records, lag.bytes, of: partition, in: group)
        }
    }
}

extension StoreEngine {
    /// What is visible of a partition behind a place in it; nil when it is gone.
    ///
    /// Of one moment, and no file is read: bytes are those of whole segments, and a share of one.
    func lag(behind progress: Progress) -> (records: Int64, bytes: Int64)? {
        read { volume in
            guard let valid = try? volume.offsets(progress.number) else { return nil }
            let place = min(max(progress.offset, valid.lowerBound), valid.upperBound)
            guard place < valid.upperBound else { return (0, 0) }
            let bytes =
                volume.bytes(progress.number, from: place)
                - volume.bytes(progress.number, from: valid.upperBound)
            return (valid.upperBound - place, max(bytes, 0))
        }
    }
}
