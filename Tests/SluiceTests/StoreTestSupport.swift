// What the tests of the library share: stores in directories that vanish, records as plain values, readers of
// it all.

import Foundation
import Logging
@testable import Sluice
import Testing

/// A directory that is gone with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        // In memory where there is such a place: these tests are about what the library does, not about the
        // disk.
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        path = "\(base)/sluice-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A path in it.
    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}

/// A configuration for tests: silent.
func quiet(_ change: (inout StoreConfiguration) -> Void = { _ in }) -> StoreConfiguration {
    StoreConfiguration {
        $0.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        $0.volume.journalBytes = 2 << 20
        // A copy of a store that is open would hold a socket.
        $0.controlSocket = false
        change(&$0)
    }
}

/// Runs `body` with a store of its own, and closes it.
func withStore<R>(
    _ configuration: StoreConfiguration = quiet(), _ body: (StreamStore) async throws -> R
) async throws -> R {
    let directory = try TemporaryDirectory()
    let store = try await StreamStore.open(at: directory("store"), configuration: configuration)
    do {
        let result = try await body(store)
        try await store.close()
        return result
    } catch {
        try? await store.close()
        throw error
    }
}

/// A record as the tests compare it.
struct Entry: Hashable, CustomStringConvertible {
    var offset: Int64
    var key: String?
    var value: String?

    init(_ offset: Int64, _ value: String?) { self.init(offset, nil, value) }

    init(_ offset: Int64, _ key: String?, _ value: String?) {
        self.offset = offset
        self.key = key
        self.value = value
    }

    init(_ record: Record) {
        self.init(record.offset.rawValue, record.keyString, record.valueString)
    }

    var description: String { "\(offset):\(key ?? "-")=\(value ?? "-")" }
}

extension Record {
    var valueCount: Int? { value?.byteCount }

    var keyBytes: [UInt8]? {
        guard let key else { return nil }
        return [UInt8](copying: key)
    }
}

extension StreamStore {
    /// Everything that a partition has, from a place on, up to its end now.
    func entries(
        _ topic: String, _ partition: Int = 0, from position: Position = .earliest,
        maxBatchBytes: Int = 1 << 20
    ) async throws -> [Entry] {
        try await records(topic, partition, from: position, maxBatchBytes: maxBatchBytes).map(Entry.init)
    }

    func records(
        _ topic: String, _ partition: Int = 0, from position: Position = .earliest,
        maxBatchBytes: Int = 1 << 20
    ) async throws -> [Record] {
        var found: [Record] = []
        let consumer = try await consumer(
            of: [TopicPartition(topic: topic, partition: partition)], from: position, until: .end,
            configuration: ConsumerConfiguration { $0.maxBatchBytes = maxBatchBytes })
        for try await batch in consumer { found += Array(batch) }
        return found
    }

    /// Appends values to a partition, one batch for each inner array.
    func append(_ batches: [[String]], to topic: String, _ partition: Int = 0) async throws {
        var lane = try await producer(for: topic).appender()
        for batch in batches {
            for value in batch { try await lane.append(value: value, partition: partition) }
            lane.submit()
        }
        try await lane.close()
    }
}

/// What `body` throws, as the library's error; nil when it throws none.
func error(_ body: () async throws -> Void) async -> StreamError? {
    do {
        try await body()
        return nil
    } catch let error as StreamError {
        return error
    } catch {
        Issue.record("not an error of the library: \(error)")
        return nil
    }
}

/// Lets other tasks run until something is so; gives up after very many turns.
func turns(until condition: () -> Bool) async -> Bool {
    for _ in 0..<10_000_000 {
        if condition() { return true }
        await Task.yield()
    }
    return false
}

/// Lets other tasks and threads run until something is so; fails when it is not after half a minute.
///
/// On a busy machine half a minute may pass with hardly a turn for the tasks that make it so: it must also
/// have been looked at many times.
func eventually(
    _ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    var looks = 0
    while looks < 1_000 || ContinuousClock.now < deadline {
        if try await condition() { return }
        looks += 1
        for _ in 0..<100 { await Task.yield() }
    }
    Issue.record("it did not come about", sourceLocation: sourceLocation)
}

extension TemporaryDirectory {
    /// Copies a store that may be in use, without its lock.
    func copy(_ source: String, to name: String) throws {
        try FileManager.default.copyItem(atPath: self(source), toPath: self(name))
        try FileManager.default.removeItem(atPath: self("\(name)/LOCK"))
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: self(name)) }

    func make(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: self(name), withIntermediateDirectories: true)
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: self(name), atomically: false, encoding: .utf8)
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: self(name))))
    }

    /// Inverts the bits of one byte.
    func flip(_ name: String, at position: Int) throws {
        var bytes = try read(name)
        bytes[position] = ~bytes[position]
        try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    }

    func names(in name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self(name)).sorted()
    }
}

/// Records that something else came than a test expected.
func unexpected(_ error: StreamError?) { Issue.record("not as expected: \(String(describing: error))") }

/// What tasks and threads of a test change together.
final class Shared<Value: Sendable>: Sendable {
    private let lock: Locked<Value>
    init(_ value: Value) { lock = Locked(value) }
    func change<R: Sendable>(_ body: @Sendable (inout Value) -> R) -> R { lock.withLock { body(&$0) } }
    var value: Value { lock.withLock { $0 } }
}
