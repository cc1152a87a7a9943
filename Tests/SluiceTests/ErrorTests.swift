// What opening says of a directory that it cannot use, and what damage does.

import Foundation
import Sluice
import Testing

@Suite struct ErrorTests {
    private func refusal(_ path: String, strict: Bool = false) async -> StreamError? {
        await error {
            try await StreamStore.open(at: path, configuration: quiet { $0.strict = strict }).close()
        }
    }

    /// A closed store with topic `t` of two partitions, ten batches in each.
    private func make(_ directory: TemporaryDirectory, _ name: String = "s") async throws {
        let store = try await StreamStore.open(at: directory(name), configuration: quiet())
        try await store.admin.createTopic(
            "t", partitions: 2, configuration: .init { $0.compression = .uncompressed })
        for partition in 0..<2 {
            try await store.append((0..<10).map { ["value \($0)"] }, to: "t", partition)
        }
        try await store.close()
    }

    @Test func `a missing parent is not made`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("no/store")
        let answer = await refusal(path)
        guard case .io(_, let file, errno: ENOENT) = answer else { return unexpected(answer) }
        #expect(file.hasPrefix(directory("no")))
        #expect(try directory.names(in: "").isEmpty)
    }

    @Test func `a place where nothing can be written is refused`() async throws {
        // Where also root may not: a file system of the kernel's.
        for path in ["/proc/sluice", "/proc/self/fdinfo"] {
            switch await refusal(path) {
            case .io, .readOnly, .notAStore: break
            case let other: Issue.record("\(path): \(String(describing: other))")
            }
        }
    }

    @Test func `a file is not a directory`() async throws {
        let directory = try TemporaryDirectory()
        try directory.write("x", to: "file")
        #expect(await refusal(directory("file")) == .notADirectory(path: directory("file")))
        let answer = await refusal(directory("file/store"))
        guard case .notADirectory = answer else { return unexpected(answer) }
        #expect(try directory.read("file") == [120])
    }

    @Test func `somebody else's directory is left alone`() async throws {
        let directory = try TemporaryDirectory()
        try directory.make("home")
        try directory.write("x", to: "home/letter.txt")
        let answer = await refusal(directory("home"))
        guard case .notAStore(directory("home"), let reason) = answer else { return unexpected(answer) }
        #expect(reason.contains("letter.txt"))
        #expect(try directory.names(in: "home") == ["letter.txt"])
    }

    @Test func `an empty directory becomes a store`() async throws {
        let directory = try TemporaryDirectory()
        try directory.make("s")
        #expect(await refusal(directory("s")) == nil)
        #expect(try directory.names(in: "s").contains("meta.properties"))
    }

    @Test func `a newer format is refused, and nothing changed`() async throws {
        let directory = try TemporaryDirectory()
        try await make(directory)
        let text = String(decoding: try directory.read("s/meta.properties"), as: UTF8.self)
        let newer = text.replacingOccurrences(of: "version=1", with: "version=2")
        #expect(newer != text)
        try directory.write(newer, to: "s/meta.properties")
        #expect(await refusal(directory("s")) == .newerFormat(path: directory("s"), version: 2, features: []))
        try directory.write(
            text.replacingOccurrences(of: "incompat=", with: "incompat=turbo"), to: "s/meta.properties")
        #expect(
            await refusal(directory("s"))
                == .newerFormat(path: directory("s"), version: 1, features: ["turbo"]))
        try directory.write(text, to: "s/meta.properties")
        #expect(await refusal(directory("s"), strict: true) == nil)
    }

    @Test func `a second writer is told who the first is`() async throws {
        let directory = try TemporaryDirectory()
        let first = try await StreamStore.open(at: directory("s"), configuration: quiet())
        let locked = await refusal(directory("s"))
        #expect(locked == .locked(path: directory("s"), processID: getpid()))
        #expect(locked?.description.contains("\(getpid())") == true)
        try await first.close()
        #expect(await refusal(directory("s")) == nil)
    }

    @Test func `a corrupt manifest is an error with a place`() async throws {
        let directory = try TemporaryDirectory()
        try await make(directory)
        let name = try #require(try directory.names(in: "s/manifest").last)
        try directory.flip("s/manifest/\(name)", at: 100)
        let answer = await refusal(directory("s"))
        guard case .corrupt(let file, let position, let reason) = answer else { return unexpected(answer) }
        #expect(file.hasSuffix(name) && position >= 0 && !reason.isEmpty)
    }

    @Test func `a batch that rots is an error with a place; everything else can be read`() async throws {
        let directory = try TemporaryDirectory()
        try await make(directory)
        let log = "s/topics/t-0/00000000000000000000.log"
        let bytes = try directory.read(log).count
        // Within the fifth of ten batches of one size.
        let damaged = bytes / 10 * 4 + 70
        try directory.flip(log, at: damaged)
        let report = try await StreamStore.verify(at: directory("s"), deep: true)
        #expect(report.findings.contains { $0.isDamage })
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        let place = TopicPartition(topic: "t", partition: 0)
        var seen: [Int64] = []
        let found = await error {
            for try await batch in try await store.consumer(of: [place], until: .end) {
                seen.append(batch.baseOffset.rawValue)
            }
        }
        guard case .corrupt(let file, let position, _) = found else {
            return unexpected(found)
        }
        #expect(file == directory(log))
        #expect(position <= Int64(damaged) && position >= Int64(damaged - 100))
        #expect(seen == [0, 1, 2, 3])
        #expect(try await store.entries("t", from: .offset(5)).map(\.offset) == [5, 6, 7, 8, 9])
        #expect(try await store.entries("t", 1).count == 10)
        // A reader of both is told once, and goes on with the other; a seek steps over the damage.
        let both = try await store.consumer(of: "t", until: .end)
        var offsets: [Int: [Int64]] = [:]
        func read() async throws {
            for try await batch in both {
                offsets[batch.topicPartition.partition, default: []].append(batch.baseOffset.rawValue)
            }
        }
        #expect(await error { try await read() } == found)
        try await read()
        #expect(offsets[0] == [0, 1, 2, 3])
        #expect(offsets[1]?.count == 10)
        try await both.seek(place, to: .offset(5))
        both.pause([TopicPartition(topic: "t", partition: 1)])
        for try await batch in both {
            offsets[0, default: []].append(batch.baseOffset.rawValue)
            if batch.nextOffset == 10 { break }
        }
        #expect(offsets[0] == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        try await store.append([["more"]], to: "t", 1)
        try await store.close()
    }

    @Test func `a torn tail is cut and reported`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        try await store.admin.createTopic("t")
        try await store.append([["0"], ["1"]], to: "t")
        try directory.copy("s", to: "copy")
        try await store.close()
        let log = "copy/topics/t-0/00000000000000000000.log"
        let whole = try directory.read(log)
        try Data(whole + whole.prefix(30)).write(to: URL(fileURLWithPath: directory(log)))
        let copy = try await StreamStore.open(at: directory("copy"), configuration: quiet())
        #expect(!copy.recovery.findings.isEmpty)
        #expect(!copy.recovery.findings.contains { $0.isDamage })
        #expect(try await copy.entries("t").count == 2)
        try await copy.append([["2"]], to: "t")
        try await copy.close()
        let again = try await StreamStore.open(
            at: directory("copy"), configuration: quiet { $0.strict = true })
        #expect(again.recovery.findings.isEmpty)
        #expect(try await again.entries("t").map(\.value) == ["0", "1", "2"])
        try await again.close()
    }

    @Test func `strict opening refuses what was acknowledged and is damaged`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        try await store.admin.createTopic("t", configuration: .init { $0.compression = .uncompressed })
        try await store.append((0..<10).map { ["value \($0)"] }, to: "t")
        try await store.close()
        let log = "s/topics/t-0/00000000000000000000.log"
        // Cut where it had been synced: no torn tail.
        let bytes = try directory.read(log)
        try Data(bytes.dropLast(20)).write(to: URL(fileURLWithPath: directory(log)))
        let answer = await refusal(directory("s"), strict: true)
        switch answer {
        case .corrupt, .offline: break
        default: unexpected(answer)
        }
        #expect(try directory.read(log).count == bytes.count - 20)
    }

    @Test func `an illegal configuration is refused before anything is made`() async throws {
        let directory = try TemporaryDirectory()
        let found = await error {
            _ = try await StreamStore.open(at: directory("s"), configuration: quiet { $0.maxOpenFiles = 15 })
        }
        guard case .illegalConfiguration(key: "maxOpenFiles", value: "15", _) = found else {
            return unexpected(found)
        }
        #expect(try directory.names(in: "").isEmpty)
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = await error {
                _ = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 1 })
            }
            guard case .illegalConfiguration(key: "batch.size", _, _) = producer else {
                return unexpected(producer)
            }
        }
    }
}
