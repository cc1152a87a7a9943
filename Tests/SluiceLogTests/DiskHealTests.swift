// Syncs that have no room: what they were to cover is written again, and everything goes on by itself.

import SluiceTesting
import Testing

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
@testable import SluiceLog

@Suite struct DiskHealTests {
    private let long = String(repeating: "x", count: 200)

    private func store(_ change: (inout VolumeConfiguration) -> Void = { _ in }) throws -> TestStore {
        let store = TestStore(seed: 1, change)
        try store.open()
        try store.createTopic("t")
        try store.createTopic("u")
        return store
    }

    /// The disk has no room at the syncs of a file; the call that fails first, and for how many.
    private func fill(_ store: TestStore, _ path: String, errno: Int32 = ENOSPC) {
        store.files.fail(.sync, errno: errno, isPermanent: true, pathContains: path)
    }

    private func isNoSpace(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch LogError.io(let error) {
            return error.isNoSpace
        } catch {
            return false
        }
    }

    /// What was written and synced last is there after a loss of power.
    private func expectAfterPowerLoss(_ store: TestStore, _ topic: String, _ values: [String]) throws {
        store.losePower()
        try store.open()
        #expect(try store.read(topic) == values)
        try store.close()
        #expect(try store.verify().findings.isEmpty)
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func `a commit without room waits, what comes meanwhile is refused, and both go on`(errno: Int32) throws {
        let store = try store()
        try store.append(["a"], to: "t")
        fill(store, "/journal/", errno: errno)
        let waiting = try store.submit(["b"], to: "t")
        for _ in 0..<30 where store.answers[waiting] == nil { step(store) }
        #expect(store.answers[waiting] == nil)
        #expect(isNoSpace { try store.submit(["c"], to: "t") })
        #expect(isNoSpace { try store.submit(["c"], to: "u") })
        #expect(try store.read("t") == ["a"])
        #expect(store.events.count { if case .syncDelayed = $0 { true } else { false } } == 1)
        store.files.policy = .none
        store.drive { store.answers[waiting] != nil }
        #expect(store.answers[waiting]?.offset == 1)
        #expect(store.events.contains(.syncResumed))
        #expect(try store.append(["d"], to: "t")?.offset == 2)
        try expectAfterPowerLoss(store, "t", ["a", "b", "d"])
    }

    /// One job, or the next moment.
    private func step(_ store: TestStore) {
        if let job = store.take(.append) ?? store.take(.background) ?? store.take(.append) {
            store.run(job)
        } else {
            store.clock.advance(by: .milliseconds(100))
        }
    }

    @Test func `a segment that was synced by itself is written again, not only synced again`() throws {
        let store = try store { $0.directBytes = 100 }
        try store.append([long], to: "t")
        fill(store, "/t-0/")
        let waiting = try store.submit([long + "2"], to: "t")
        for _ in 0..<30 { step(store) }
        #expect(store.answers[waiting] == nil)
        #expect(isNoSpace { try store.submit(["c"], to: "t") })
        // Another partition has room.
        #expect(try store.append([long], to: "u")?.offset == 0)
        store.files.policy = .none
        store.drive { store.answers[waiting] != nil }
        #expect(store.answers[waiting]?.offset == 1)
        #expect(try store.append([long + "3"], to: "t")?.offset == 2)
        try expectAfterPowerLoss(store, "t", [long, long + "2", long + "3"])
    }

    @Test func `nobody is told that there is room while a sync is being tried again`() throws {
        let store = try store { $0.directBytes = 100 }
        try store.append(["a"], to: "t")
        store.drive()
        fill(store, "/t-0/")
        let waiting = try store.submit([long], to: "t")
        for _ in 0..<6 { step(store) }
        store.files.policy = .none
        var again: IOJob?
        while again == nil {
            let job = store.take(.background) ?? store.take(.append)
            if job?.isRepeated == true { again = job } else if let job { store.run(job) }
            store.clock.advance(by: .milliseconds(100))
        }
        // Another record of the manifest succeeds meanwhile.
        try store.createTopic("v")
        #expect(!store.events.contains(.syncResumed))
        #expect(isNoSpace { try store.submit(["b"], to: "t") })
        store.run(try #require(again))
        store.drive { store.answers[waiting] != nil }
        #expect(store.events.contains(.syncResumed))
        #expect(try store.append(["b"], to: "t")?.offset == 2)
    }

    @Test func `a segment that cannot be read back for want of a file is written again later`() throws {
        let store = try store { $0.directBytes = 100 }
        fill(store, "/t-0/")
        let waiting = try store.submit([long], to: "t")
        for _ in 0..<6 { step(store) }
        store.files.policy = .none
        store.files.fail(.open, errno: EMFILE, isPermanent: true, pathContains: "/t-0/")
        for _ in 0..<30 { step(store) }
        #expect(store.answers[waiting] == nil)
        store.files.policy = .none
        store.drive { store.answers[waiting] != nil }
        #expect(store.answers[waiting]?.offset == 0)
        try expectAfterPowerLoss(store, "t", [long])
    }

    @Test func `what was queued behind a segment without room is refused, and has no offset`() throws {
        let store = try store { $0.directBytes = 100 }
        fill(store, "/t-0/")
        let first = try store.submit([long], to: "t")
        let write = try #require(store.take(.append))
        let second = try store.submit(["second"], to: "t")
        store.run(write)
        for _ in 0..<30 { step(store) }
        store.files.policy = .none
        store.drive { store.answers[first] != nil && store.answers[second] != nil }
        #expect(store.answers[first]?.offset == 0)
        // Written before the sync failed, it waited for the same; else it was refused.
        #expect(try store.read("t") == [long] + (store.answers[second]?.offset == nil ? [] : ["second"]))
    }

    @Test func `a segment that is not what was written stops its partition`() throws {
        let store = try store { $0.directBytes = 100 }
        fill(store, "/t-0/")
        let waiting = try store.submit([long], to: "t")
        for _ in 0..<6 { step(store) }
        store.files.policy = .none
        store.files.flipBit(store.log("t"), byte: 100, bit: 3)
        store.drive { store.answers[waiting] != nil }
        guard case .failure(.indeterminate)? = store.answers[waiting] else {
            Issue.record("\(String(describing: store.answers[waiting]))")
            return
        }
        #expect(throws: LogError.self) { try store.submit(["x"], to: "t") }
    }

    @Test func `a name that could not be synced is synced again, with its file`() throws {
        let store = try store { $0.directBytes = 100 }
        store.files.fail(.syncDirectory, errno: ENOSPC, isPermanent: true, pathContains: "/topics")
        let waiting = try store.submit([long], to: "t")
        for _ in 0..<30 { step(store) }
        #expect(store.answers[waiting] == nil)
        store.files.policy = .none
        store.drive { store.answers[waiting] != nil }
        #expect(store.answers[waiting]?.offset == 0)
        try expectAfterPowerLoss(store, "t", [long])
    }

    @Test func `an atomic write whose frame had no room is whole, and nothing takes its place`() throws {
        let store = try store()
        try store.append(["a"], to: "t")
        fill(store, "/journal/")
        let (t, u) = (try store.number("t"), try store.number("u"))
        let parts = [store.prepared(["both"]), store.prepared(["both"])]
        try store.opened!.volume.submit(
            atomic: zip([t, u], parts).map { AtomicPart(partition: $0, batch: $1, expecting: nil) },
            now: store.clock.now)
        for _ in 0..<30 { step(store) }
        #expect(store.answers[parts[0].origin.number] == nil)
        #expect(isNoSpace { try store.submit(["c"], to: "u") })
        store.files.policy = .none
        store.drive { parts.allSatisfy { store.answers[$0.origin.number] != nil } }
        #expect(parts.map { store.answers[$0.origin.number]?.offset } == [1, 0])
        #expect(try store.append(["after"], to: "u")?.offset == 1)
        try expectAfterPowerLoss(store, "u", ["both", "after"])
    }

    @Test func `a roll without room is done later`() throws {
        let store = try store { $0.directBytes = 1 << 20 }
        try store.createTopic("r") { $0.segmentBytes = 200 }
        try store.append(["first"], to: "r")
        fill(store, "/r-0/")
        let waiting = try store.submit([long], to: "r")
        for _ in 0..<40 { step(store) }
        store.files.policy = .none
        store.drive { store.answers[waiting] != nil }
        // It waited behind the roll, and was refused when that had no room.
        #expect(store.answers[waiting]?.offset == nil)
        store.drive()
        #expect(try store.append([long], to: "r")?.offset == 1)
        #expect(store.files.contents(store.log("r", base: 1)) != nil)
        try expectAfterPowerLoss(store, "r", ["first", long])
    }

    @Test func `a topic can be deleted whose roll has had no room`() throws {
        let store = try store { $0.directBytes = 1 << 20 }
        try store.createTopic("r") { $0.segmentBytes = 200 }
        try store.append(["first"], to: "r")
        fill(store, "/r-0/")
        _ = try store.submit([long], to: "r")
        var job = store.take(.append) ?? store.take(.background)
        while let other = job, !"\(other)".hasPrefix("roll") {
            store.run(other)
            job = store.take(.append) ?? store.take(.background)
        }
        let roll = try #require(job)
        let request = store.nextNumber()
        try store.opened!.volume.deleteTopic("r", request: request)
        store.run(roll)
        store.files.policy = .none
        store.drive { store.requests[request] != nil }
        #expect(store.requests[request]?.isSuccess == true)
        try store.close()
        #expect(store.closeResult?.isSuccess == true)
    }

    /// Asks for a topic and waits for nothing.
    private func ask(_ store: TestStore) throws -> UInt64 {
        let id = UniqueID(using: &store.random)
        let request = store.nextNumber()
        try store.opened!.volume.createTopic(
            "late", id: id, partitions: 1, settings: LogSettings().simulatedText, log: LogSettings(),
            request: request)
        return request
    }

    /// With room again the topic is made, and there after a loss of power.
    private func expectMade(_ store: TestStore, _ request: UInt64) throws {
        store.files.policy = .none
        store.drive { store.requests[request] != nil }
        #expect((try? store.requests[request]?.get()) == 1)
        store.losePower()
        try store.open()
        #expect(try store.append(["x"], to: "late")?.offset == 0)
    }

    @Test func `a request whose record had no room is answered when there is some`() throws {
        let store = try store()
        fill(store, "/manifest")
        let request = try ask(store)
        for _ in 0..<30 { step(store) }
        #expect(store.requests[request] == nil)
        // Records need no record of the manifest.
        #expect(try store.append(["a"], to: "t")?.offset == 0)
        try expectMade(store, request)
    }

    @Test(arguments: [1, 1 << 20] as [Int64])
    func `a record that may be on the medium is not refused when writing it again has no room`(
        manifestBytes: Int64
    ) throws {
        // Also where the record is the first of a new file.
        let store = try store { $0.manifestBytes = manifestBytes }
        fill(store, "/manifest")
        let request = try ask(store)
        for _ in 0..<10 { step(store) }
        store.files.policy = .none
        store.files.fail(.write, errno: ENOSPC, isPermanent: true, pathContains: "/manifest")
        for _ in 0..<30 { step(store) }
        #expect(store.requests[request] == nil)
        try expectMade(store, request)
    }

    @Test(arguments: ["/journal/", "/t-0/", "/manifest"])
    func `a close does not wait for room, and says what kept it from being clean`(path: String) throws {
        let store = try store { $0.directBytes = path == "/t-0/" ? 100 : 1 << 20 }
        try store.append([long], to: "u")
        fill(store, path)
        let waiting = try store.submit([long], to: "t")
        for _ in 0..<30 { step(store) }
        try store.close()
        guard case .failure(.stopped(let error))? = store.closeResult else {
            Issue.record("\(String(describing: store.closeResult))")
            return
        }
        #expect(error.isNoSpace && error.path.contains(path))
        store.files.policy = .none
        try store.open()
        #expect(try store.read("u") == [long])
        // What was acknowledged is there; what was not may be.
        if store.answers[waiting]?.offset != nil { #expect(try store.read("t") == [long]) }
        #expect(try store.append(["x"], to: "t")?.offset != nil)
        try store.close()
    }

    @Test func `the store stops with what was to be tried again when the manifest fails for good`() throws {
        let store = try store()
        try store.append(["first"], to: "t")
        fill(store, "/journal/")
        let waiting = try store.submit(["a"], to: "t")
        for _ in 0..<10 { step(store) }
        #expect(store.answers[waiting] == nil)
        store.files.fail(.sync, errno: EIO, isPermanent: true, pathContains: "/manifest")
        _ = try? store.createTopic("v")
        store.drive { store.answers[waiting] != nil }
        guard case .failure(.indeterminate)? = store.answers[waiting] else {
            Issue.record("\(String(describing: store.answers[waiting]))")
            return
        }
        try store.close()
        store.files.policy = .none
        try store.open()
        #expect(try store.append(["b"], to: "t")?.offset != nil)
    }

    @Test func `an append that waits for a roll is refused while the manifest has no room`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t") { $0.segmentBytes = 200 }
        try store.append([String(repeating: "a", count: 150)], to: "t")
        store.files.fail(.write, errno: 28, isPermanent: true, pathContains: "manifest")
        for _ in 0..<3 {
            let number = try store.submit([String(repeating: "b", count: 150)], to: "t")
            store.drive(waits: false)
            // Only time is still to pass: the roll is tried again by and by.
            for _ in 0..<5 where store.answers[number] == nil {
                store.clock.advance(by: .milliseconds(100))
                store.drive(waits: false)
            }
            guard case .failure(.io(let error)) = store.answers[number] else {
                Issue.record("\(String(describing: store.answers[number]))")
                continue
            }
            #expect(error.isNoSpace)
        }
        store.files.policy = .none
        store.drive()
        #expect(try store.append([String(repeating: "c", count: 150)], to: "t")?.offset == 1)
    }

    @Test func `a batch that was begun before its sender knew of a refusal is refused as well`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t")
        let number = try store.number("t")
        func submit(_ value: String, seen: UInt32, producer: UInt32 = 1) throws -> UInt64 {
            var batch = store.prepared([value], producer: producer)
            batch.refusalsSeen = seen
            try store.opened?.volume.submit(batch, to: number, .durable)
            store.drive(waits: false)
            return batch.origin.number
        }
        #expect(store.answers[try submit("a", seen: 0)]?.offset == 0)
        store.files.fail(.write, errno: 28, pathContains: "/topics/")
        #expect(store.answers[try submit("b", seen: 0)]?.offset == nil)
        // Its sender did not know yet.
        #expect(throws: LogError.self) { try submit("c", seen: 0) }
        #expect(throws: LogError.self) { try submit("d", seen: 1) }
        // Others are not concerned, nor is who knows of all three.
        #expect(store.answers[try submit("e", seen: 0, producer: 2)]?.offset == 1)
        #expect(store.answers[try submit("f", seen: 3)]?.offset == 2)
    }

    @Test func `a roll whose sync had no room is made after the segment has been written once more`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t") { $0.segmentBytes = 200 }
        #expect(try store.append(["a"], to: "t")?.offset == 0)
        store.files.fail(.sync, errno: 28, pathContains: "topics")
        // It does not fit, and is refused while the segment waits for room.
        let batch = store.prepared([long])
        let part = AtomicPart(partition: try store.number("t"), batch: batch, expecting: nil)
        try store.opened!.volume.submit(atomic: [part], now: store.clock.now)
        store.drive()
        let answer = try #require(store.answers[batch.origin.number])
        #expect(answer.offset == nil && store.events.contains(.syncResumed))
        #expect(try store.append(["c"], to: "t")?.offset == 1)
        store.drive()
        store.opened = nil
        _ = store.files.powerLoss(keeping: 0)
        try store.open()
        #expect(try !store.report.isDamaged)
        #expect(try store.read("t") == ["a", "c"])
    }

    @Test func `a close on a disk without any room ends, says so, and loses nothing`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t")
        #expect(try store.append(["a"], to: "t")?.offset == 0)
        store.files.fail(.write, errno: 28, isPermanent: true)
        try store.close()
        guard case .failure(.stopped(let error)) = store.closeResult else {
            Issue.record("closed: \(store.closeResult as Any)")
            return
        }
        #expect(error.isNoSpace)
        store.files.policy = .none
        try store.open()
        #expect(try !store.report.wasClosed && !store.report.isDamaged)
        #expect(try store.read("t") == ["a"])
    }
}

extension Result {
    fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }
}
