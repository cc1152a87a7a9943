// How the simulated machine misbehaves while it runs, and how a test drives it.

import Foundation
import SluiceLog
import SluiceTesting
import Testing

@Suite struct SimulatedFileSystemFaultTests {
    // MARK: Failed syncs

    @Test func `after a failed sync a sync that succeeds does not write the bytes`() throws {
        var lost = 0
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 2048))
            try files.put(filled(2, 2048), to: file)
            files.fail(.sync, errno: EIO)
            #expect(
                try ioFailure { try files.sync(file) }
                    == IOError(operation: "fdatasync", path: "/d/a", errno: EIO))
            try files.sync(file)
            #expect(files.contents("/d/a") == filled(2, 2048))
            let onMedium = files.durableContents("/d/a")
            files.powerLoss()
            #expect(files.contents("/d/a") == onMedium)
            if onMedium != filled(2, 2048) { lost += 1 }
        }
        #expect(lost > Int(simulatedSeeds.count) / 4 && lost < simulatedSeeds.count)
    }

    @Test func `rewriting the bytes in place after a failed sync makes them durable`() throws {
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 700))
            try files.put(filled(2, 2048), to: file)
            files.fail(.sync, errno: EIO)
            #expect(throws: IOError.self) { try files.sync(file) }
            files.processDeath()
            let again = try files.open("/d/a", .write)
            try files.put(try files.bytes(of: again), to: again)
            try files.sync(again)
            files.powerLoss()
            #expect(files.contents("/d/a") == filled(2, 2048))
        }
    }

    // MARK: Faults

    @Test func `the n-th call fails once, or it and all after it`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(1, holding: [1])
        files.fail(.write, errno: EIO, .call(3))
        let outcomes = (0..<5).map { _ in (try? files.put([2], to: file)) != nil }
        #expect(outcomes == [true, true, false, true, true])
        files.fail(.open, errno: EMFILE, .call(2), isPermanent: true, pathContains: "d/b")
        func opens(_ path: String) -> Bool { (try? files.open(path, .create)) != nil }
        #expect([opens("/d/b"), opens("/d/b"), opens("/d/a"), opens("/d/b")] == [true, false, true, false])
        files.policy = .none
        #expect(opens("/d/b"))
    }

    @Test func `writes are short with the probability of the policy`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(7, holding: [])
        files.policy.shortWriteProbability = 0.5
        var counts: Set<Int> = []
        for _ in 0..<200 {
            let count = try files.write(file, at: 0, [ByteSlice(ByteBuffer(filled(3, 10)))])
            counts.insert(count)
            try files.truncate(file, to: 0)
        }
        #expect(counts == Set(1...10))
    }

    @Test func `a read that would wait is nil with the probability of the policy`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(7, holding: [1, 2])
        let buffer = ByteBuffer(capacity: 2)
        files.policy.wouldWaitProbability = 1
        #expect(try files.readNoWait(file, at: 0, into: buffer, offset: 0, count: 2) == nil)
        files.policy.wouldWaitProbability = 0
        #expect(try files.readNoWait(file, at: 0, into: buffer, offset: 0, count: 2) == 2)
    }

    @Test func `a full disk takes what fits, then refuses, and takes more when a file goes`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(1, holding: filled(1, 600))
        files.policy.capacityBytes = 1000
        #expect(try files.availableBytes("/d") == 400)
        #expect(try files.write(file, at: 500, [ByteSlice(ByteBuffer(filled(2, 800)))]) == 500)
        #expect(try ioFailure { try files.put([1], to: file, at: 1000) }.errno == ENOSPC)
        #expect(try ioFailure { _ = try files.open("/d/b", .create) }.errno == ENOSPC)
        #expect(try ioFailure { try files.makeDirectory("/d/e") }.errno == ENOSPC)
        // What is there can be overwritten; an open file without a name still takes room.
        try files.put([9], to: file, at: 999)
        try files.remove("/d/a")
        #expect(try files.availableBytes("/d") == 0)
        files.close(file)
        #expect(try files.availableBytes("/d") == 1000)
    }

    // MARK: Tests of every moment

    @Test func `the same seed and calls give the same disk`() throws {
        func outcome(_ seed: UInt64) throws -> [[UInt8]?] {
            var random = SeededRandom(seed: seed)
            let files = try SimulatedFileSystem.prepared(seed, .drawn(from: &random))
            for step in 0..<60 {
                let path = "/d/\(random.below(4))"
                guard let file = try? files.open(path, .create) else { continue }
                _ = try? files.write(
                    file, at: Int64(random.below(3000)), [ByteSlice(ByteBuffer(filled(UInt8(step), 900)))])
                if random.chance(0.3) { try? files.sync(file) }
                if random.chance(0.2) { try? files.rename(path, to: "/d/\(random.below(4))") }
                if random.chance(0.1) { try? files.syncDirectory("/d") }
                files.close(file)
            }
            files.powerLoss()
            return (0..<4).map { files.contents("/d/\($0)") }
        }
        let outcomes = try simulatedSeeds.prefix(40).map(outcome)
        #expect(try simulatedSeeds.prefix(40).map(outcome) == outcomes)
        #expect(Set(outcomes).count > 30)
    }

    @Test func `a copy goes its own way from the same state`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(3, holding: filled(1, 2048))
        try files.put(filled(2, 2048), to: file)
        var futures: Set<[UInt8]> = []
        for seed in simulatedSeeds {
            let future = files.copy(seed: seed)
            future.powerLoss()
            futures.insert(try #require(future.contents("/d/a")))
        }
        #expect(futures.count > 10)
        // The original noticed nothing, and a copy without a seed draws what it will.
        #expect(files.contents("/d/a") == filled(2, 2048))
        let twin = files.copy()
        twin.powerLoss()
        files.powerLoss()
        #expect(twin.contents("/d/a") == files.contents("/d/a"))
    }

    @Test func `a process that dies after n changes has made n changes`() throws {
        let names = ["a", "b", "c", "d"]
        for count in 0... {
            let files = try SimulatedFileSystem.prepared(1)
            files.crashAfterCalls = count
            let before = files.changeCount
            var refused: IOError?
            do {
                for name in names { files.close(try files.open("/d/\(name)", .create)) }
            } catch {
                refused = error
            }
            #expect(files.changeCount - before == min(count, names.count))
            #expect(files.hasCrashed == (refused != nil))
            if count == names.count {
                #expect(refused == nil)
                break
            }
            #expect(refused?.errno == SimulatedFileSystem.crashErrno)
            // Nothing has an effect any more, and nothing is told.
            #expect(throws: IOError.self) { try files.remove("/d/a") }
            #expect(throws: IOError.self) { _ = try files.list("/d") }
            files.processDeath()
            #expect(!files.hasCrashed && files.crashAfterCalls == nil)
            #expect(try files.list("/d").map(\.name) == Array(names.prefix(count)))
        }
    }

    @Test func `a write that the process dies in leaves a part of itself`() throws {
        var counts: Set<Int> = []
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: [])
            files.crashAfterCalls = 0
            #expect(throws: IOError.self) { try files.put(filled(5, 4), to: file) }
            files.processDeath()
            counts.insert(try #require(files.contents("/d/a")).count)
        }
        #expect(counts == [0, 1, 2, 3, 4])
    }

    @Test func `the trace is told every call and may cut the power before it`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(1, holding: [1])
        var told: [String] = []
        files.trace = { operation, path in
            told.append("\(operation.rawValue) \(path)")
            if operation == .sync { files.powerLoss() }
        }
        try files.put([2], to: file)
        #expect(try ioFailure { try files.sync(file) }.errno == EBADF)
        #expect(told == ["write /d/a", "fdatasync /d/a"])
        #expect(files.callCount(.write) == 2)
        files.trace = nil
    }

    @Test func `damage at rest is on the medium and in the cache`() throws {
        let (files, _) = try SimulatedFileSystem.prepared(1, holding: [0, 0, 0])
        files.flipBit("/d/a", byte: 1, bit: 7)
        files.overwrite("/d/a", at: 2, with: [5, 6])
        #expect(files.contents("/d/a") == [0, 0x80, 5, 6])
        files.powerLoss()
        #expect(files.contents("/d/a") == [0, 0x80, 5, 6])
        files.truncateDurably("/d/a", to: 1)
        #expect(files.durableContents("/d/a") == [0])
    }
}
