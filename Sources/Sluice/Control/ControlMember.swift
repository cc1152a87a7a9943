// A member of a group that works in another process: it is told which records are its next, reads them in the
// store's files, and says how far it has come.
//
//   request        members                                      result
//   joinGroup      group; topics: names; start: as "to" of      {}
//                  seekGroup
//   nextRecords    commit: {partition, offset}                  partition, from, to: offsets; waits for them
//   leaveGroup     commit                                       {}
//
// (1) A connection is one member at most, from `joinGroup` until `leaveGroup` or its own end. (2) A commit is
// durable before the request goes on. (3) A member that is silent for longer than a consumer's body may take
// loses its partitions as any other does, and is told so by its next request.

import SluiceCore

final class ControlMember: Sendable {
    private struct Ask: Sendable {
        var commit: [TopicPartition: Offset]
        var isLast: Bool
        var pending: PendingAnswer<Result<JSONValue, StreamError>>
    }

    private let consumer: Consumer
    private let asks: AsyncStream<Ask>.Continuation

    private init(_ consumer: Consumer) {
        self.consumer = consumer
        let (stream, continuation) = AsyncStream.makeStream(of: Ask.self)
        asks = continuation
        Task { await Self.serve(consumer, stream) }
    }

    /// A store that is closed ends no peers: they are dropped.
    deinit { asks.finish() }

    /// What is asked for by name; nil: it is not about members.
    static func answer(
        _ name: String, _ store: StreamStore, _ request: JSONValue, _ peer: ControlPeer
    ) async throws -> JSONValue? {
        switch name {
        case "joinGroup":
            try await join(store, request, peer)
            return [:]
        case "nextRecords", "leaveGroup":
            guard let member = peer.member.withLock({ $0 }) else {
                throw ControlFailure.illegal("This connection has not joined a group.")
            }
            return try await member.ask(try commit(in: request), isLast: name == "leaveGroup")
        default: return nil
        }
    }

    private static func join(
        _ store: StreamStore, _ request: JSONValue, _ peer: ControlPeer
    ) async throws {
        guard let start = request["start"].flatMap(Position.init),
            let topics = request["topics"]?.array, !topics.isEmpty, topics.allSatisfy({ $0.string != nil })
        else {
            throw ControlFailure.illegal("The request needs \"topics\", names, and \"start\", a position.")
        }
        guard peer.member.withLock({ $0 == nil }) else {
            throw ControlFailure.illegal("This connection is a member already.")
        }
        let consumer = try await store.consumer(
            group: try request.text("group"), topics: .names(topics.compactMap(\.string)),
            configuration: ConsumerConfiguration {
                $0.start = start
                $0.commit = .manual
            })
        let member = ControlMember(consumer)
        peer.member.withLock { $0 = member }
        peer.whenEnded { member.end() }
    }

    private static func commit(in request: JSONValue) throws -> [TopicPartition: Offset] {
        guard let commit = request["commit"] else { return [:] }
        guard let partition = commit["partition"].flatMap(TopicPartition.init),
            let offset = commit["offset"]?.integer
        else { throw ControlFailure.illegal("\"commit\" has a partition and an offset.") }
        return [partition: Offset(offset)]
    }

    private func ask(_ commit: [TopicPartition: Offset], isLast: Bool) async throws -> JSONValue {
        let pending = PendingAnswer<Result<JSONValue, StreamError>>()
        guard case .enqueued = asks.yield(Ask(commit: commit, isLast: isLast, pending: pending)) else {
            throw StreamError.closed
        }
        return try await (pending.value() ?? .failure(.cancelled(accepted: false))).get()
    }

    /// The connection has ended: others get its partitions.
    private func end() {
        asks.finish()
        Task { [consumer] in try? await consumer.close() }
    }

    /// The member's loop. It ends when nobody can ask any more.
    private static func serve(_ consumer: Consumer, _ asks: AsyncStream<Ask>) async {
        var batches = consumer.makeAsyncIterator()
        for await ask in asks {
            do throws(StreamError) {
                if !ask.commit.isEmpty { try await consumer.commit(next: ask.commit) }
                if ask.isLast {
                    try await consumer.close()
                    ask.pending.give(.success([:]))
                } else if let batch = try await batches.next() {
                    ask.pending.give(
                        .success([
                            "partition": batch.topicPartition.json,
                            "from": .integer(batch.baseOffset.rawValue),
                            "to": .integer(batch.nextOffset.rawValue),
                        ]))
                } else {
                    throw .closed
                }
            } catch {
                ask.pending.give(.failure(error))
            }
        }
    }
}
