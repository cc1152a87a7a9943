// Back pressure as a program meets it: by lag and by disk, under each policy, and what the store says of it.
//
// Sizes are small, so that marks are reached in milliseconds. A group that is to lag has a member which stops
// in the body of its loop; nothing waits for wall-clock time but what the library itself waits for.

@testable import Sluice
import Testing

@Suite struct PressureTests {
    private static let kilobyte = [UInt8](repeating: 7, count: 1_000)

    /// A store whose topic `t` is gated by the group `g`, at 256 KiB, with a member that reads one batch and
    /// stops there until it is let go.
    private func withLaggingGroup(
        _ change: @escaping (inout TopicConfiguration) -> Void = { _ in },
        _ body: (StreamStore, Gate) async throws -> Void
    ) async throws {
        try await withStore { store in
            try await store.admin.createTopic(
                "t",
                configuration: .init {
                    $0.gatingGroups = .named(["g"])
                    $0.lagTarget = .milliseconds(1)
                    $0.compression = .uncompressed
                    change(&$0)
                })
            let gate = Gate()
            let consumer = try await store.consumer(group: "g", topics: ["t"])
            let reading = Task {
                for try await _ in consumer {
                    await gate.arrived()
                    await gate.opened()
                }
            }
            let producer = try await store.producer(for: "t")
            try await producer.send(value: "first")
            await gate.hasArrived()
            // The group is known to have read up to the present.
            _ = try await store.pressure(on: "t")
            try await body(store, gate)
            await gate.open()
            reading.cancel()
            try await reading.value
        }
    }

    /// Appends until the store refuses; at most 64 MB.
    private func fill(_ producer: Producer) async -> StreamError? {
        for _ in 0..<64_000 {
            do throws(StreamError) {
                try producer.appendNow(value: Self.kilobyte)
            } catch {
                guard case .busy(let busy) = error, case .buffer = busy.reason else { return error }
                try? await producer.flush()
            }
        }
        return nil
    }

    @Test func `what does not wait is refused above the target, and told which group lags`() async throws {
        try await withLaggingGroup { store, _ in
            let producer = try await store.producer(for: "t")
            let answer = await fill(producer)
            guard case .busy(let busy)? = answer, case .lag(let group, let unread, let target) = busy.reason
            else { return unexpected(answer) }
            #expect(group == "g")
            #expect(target == 262_144)
            #expect(unread > target / 2)
            #expect(busy.retryAfter >= .milliseconds(1))
            #expect(busy.description.contains("group 'g'") || busy.description.contains("\"g\""))
        }
    }

    @Test func `append waits for the group, gives up after maxBlock, and can be cancelled`() async throws {
        try await withLaggingGroup { store, gate in
            let impatient = try await store.producer(
                for: "t", configuration: .init { $0.maxBlock = .milliseconds(1) })
            _ = await fill(impatient)
            let answer = await error {
                for _ in 0..<10_000 { try await impatient.append(value: Self.kilobyte) }
            }
            guard case .busy(let busy)? = answer, case .lag = busy.reason else { return unexpected(answer) }

            let patient = try await store.producer(for: "t")
            let cancelled = Task { () -> StreamError? in
                await error {
                    while true { try await patient.append(value: Self.kilobyte) }
                }
            }
            cancelled.cancel()
            #expect(await cancelled.value == .cancelled(accepted: false))

            // As soon as the group reads, it goes on.
            let waiting = Task { for _ in 0..<2_000 { try await patient.append(value: Self.kilobyte) } }
            await gate.open()
            try await waiting.value
            try await patient.flush()
        }
    }

    @Test func `reject tells also those who would wait`() async throws {
        try await withLaggingGroup({ $0.backPressure = .reject }) { store, _ in
            let producer = try await store.producer(for: "t")
            let answer = await error {
                for _ in 0..<64_000 { try await producer.append(value: Self.kilobyte) }
            }
            guard case .busy(let busy)? = answer, case .lag = busy.reason else { return unexpected(answer) }
        }
    }

