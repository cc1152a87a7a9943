// A queue of a store that another process has open, for a worker of this one.
//
// (1) Two connections: by one this process is there, and says what becomes of its tasks; by the other it
// waits for some. (2) When they end, because the store's program has ended or was restarted, it is tried for
// `patience` to join again, under the same number: leases that still hold go on, and what was to be said is
// said again. Said twice, it is refused the second time: its lease is over. (3) That a task was cancelled or
// lost is heard at the next sign of life.

package import Logging
import Sluice
import SluiceCore

/// A queue through its store's control socket.
package final class RemoteQueue: TaskSource {
    /// The store's directory.
    let store: String
    package let name: String
    package let logger: Logger
    private let host: UInt64
    private let link: RemoteLink
    private let leasing = Locked<ControlLine?>(nil)
    private let state = Locked(State())
    /// How long a lease may be waited for in one request.
    private static let waitMilliseconds: Int64 = 20_000

    private struct State {
        var workers: UInt64 = 0
        var deliveries: [TaskLease: Delivery] = [:]
        var isClosed = false
    }

    private init(_ store: String, _ name: String, _ logger: Logger, _ host: UInt64, _ link: RemoteLink) {
        (self.store, self.name, self.logger, self.host, self.link) = (store, name, logger, host, link)
    }

    /// Joins a queue, making it when it is missing.
    ///
    /// Throws `unreachable` when nobody answers there; what the store says, as `refused`.
    package nonisolated(nonsending) static func join(
        _ name: String, at store: String, logger: Logger
    ) async throws(TaskError) -> RemoteQueue {
        try QueueTopic.check(name)
        let host = UInt64.random(in: 1..<1 << 63)
        let link = RemoteLink(store, ["queue": .string(name), "host": .integer(Int64(host))])
        try await link.join()
        return RemoteQueue(store, name, logger, host, link)
    }

    /// Says goodbye: what is still leased is given back.
    package nonisolated(nonsending) func close() async {
        state.withLock { $0.isClosed = true }
        leasing.withLock { $0.take() }?.close()
        _ = try? await link.ask("leaveQueue", mayJoinAgain: false)
        await link.close()
    }

    // MARK: TaskSource

    var longestSilence: Duration { .seconds(5) }

    func enroll(_ session: WorkerSession) -> TaskHolder {
        TaskHolder(
            host: host,
            worker: state.withLock { state in
                state.workers += 1
                return state.workers
            })
    }

    nonisolated(nonsending) func lease(_ waiter: LeaseWaiter) async throws(TaskError) -> [Delivery] {
        Task { await ask(for: waiter) }
        guard let result = await waiter.value() else {
            abandon(waiter)
            throw .cancelled
        }
        let leased = try result.get()
        return state.withLock { state in leased.compactMap { state.deliveries.removeValue(forKey: $0.lease) }
        }
    }

    /// Asks again and again, until there is something, or nobody waits any more.
    private func ask(for waiter: LeaseWaiter) async {
        while !waiter.isOver {
            do throws(TaskError) {
                let deliveries = try await leaseOnce(waiter.request)
                if deliveries.isEmpty { continue }
                state.withLock { state in for one in deliveries { state.deliveries[one.lease] = one } }
                let leased = deliveries.map {
                    LeasedTask(lease: $0.lease, name: $0.name, attempt: UInt32(clamping: $0.attempt))
                }
                if waiter.give(.success(leased)) { return }
                state.withLock { state in for one in deliveries { state.deliveries[one.lease] = nil } }
                return giveBack(leased.map(\.lease))
            } catch {
                waiter.give(.failure(error))
                return
            }
        }
    }

    /// None when there were none for a while, or the connection ended and the host has joined again.
    private func leaseOnce(_ request: LeaseRequest) async throws(TaskError) -> [Delivery] {
        guard let line = leasingLine() else {
            try await link.joinAgain()
            return []
        }
        var members = link.members
        members["worker"] = .integer(Int64(clamping: request.holder.worker))
        members["handlers"] = .array(
            request.handlers.map { handler in
                var members = handler.policy.members
                members["name"] = .string(handler.name)
                return .object(members)
            })
        members["others"] = request.others.map { .object($0.members) }
        members["count"] = .integer(Int64(request.count))
        members["visibility"] = .integer(request.visibility)
        members["wait"] = .integer(Self.waitMilliseconds)
        switch await line.ask("leaseTasks", members) {
        case .result(let json):
            var deliveries: [Delivery] = []
            for task in json["tasks"]?.array ?? [] { deliveries.append(try await delivery(task)) }
            return deliveries
        case .refused(let code, _) where code == TaskError.unknownWorker.code || code == "closed":
            try await link.joinAgain(isForced: true)
            return []
        case .refused(let code, let message): throw .refused(code: code, message: message)
        case .silent:
            leasing.withLock { if $0 === line { $0 = nil } }
            if !state.withLock({ $0.isClosed }) { try await link.joinAgain() }
            return []
        }
    }

    private func leasingLine() -> ControlLine? {
        leasing.withLock { leasing in
            if leasing == nil || leasing?.hasEnded == true { leasing = ControlLine.open(store) }
            return leasing
        }
    }

    private func delivery(_ json: JSONValue) async throws(TaskError) -> Delivery {
        guard let lease = try? TaskLease(json: json), let name = json["name"]?.string,
            let attempt = json["attempt"]?.integer
        else { throw .refused(code: "failed", message: "What the store answered makes no sense.") }
        var payload = json["payload"]
        if payload == nil {
            let asked = try? await link.ask("taskPayload", lease.members)
            payload = asked?["payload"]
        }
        let bytes = payload?.string.flatMap { Base64.decode($0.utf8) }
        return Delivery(
            lease: lease, name: name, attempt: Int(clamping: attempt),
            after: (json["after"]?.array ?? []).compactMap { try? TaskID($0.string ?? "") },
            payload: bytes.map { $0[...] })
    }

    func abandon(_ waiter: LeaseWaiter) {
        waiter.abandon()
        // The store hears of it by the end of the connection.
        leasing.withLock { $0.take() }?.close()
    }

    func giveBack(_ leases: [TaskLease]) {
        Task { for lease in leases { try? await release(lease) } }
    }

    func heartbeat(_ leases: [TaskLease], lost: @escaping @Sendable ([TaskLease]) -> Void) {
        Task {
            let members: [String: JSONValue] = ["leases": .array(leases.map(\.json))]
            guard let answer = try? await link.ask("aliveTasks", members)["lost"]?.array else { return }
            lost(answer.compactMap { try? TaskLease(json: $0) })
        }
    }

    nonisolated(nonsending) func result(of task: TaskID) async throws(TaskError) -> ArraySlice<UInt8> {
        let answer = try await link.ask("taskResult", ["id": .string(task.description)])
        guard let bytes = answer["result"]?.string.flatMap({ Base64.decode($0.utf8) }) else {
            throw .refused(code: "failed", message: "What the store answered makes no sense.")
        }
        return bytes[...]
    }

    nonisolated(nonsending) func report(_ progress: TaskProgress, of lease: TaskLease) async throws(TaskError)
    {
        try await say(
            "reportTask", lease, ["fraction": .number(progress.fraction), "note": .string(progress.note)])
    }

    nonisolated(nonsending) func extend(_ lease: TaskLease, by span: Duration) async throws(TaskError) {
        try await say("extendTask", lease, ["span": .integer(span.milliseconds)])
    }

    nonisolated(nonsending) func complete(_ lease: TaskLease, result: [UInt8]) async throws(TaskError) {
        guard result.count <= TaskLimits.payloadBytes else {
            throw .tooLarge(bytes: result.count, limit: TaskLimits.payloadBytes)
        }
        try await say("completeTask", lease, ["result": .base64(result)])
    }

    nonisolated(nonsending) func fail(
        _ lease: TaskLease, cause: String, retryAfter: Int64?
    ) async throws(TaskError) {
        var members: [String: JSONValue] = ["cause": .string(cause)]
        members["retryAfter"] = retryAfter.map { .integer($0) }
        try await say("failTask", lease, members)
    }

    nonisolated(nonsending) func reject(_ lease: TaskLease, cause: String) async throws(TaskError) {
        try await say("rejectTask", lease, ["cause": .string(cause)])
    }

    nonisolated(nonsending) func release(_ lease: TaskLease) async throws(TaskError) {
        try await say("releaseTask", lease, [:])
    }

    func schedule(after span: Duration, _ action: @escaping @Sendable () -> Void) {
        Task {
            try? await Task.sleep(for: span)
            action()
        }
    }

    private nonisolated(nonsending) func say(
        _ request: String, _ lease: TaskLease, _ members: [String: JSONValue]
    ) async throws(TaskError) {
        do throws(TaskError) {
            _ = try await link.ask(request, lease.members.merging(members) { $1 })
        } catch .refused(let code, let message) {
            if code == "leaseLost" { throw .leaseLost(TaskID(lease.task)) }
            if code == "unknownTask" { throw .unknownTask(TaskID(lease.task)) }
            throw .refused(code: code, message: message)
        }
    }
}
