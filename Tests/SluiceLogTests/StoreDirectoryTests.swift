// What a directory is, who may open it, and a crash at every moment of the changes that take several steps.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct StoreDirectoryTests {
    @Test func `a new store is empty and clean`() throws {
        let store = TestStore()
        try store.open()
        #expect(try store.report.findings.isEmpty)
        #expect(try store.report.wasClosed)
        try store.reopen()
        #expect(try store.report.wasClosed)
    }

    @Test func `a directory with other files is not touched`() throws {
        let store = TestStore()
        try store.files.makeDirectory("/store")
        try store.files.put([1], to: "/store/letter.txt")
        #expect(
            throws: LogError.notAStore(
                path: "/store", reason: "it holds letter.txt and has no meta.properties")
        ) { try store.open() }
        #expect(try store.files.list("/store").map(\.name) == ["letter.txt"])
    }

    @Test func `a file is not a directory`() throws {
        let store = TestStore()
        try store.files.put([1], to: "/store")
        #expect(throws: LogError.notADirectory(path: "/store")) { try store.open() }
    }

    @Test func `a store that lost its meta properties is not made anew`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t")
        try store.append(["a"], to: "t")
        try store.close()
        try store.files.remove("/store/meta.properties")
        #expect(throws: LogError.self) { try store.open() }
        #expect(store.files.contents(store.log("t"))?.isEmpty == false)
    }

    @Test(
        arguments: [
            ("version=2\nstore.id=AAAAAAAAAAAAAAAAAAAAAA\n", 2, []),
            ("version=1\nincompat=tiers,zoned\nro-compat=x\n", 1, ["tiers", "zoned", "x"]),
        ] as [(String, Int, [String])])
    func `a newer format is refused`(meta: String, version: Int, features: [String]) throws {
        let store = TestStore()
        try store.open()
        try store.close()
        try store.files.remove("/store/meta.properties")
        try store.files.put(Array(meta.utf8), to: "/store/meta.properties")
        #expect(throws: LogError.newerFormat(path: "/store", version: version, features: features)) {
            try store.open()
        }
    }

    @Test(arguments: [("compat", true, true), ("ro-compat", false, true), ("incompat", false, false)])
    func `a flag that is not known keeps from writing, from reading too, or from nothing`(
        kind: String, mayWrite: Bool, mayRead: Bool
    ) throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t")
        try store.append(["a"], to: "t")
        try store.close()
        let meta = "/store/meta.properties"
        let text = String(decoding: try #require(store.files.contents(meta)), as: UTF8.self)
        let flagged = text.replacing("\n\(kind)=", with: "\n\(kind)=tiers")
        #expect(flagged != text)
        try store.files.remove(meta)
        try store.files.put(Array(flagged.utf8), to: meta)
        let paths = StorePaths("/store")
        let isRead = (try? StoreDirectory.readMeta(paths, store.files, mayWrite: false)) != nil
        #expect(isRead == mayRead)
        if mayWrite {
            try store.open()
            #expect(try store.read("t") == ["a"])
            try store.append(["b"], to: "t")
            try store.close()
        } else {
            #expect(throws: LogError.newerFormat(path: "/store", version: 1, features: ["tiers"])) {
                try store.open()
            }
        }
        // Who does not know a flag does not take it away.
        #expect(store.files.contents(meta) == Array(flagged.utf8))
    }

    @Test func `a second opening is told who holds the store`() throws {
        let store = TestStore()
        try store.open()
        let other = TestStore()
        #expect(throws: LogError.locked(path: "/store", processID: 1000)) {
            _ = try StoreDirectory.open(
                TestStore.root, store.files, configuration: other.configuration, now: other.clock.now,
                random: &other.random, interpret: { LogSettings(simulated: $0) })
        }
    }

    // MARK: A crash at every moment

    /// What is done when the machine ends, on a store that holds the topic `kept` with the record `kept`.
    enum Change: CaseIterable {
        case create, configure, add, delete, roll, atomic, deleteRecords, manifest, close

        func make(_ store: TestStore) throws {
            switch self {
            case .create:
                try store.createTopic("new", partitions: 2)
                if !store.files.hasCrashed { try store.append(["n"], to: "new", 1) }
            case .configure:
                var settings = LogSettings()
                settings.isDurable = false
                _ = try store.request { volume, request in
                    try volume.configureTopic(
                        "kept", settings: settings.simulatedText, log: settings, request: request)
                }
            case .add:
                _ = try store.request { try $0.addPartitions(to: "kept", total: 3, request: $1) }
            case .delete:
                _ = try store.request { try $0.deleteTopic("gone", request: $1) }
                if !store.files.hasCrashed { try store.createTopic("gone") }
            case .roll:
                for _ in 0..<4 where !store.files.hasCrashed {
                    try store.append([String(repeating: "x", count: 400)], to: "kept")
                }
            case .atomic:
                let parts = [
                    AtomicPart(partition: try store.number("kept"), batch: store.prepared(["both"])),
                    AtomicPart(partition: try store.number("gone"), batch: store.prepared(["both"])),
                ]
                try store.opened!.volume.submit(atomic: parts, now: store.clock.now)
                store.drive()
            case .deleteRecords:
                let number = try store.number("gone")
                _ = try store.request { try $0.deleteRecords(number, before: 1, request: $1) }
                store.drive()
            case .manifest:
                for index in 0..<6 where !store.files.hasCrashed { try store.createTopic("m\(index)") }
            case .close: try store.close()
            }
        }
    }

    @Test(arguments: Change.allCases, [true, false])
    func `a crash at any moment leaves a store that opens and works`(change: Change, power: Bool) throws {
        var calls = 0
        var isDone = false
        while !isDone {
            let store = TestStore(seed: UInt64(calls)) {
                $0.journalBytes = 16 << 10
                $0.manifestBytes = 1024
                $0.directBytes = 300
            }
            try store.open()
            try store.createTopic("kept") { $0.segmentBytes = 600 }
            try store.createTopic("gone")
            try store.append(["kept"], to: "kept")
            try store.append(["gone"], to: "gone")
            store.files.crashAfterCalls = calls
            try change.make(store)
            isDone = !store.files.hasCrashed
            store.files.crashAfterCalls = nil
            power ? store.losePower() : store.die()
            try check(store, change, "after \(calls) calls")
            calls += 1
        }
        #expect(calls > 1)
    }

    @Test(arguments: [true, false])
    func `a crash at any moment of the making leaves nothing or a store`(power: Bool) throws {
        var calls = 0
        var isDone = false
        while !isDone {
            let store = TestStore(seed: UInt64(calls))
            store.files.crashAfterCalls = calls
            try? store.open()
            isDone = !store.files.hasCrashed
            power ? store.losePower() : store.die()
            try store.open()
            try store.createTopic("t")
            #expect(try store.append(["a"], to: "t")?.offset == 0)
            store.losePower()
            try store.open()
            #expect(try store.read("t") == ["a"], "after \(calls) calls")
            calls += 1
        }
        #expect(calls > 8)
    }

    private func check(_ store: TestStore, _ change: Change, _ moment: String) throws {
        try store.open()
        let report = try store.report
        #expect(!report.isDamaged, "\(moment): \(report.findings)")
        #expect(try store.read("kept").first == "kept", "\(moment)")
        if change == .atomic {
            let parts = try ["kept", "gone"].map { try store.read($0).contains("both") }
            #expect(parts[0] == parts[1], "\(moment)")
        }
        for topic in store.opened!.volume.topics {
            let before = try store.read(topic.name).count
            let answer = try store.append(["after"], to: topic.name)
            #expect(answer?.offset != nil, "\(moment): \(topic.name) answers \(answer as Any)")
            #expect(try store.read(topic.name).count > before, "\(moment)")
        }
        try store.close()
        let verified = try store.verify()
        #expect(verified.wasClosed && !verified.isDamaged, "\(moment): \(verified.findings)")
    }
}
