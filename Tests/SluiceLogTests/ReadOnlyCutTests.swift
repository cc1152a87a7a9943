// A read-only view is a consistent cut, also when the writer works between any two calls of one look.

import SluiceTesting
import Testing

@testable import SluiceLog

/// A file system that lets something else happen before calls that read.
private final class InterruptedFileSystem: FileSystem, @unchecked Sendable {
    private let files: SimulatedFileSystem
    // One thread: the test's.
    private let before: () -> Void

    init(_ files: SimulatedFileSystem, _ before: @escaping () -> Void) {
        self.files = files
        self.before = before
    }

    func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        before()
        return try files.open(path, mode)
    }
    func read(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int {
        before()
        return try files.read(file, at: position, into: buffer, offset: offset, count: count)
    }
    func status(_ path: String) throws(IOError) -> FileStatus? {
        before()
        return try files.status(path)
    }
    func list(_ path: String) throws(IOError) -> [DirectoryEntry] {
        before()
        return try files.list(path)
    }
    func size(_ file: FileID) throws(IOError) -> Int64 {
        before()
        return try files.size(file)
    }
    func lockState(_ path: String) throws(IOError) -> LockState { try files.lockState(path) }
    func close(_ file: FileID) { files.close(file) }
    var bootID: String { files.bootID }

    // A view calls nothing else.
    private var refusal: IOError { IOError(operation: "none", path: "", errno: 30) }
    func readNoWait(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int? { throw refusal }
    func write(_ file: FileID, at position: Int64, _ slices: [ByteSlice]) throws(IOError) -> Int {
        throw refusal
    }
    func truncate(_ file: FileID, to size: Int64) throws(IOError) { throw refusal }
    func allocate(_ file: FileID, bytes: Int64) throws(IOError) { throw refusal }
    func sync(_ file: FileID) throws(IOError) { throw refusal }
    func syncDirectory(_ path: String) throws(IOError) { throw refusal }
    func makeDirectory(_ path: String) throws(IOError) { throw refusal }
    func rename(_ path: String, to newPath: String) throws(IOError) { throw refusal }
    func remove(_ path: String) throws(IOError) { throw refusal }
    func removeDirectory(_ path: String) throws(IOError) { throw refusal }
    func lock(_ path: String) throws(IOError) -> LockResult { throw refusal }
    func link(_ path: String, to newPath: String) throws(IOError) { throw refusal }
    func availableBytes(_ path: String) throws(IOError) -> Int64 { throw refusal }
}

@Suite struct ReadOnlyCutTests {
    private static let topics = ["d", "e", "w"]

    /// What each atomic write shown by a view has shown of it: how many of its parts.
    private func parts(_ volume: ReadOnlyVolume, _ files: SimulatedFileSystem) throws -> [String: Int] {
        var parts: [String: Int] = [:]
        for topic in Self.topics {
            let values = try readAll(volume, topic, files)
            for value in values where value.hasPrefix("a") { parts[value, default: 0] += 1 }
        }
        return parts
    }

    private func store(_ seed: UInt64) throws -> TestStore {
        let store = TestStore(seed: seed) {
            $0.manifestBytes = 2000
            $0.journalBytes = 8 << 10
            $0.directBytes = 300
            $0.recoveryPointNanoseconds = 1_000_000
        }
        try store.open()
        for topic in Self.topics {
            try store.createTopic(topic) {
                $0.segmentBytes = 900; $0.isDurable = topic != "w"
            }
        }
        return store
    }

    private func view(_ store: TestStore, _ files: any FileSystem) throws -> ReadOnlyVolume {
        try ReadOnlyVolume(TestStore.root, files, interpret: { LogSettings(simulated: $0) })
    }

    private func submitAtomic(_ store: TestStore, _ value: String) throws {
        let parts = try Self.topics.map { topic in
            AtomicPart(partition: try store.number(topic), batch: store.prepared([value]))
        }
        try store.opened?.volume.submit(atomic: parts, now: store.clock.now)
    }

    @Test func `an atomic write is seen whole once it is in the journal, wherever its segments are`() throws {
        let store = try store(1)
        for topic in Self.topics { try store.append(["x"], to: topic) }
        var volume = try view(store, store.files)
        try submitAtomic(store, "a")
        // One job after another: the commit, then each segment.
        var seen: [Int] = []
        while let job = store.take(.append) {
            store.run(job)
            _ = try volume.look()
            seen.append(try parts(volume, store.files)["a"] ?? 0)
        }
        #expect(seen.contains(Self.topics.count) && !seen.contains { ![0, Self.topics.count].contains($0) })
    }

    @Test(arguments: 0..<16)
    func `whatever the writer does in the middle of a look, no atomic write is seen in part`(
        seed: UInt64
    ) throws {
        let store = try store(seed)
        var random = SeededRandom(seed: seed)
        var isInterrupted = false
        var next = 0
        func work() {
            guard isInterrupted, random.chance(0.3) else { return }
            isInterrupted = false
            defer { isInterrupted = true }
            for _ in 0..<random.within(1...6) {
                if random.chance(0.3) {
                    next += 1
                    try? submitAtomic(store, "a\(next)")
                }
                if random.chance(0.2) {
                    let size = random.pick([1, 1, 400])
                    _ = try? store.submit(
                        [String(repeating: "x", count: size)], to: random.pick(Self.topics), acks: .written)
                }
                let lane: JobLane = random.chance(0.6) ? .append : .background
                if let job = store.take(lane) { store.run(job) }
                store.clock.advance(by: .milliseconds(random.within(0...2)))
            }
        }
        let files = InterruptedFileSystem(store.files, work)
        var volume = try view(store, files)
        var most = 0
        for _ in 0..<40 {
            isInterrupted = true
            _ = try volume.look()
            isInterrupted = false
            let parts = try parts(volume, store.files)
            for (value, count) in parts where count != Self.topics.count {
                Issue.record("\(count) parts of \(value), seed \(seed)")
                return
            }
            #expect(parts.count >= most)
            most = parts.count
        }
        store.drive()
        _ = try volume.look()
        #expect(try parts(volume, store.files).count == next)
        #expect(next > 0)
    }
}
