// The fault model of `SimulatedFileSystem`, fact by fact: what must survive does for every seed, and what may
// be lost is lost for one and kept for another.

import Foundation
import SluiceLog
import SluiceTesting
import Testing

@Suite struct SimulatedFileSystemTests {
    // MARK: Bytes and power

    @Test func `synced bytes survive every power loss`() throws {
        for seed in simulatedSeeds {
            let (files, _) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 3000))
            files.powerLoss()
            #expect(files.contents("/d/a") == filled(1, 3000))
        }
    }

    @Test func `bytes that were not synced are lost, kept or torn at 512`() throws {
        var lost = 0
        var kept = 0
        var reordered = 0
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 4096))
            try files.put(filled(2, 4096), to: file)
            #expect(files.durableContents("/d/a") == filled(1, 4096))
            files.powerLoss()
            let content = try #require(files.contents("/d/a"))
            let pieces = stride(from: 0, to: 4096, by: 512).map { Array(content[$0..<$0 + 512]) }
            #expect(pieces.allSatisfy { $0 == filled(1, 512) || $0 == filled(2, 512) })
            if content == filled(1, 4096) { lost += 1 }
            if content == filled(2, 4096) { kept += 1 }
            if pieces[0][0] == 1, pieces[7][0] == 2 { reordered += 1 }
        }
        #expect(lost > 0 && kept > 0 && reordered > 0)
        #expect(lost + kept < simulatedSeeds.count)
    }

    @Test func `growth survives up to some size, with zeros where bytes are missing`() throws {
        var sizes: Set<Int> = []
        var holes = 0
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 100))
            try files.put(filled(2, 2000), to: file, at: 100)
            files.powerLoss()
            let content = try #require(files.contents("/d/a"))
            #expect(content.prefix(100) == filled(1, 100)[...])
            #expect(content.count <= 2100)
            #expect(content.dropFirst(100).allSatisfy { $0 == 2 || $0 == 0 })
            sizes.insert(content.count)
            if content.contains(0) { holes += 1 }
        }
        #expect(sizes.contains(100) && sizes.contains(2100) && sizes.count > 10)
        #expect(holes > 0)
    }

    @Test func `a cut that was not synced survives or not, and one that was does`() throws {
        var sizes: Set<Int> = []
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 1000))
            try files.truncate(file, to: 10)
            let unsynced = files.copy()
            unsynced.powerLoss()
            sizes.insert(try #require(unsynced.contents("/d/a")).count)
            try files.sync(file)
            // Grown again: the old bytes stay gone.
            try files.truncate(file, to: 1000)
            try files.sync(file)
            files.powerLoss()
            #expect(files.contents("/d/a") == filled(1, 10) + filled(0, 990))
        }
        #expect(sizes == [10, 1000])
    }

    @Test func `bytes cut and written again between two syncs never show older ones after the sync`() throws {
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: filled(1, 2000))
            try files.truncate(file, to: 100)
            try files.put(filled(2, 100), to: file, at: 1500)
            try files.sync(file)
            files.powerLoss()
            #expect(files.contents("/d/a") == filled(1, 100) + filled(0, 1400) + filled(2, 100))
        }
    }

    // MARK: Names and power

    @Test func `a new name needs a sync of its directory`() throws {
        var survived = 0
        for seed in simulatedSeeds {
            let files = try SimulatedFileSystem.prepared(seed)
            let file = try files.open("/d/a", .create)
            try files.put([1], to: file)
            try files.sync(file)
            let synced = files.copy()
            files.powerLoss()
            if let content = files.contents("/d/a") {
                survived += 1
                #expect(content == [1])
            }
            try synced.syncDirectory("/d")
            synced.powerLoss()
            #expect(synced.contents("/d/a") == [1])
        }
        #expect(survived > 0 && survived < simulatedSeeds.count)
    }

    @Test func `a sync of a new file keeps its name where the policy says so`() throws {
        for seed in simulatedSeeds {
            var policy = FaultPolicy.none
            policy.fileSyncKeepsName = true
            let files = try SimulatedFileSystem.prepared(seed, policy)
            let file = try files.open("/d/a", .create)
            try files.sync(file)
            files.powerLoss()
            #expect(files.contents("/d/a") == [])
        }
    }

    @Test func `a directory without a durable name takes what is in it along`() throws {
        var survived = 0
        for seed in simulatedSeeds {
            let files = try SimulatedFileSystem.prepared(seed)
            try files.makeDirectory("/d/e")
            let file = try files.open("/d/e/a", .create)
            try files.sync(file)
            try files.syncDirectory("/d/e")
            files.powerLoss()
            if try files.status("/d/e") != nil {
                survived += 1
                #expect(files.contents("/d/e/a") == [])
            }
        }
        #expect(survived > 0 && survived < simulatedSeeds.count)
    }

    @Test func `a removal that was not durable brings the durable bytes back`() throws {
        var back = 0
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: [1, 2, 3])
            files.close(file)
            try files.remove("/d/a")
            #expect(files.contents("/d/a") == nil)
            let synced = files.copy()
            files.powerLoss()
            if let content = files.contents("/d/a") {
                back += 1
                #expect(content == [1, 2, 3])
            }
            try synced.syncDirectory("/d")
            synced.powerLoss()
            #expect(synced.contents("/d/a") == nil)
        }
        #expect(back > 0 && back < simulatedSeeds.count)
    }

    @Test func `a rename leaves the old file or the new one, never both or neither`() throws {
        var replaced = 0
        for seed in simulatedSeeds {
            let (files, _) = try SimulatedFileSystem.prepared(seed, holding: [1])
            let new = try files.open("/d/a.new", .create)
            try files.put([2], to: new)
            try files.sync(new)
            try files.rename("/d/a.new", to: "/d/a")
            files.powerLoss()
            if files.contents("/d/a") == [2] {
                replaced += 1
                #expect(files.contents("/d/a.new") == nil)
            } else {
                #expect(files.contents("/d/a") == [1])
            }
        }
        #expect(replaced > 0 && replaced < simulatedSeeds.count)
    }

    @Test func `changes of one name survive in their order, those of several in any`() throws {
        var outcomes: Set<[String]> = []
        for seed in UInt64(0)..<1000 {
            let files = try SimulatedFileSystem.prepared(seed)
            for name in ["a", "b", "c"] { files.close(try files.open("/d/\(name)", .create)) }
            try files.rename("/d/a", to: "/d/x")
            files.powerLoss()
            let names = try files.list("/d").map(\.name)
            #expect(!(names.contains("a") && names.contains("x")))
            outcomes.insert(names)
        }
        // The rename only where the file was made: {}, a or x, with or without b, with or without c.
        #expect(outcomes.count == 12)
    }

    @Test func `a power loss ends handles and locks and names another boot`() throws {
        let (files, file) = try SimulatedFileSystem.prepared(1, holding: [1])
        let boot = files.bootID
        guard case .locked = try files.lock("/d/LOCK") else { return #expect(Bool(false)) }
        files.powerLoss()
        #expect(files.bootID != boot)
        #expect(try ioFailure { _ = try files.size(file) }.errno == EBADF)
        guard case .locked = try files.lock("/d/LOCK") else { return #expect(Bool(false)) }
    }

    @Test func `the death of the process loses handles and locks alone`() throws {
        for seed in simulatedSeeds {
            let (files, file) = try SimulatedFileSystem.prepared(seed, holding: [1])
            let boot = files.bootID
            try files.put(filled(2, 3000), to: file)
            files.close(try files.open("/d/b", .create))
            guard case .locked = try files.lock("/d/LOCK") else { return #expect(Bool(false)) }
            files.processDeath()
            #expect(files.bootID == boot)
            #expect(files.contents("/d/a") == filled(2, 3000))
            #expect(try files.list("/d").map(\.name) == ["LOCK", "a", "b"])
            #expect(try ioFailure { _ = try files.size(file) }.errno == EBADF)
            guard case .locked = try files.lock("/d/LOCK") else { return #expect(Bool(false)) }
            // What was pending still is.
            files.powerLoss()
        }
    }
}
