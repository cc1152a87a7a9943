// Topics that are `written`, and what changes when a topic's level does.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct VolumeLevelTests {
    private let long = String(repeating: "-", count: 400)

    private func store(
        _ configure: (inout VolumeConfiguration) -> Void = { _ in },
        _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        try .withTopic(configure, change)
    }

    @Test func `on a written topic offsets are given out only below the promised ceiling`() throws {
        let store = try store({ $0.ceilingStep = 10 }) { $0.isDurable = false }
        for count in 0..<40 {
            #expect(try store.append(["\(count)"], to: "t", acks: .written)?.offset == Int64(count))
            let state = store.opened!.volume.manifest.state
            let ceilings = state.partitions.values.map(\.recovery.ceiling)
            #expect(ceilings.allSatisfy { $0 > Int64(count) })
        }
        store.losePower()
        try store.open()
        #expect(try #require(try store.append(["after"], to: "t")?.offset) >= 40)
    }

    @Test func `a topic that becomes durable promises its offsets until they are safe`() throws {
        let store = try store({ $0.ceilingStep = 10 }) { $0.isDurable = false }
        for value in ["a", "b", "c"] { try store.append([value], to: "t", acks: .written) }
        var settings = LogSettings()
        settings.isDurable = true
        _ = try store.request { volume, request in
            try volume.configureTopic("t", settings: settings.simulatedText, log: settings, request: request)
        }
        store.losePower()
        try store.open()
        #expect(try #require(try store.append(["d"], to: "t")?.offset) >= 3)
    }

    @Test func `a partition that has stopped does not show more when its topic becomes written`() throws {
        let store = try store { $0.directBytes = 100 }
        store.files.fail(.sync, errno: 5, pathContains: "/t-0/")
        let lost = try store.submit([long], to: "t")
        store.run(try #require(store.take(.append)))
        var settings = LogSettings()
        settings.isDurable = false
        let request = store.nextNumber()
        try store.opened!.volume.configureTopic(
            "t", settings: settings.simulatedText, log: settings, request: request)
        store.drive { store.requests[request] != nil && store.answers[lost] != nil }
        #expect(store.answers[lost]?.isIndeterminate == true)
        // Nobody has promised its offset to a reader: the next opening may give it to another record.
        #expect(try store.read("t") == [])
        _ = try store.request {
            try $0.configureTopic(
                "t", settings: settings.simulatedText, log: settings, request: $1)
        }
        #expect(try store.read("t") == [])
    }

    @Test func `a store that has stopped does not show more when a topic becomes written`() throws {
        let store = try store()
        let lost = try store.submit([long], to: "t")
        let write = try #require(store.take(.append))
        var settings = LogSettings()
        settings.isDurable = false
        _ = try store.request {
            try $0.configureTopic("t", settings: settings.simulatedText, log: settings, request: $1)
        }
        store.files.fail(.sync, errno: 5, pathContains: "/manifest/")
        try store.createTopic("v")
        #expect(store.events.contains { if case .storeStopped = $0 { true } else { false } })
        store.run(write)
        store.drive()
        #expect(store.answers[lost]?.isIndeterminate == true)
        #expect(try store.read("t") == [])
    }

    @Test func `what becomes visible with a level's change survives a loss of power`() throws {
        let store = try store({ _ in }) { $0.isDurable = false }
        try store.append(["a"], to: "t")
        // The first waits for its commit, the second for nothing: it is in no list of what is uncommitted.
        let first = try store.submit(["b"], to: "t", acks: .durable, producer: 1)
        let second = try store.submit(["c"], to: "t", acks: .written, producer: 2)
        store.run(try #require(store.take(.append)))
        #expect(store.answers[first] == nil && store.answers[second]?.offset == 2)
        var settings = LogSettings()
        settings.isDurable = true
        let request = store.nextNumber()
        try store.opened!.volume.configureTopic(
            "t", settings: settings.simulatedText, log: settings, request: request)
        while store.requests[request] == nil { store.run(try #require(store.take(.background))) }
        store.drive { store.answers[first] != nil }
        let seen = try store.read("t")
        #expect(seen.prefix(2) == ["a", "b"])
        store.losePower()
        try store.open()
        #expect(try store.read("t").prefix(seen.count) == seen[...])
    }
}