    @Test func `buffer takes more than the store admits, and all of it arrives in order`() async throws {
        try await withLaggingGroup({ $0.backPressure = .buffer(latency: .seconds(2)) }) { store, gate in
            let producer = try await store.producer(for: "t")
            _ = await fill(producer)
            await gate.open()
            try await producer.flush()
            let last = try await producer.send(value: "last")
            #expect(try await store.records("t").count == Int(last.offset.rawValue) + 1)
        }
    }

    @Test func `a producer's own policy counts before the topic's`() async throws {
        try await withLaggingGroup { store, _ in
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.backPressure = .reject })
            let answer = await error {
                for _ in 0..<64_000 { try await producer.append(value: Self.kilobyte) }
            }
            guard case .busy? = answer else { return unexpected(answer) }
        }
    }

    @Test func `a group that nobody named holds nobody up`() async throws {
        try await withLaggingGroup({ $0.gatingGroups = .none }) { store, _ in
            let producer = try await store.producer(for: "t")
            #expect(await fill(producer) == nil)
            try await producer.flush()
            let report = try await store.pressure(on: "t")
            #expect(report.admittedBytesPerSecond == nil)
            #expect(report.groups.isEmpty)
        }
    }

    @Test func `an atomic write is held up like a producer, a commit alone is not`() async throws {
        try await withLaggingGroup({ $0.backPressure = .reject }) { store, _ in
            let producer = try await store.producer(for: "t")
            _ = await fill(producer)
            try? await producer.flush()
            let answer = await error {
                for _ in 0..<1_000 {
                    do {
                        try await store.atomically { try $0.append(to: "t", value: Self.kilobyte) }
                    } catch let error as StreamError {
                        throw error
                    }
                }
            }
            guard case .busy? = answer else { return unexpected(answer) }
        }
    }

    @Test func `the report says who is slow, by how much, and what to do`() async throws {
        try await withLaggingGroup { store, _ in
            let producer = try await store.producer(for: "t")
            _ = await fill(producer)
            try? await producer.flush()
            let report = try await store.pressure(on: "t")
            #expect(report.topic == "t")
            #expect(report.policy == .throttle)
            guard case .lag(group: "g", _, targetBytes: 262_144)? = report.reason else {
                return unexpected(nil)
            }
            #expect(report.groups.map(\.name) == ["g"])
            #expect(report.groups.map(\.role) == [.gates])
            #expect(report.description.contains("group g"))
            #expect(report.disk.usedBytes > 0)
            #expect(report.disk.usedBytes < report.disk.limitBytes)
        }
        try await withStore { store in
            #expect(await error { _ = try await store.pressure(on: "none") } == .unknownTopic("none"))
        }
    }

    @Test func `events say when producers are slowed, and when they are free again`() async throws {
        try await withLaggingGroup { store, gate in
            var events = store.events.makeAsyncIterator()
            let producer = try await store.producer(for: "t")
            _ = await fill(producer)
            var seen: [Bool] = []
            while seen.count < 2, let event = await events.next() {
                switch event {
                case .pressureOn(topic: "t", .lag(group: "g", _, _)):
                    seen.append(true)
                    await gate.open()
                case .pressureOff(topic: "t"): seen.append(false)
                default: break
                }
            }
            #expect(seen == [true, false])
        }
    }
}

/// Where the body of a loop stops until it is let go.
private actor Gate {
    private var isOpen = false
    private var isHere = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var watching: [CheckedContinuation<Void, Never>] = []

    func arrived() {
        isHere = true
        for one in watching { one.resume() }
        watching = []
    }

    func hasArrived() async {
        if isHere { return }
        await withCheckedContinuation { watching.append($0) }
    }

    func opened() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    func open() {
        isOpen = true
        for one in waiting { one.resume() }
        waiting = []
    }

    @Test func `a store that comes to the device has a part of it, also while the others are quiet`()
        async throws
    {
        try await withStore { store in
            try await withStore { other in
                // Stores of other tests come and go. A quiet one does not look: whoever does sets it for all.
                try await eventually {
                    let limits = [store, other].map { $0.engine.read { $0.diskUse.limitBytes } }
                    return abs(limits[0] - limits[1]) < limits[0] / 100
                }
            }
        }
    }
}
