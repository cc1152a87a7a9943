// What a group engine reads before anybody asks: the offsets topic, once; and what it puts away when a topic
// is gone.
//
// (1) Half of the topic never counts for all of it: a load that failed is begun anew. (2) What is committed
// of a topic that is not there is of one that was deleted: nobody may begin the next of that name there.

import Logging
import SluiceCore
import SluiceLog

extension GroupEngine {
    var isReady: Bool {
        state.withLock { state in
            if case .ready = state.phase { true } else { false }
        }
    }

    /// Reads the offsets topic, once. Throws `corrupt`, `offline`, `io`, `noSpace`, `closed`.
    ///
    /// - Parameter isToBeMade: whether the topic is made when it is missing; else a store that has never had
    /// a
    ///   group stays as it is.
    nonisolated(nonsending) func ready(isToBeMade: Bool) async throws(StreamError) {
        try engine.checkOpen()
        if isToBeMade, !OffsetsTopic.exists(in: engine) { try await OffsetsTopic.make(in: engine) }
        let mine = Waiter<Void>()
        let isFirst = state.withLock { state in
            switch state.phase {
            case .ready: mine.resume(.success(()))
            case .loading(let others): state.phase = .loading(others + [mine])
            case .unloaded:
                state.phase = .loading([])
                return true
            }
            return false
        }
        guard isFirst else { return try await mine.value().get() }
        let result: Result<Void, StreamError>
        // In a task of its own: whoever asks first may be cancelled, or shutting down, and half of the topic
        // would count as all of it.
        result = await Task.detached { [self] () -> Result<Void, StreamError> in
            do throws(StreamError) {
                try await load()
                return .success(())
            } catch {
                return .failure(error)
            }
        }.value
        let waiters = state.withLock { state in
            guard case .loading(let waiters) = state.phase else { return [Waiter<Void>]() }
            if case .success = result { state.phase = .ready } else { state.phase = .unloaded }
            return waiters
        }
        for waiter in waiters { waiter.resume(result) }
        try result.get()
    }

    /// - Parameter last: where a rescue is to be cut short, in a test.
    nonisolated(nonsending) func load(until last: RescueStep = .finished) async throws(StreamError) {
        restart()
        let isUnfinished = try await engine.onReader { [self] () throws(StreamError) in try readRescued() }
        var damage: StreamError?
        do throws(StreamError) {
            try await OffsetsTopic.read(engine) { take($0, $1, $2) }
        } catch {
            switch error {
            case .corrupt, .offline: damage = error
            default: throw error
            }
        }
        let isWhole = damage == nil && !isUnfinished
        if isWhole {
            change { coordinator, now in coordinator.finishLoading(now: now) }
        } else {
            try await rescue(damage, until: last)
        }
        await forgetMissingTopics()
        if isWhole, OffsetsTopic.bytes(in: engine) > max(64 << 10, 2 * Int64(read { $0.liveBytes })) {
            compact()
        }
        findKeptTopics()
    }

    /// From the beginning, also after a failed attempt.
    func restart() {
        var random = SystemRandomNumberGenerator()
        let (configuration, seed) = (configuration, random.next())
        state.withLock { $0.coordinator = GroupCoordinator(configuration: configuration, seed: seed) }
    }

    /// A record of the topic.
    func take(_ key: [UInt8], _ value: [UInt8]?, _ offset: Int64) {
        state.withLock { state in
            do throws(MalformedRecord) {
                try state.coordinator.load(key: key[...], value: value?[...], offset: offset)
            } catch {
                // One record that a later version wrote, or nobody of ours: the rest is good.
                engine.logger.warning(
                    "a record of __consumer_offsets makes no sense",
                    metadata: ["offset": "\(offset)", "reason": "\(error.reason)"])
            }
        }
    }

    // MARK: Deleted topics

    /// A topic is gone: a later one of its name is another, and groups begin it at its beginning. Returns
    /// when that is durable; throws `indeterminate` when it cannot be stored, and what loading throws.
    nonisolated(nonsending) func topicDeleted(_ name: String) async throws(StreamError) {
        try await ready(isToBeMade: false)
        defer { catalogueChanged() }
        try await forget(name)
    }

    private nonisolated(nonsending) func forget(_ topic: String) async throws(StreamError) {
        let waiter = Waiter<Void>()
        let answer = Answer.topicDeletion { error in
            let reason =
                "what groups have committed of the deleted topic \(quoted(topic)) could not be removed"
            waiter.resume(
                error == nil ? .success(()) : .failure(.indeterminate(OffsetsTopic.place, reason: reason)))
        }
        let ticket = request(answer) { coordinator, ticket, now in
            coordinator.topicDeleted(topic, ticket: ticket, now: now)
        }
        if ticket == nil { throw .closed }
        try await waiter.value().get()
    }

    /// Before a topic is made: what was committed of an earlier one of its name, whose deletion was cut
    /// short, is put away. What cannot be read is told by whoever asks for a group.
    nonisolated(nonsending) func willMakeTopic() async { try? await ready(isToBeMade: false) }

    /// Whether nothing has to be read before a topic is made.
    var knowsCommits: Bool { isReady || !OffsetsTopic.exists(in: engine) }

    /// The opening before was cut short in the middle of a deletion: ends it. There is nobody else yet.
    private nonisolated(nonsending) func forgetMissingTopics() async {
        let topics = engine.partitionCounts()
        for name in read({ $0.committedTopics }) where topics[name] == nil {
            do throws(StreamError) {
                try await forget(name)
            } catch {
                engine.logger.error(
                    "what groups have committed of a deleted topic cannot be put away",
                    metadata: ["topic": "\(name)", "reason": "\(error)"])
            }
        }
    }
}
