// The reserve file, and a file system that is full through others.

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

@Suite struct DiskReserveTests {
    private func store() throws -> TestStore {
        let store = TestStore(seed: 1) {
            $0.diskBytes = 1 << 20
            $0.exemptBytes = 64 << 10
            $0.journalBytes = 16 << 10
        }
        try store.open()
        try store.createTopic("t")
        return store
    }

    private func reserve(_ store: TestStore) -> Int64? {
        try? store.files.status("/store/reserve")?.size
    }

    @Test func `the reserve is made with the first records, and counts`() throws {
        let store = try store()
        #expect(reserve(store) == nil)
        try store.append(["a"], to: "t")
        store.drive()
        #expect(reserve(store) == 16 << 10)
        let used = store.opened?.volume.diskUse.usedBytes
        #expect(used == store.files.allocatedBytes)
        try store.reopen()
        #expect(reserve(store) == 16 << 10)
        #expect(try store.report.findings.isEmpty)
        #expect(store.opened?.volume.reserveFile.bytes == 16 << 10)
    }

    @Test func `without fallocate zeros are written`() throws {
        let store = try store()
        store.files.fail(.allocate, errno: EOPNOTSUPP)
        try store.append(["a"], to: "t")
        store.drive()
        #expect(reserve(store) == 16 << 10)
    }

    @Test func `without room the reserve is left out, and made later`() throws {
        let store = try store()
        store.files.fail(.allocate, errno: ENOSPC)
        try store.append(["a"], to: "t")
        #expect(reserve(store) == nil)
        store.drive()
        #expect(reserve(store) == 16 << 10)
        #expect(store.opened?.volume.diskUse.usedBytes == store.files.allocatedBytes)
    }

    @Test func `a manifest that finds the disk full has the reserve, and records may go`() throws {
        let store = try store()
        try store.append(["a", "b"], to: "t")
        store.drive()
        store.files.fail(.write, errno: ENOSPC, pathContains: "manifest")
        let number = try store.opened?.volume.number(topic: "t", partition: 0)
        try store.opened?.volume.deleteRecords(number ?? -1, before: 1, request: 7)
        store.drive(waits: false)
        #expect(store.requests[7] == .success(1))
        #expect(reserve(store) == nil)
        #expect(store.opened?.volume.diskUse.usedBytes == store.files.allocatedBytes)
        store.clock.advance(by: .seconds(11))
        store.drive()
        #expect(reserve(store) == 16 << 10)
    }

    @Test func `an opening on a full disk has the reserve`() throws {
        let store = try store()
        try store.append(["a"], to: "t")
        store.drive()
        store.die()
        store.files.fail(.write, errno: ENOSPC, pathContains: "manifest")
        try store.open()
        #expect(try store.read("t") == ["a"])
        #expect(store.opened?.volume.diskUse.usedBytes == store.files.allocatedBytes)
    }

    @Test func `a reserve of another size is made anew`() throws {
        let store = try store()
        try store.append(["a"], to: "t")
        store.drive()
        try store.close()
        store.files.truncateDurably("/store/reserve", to: 5000)
        try store.open()
        #expect(reserve(store) == nil)
        store.drive()
        #expect(reserve(store) == 16 << 10)
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `room is made with zeros behind what is there`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            defer { files.close(file) }
            try files.writeAll(file, at: 0, [1, 2, 3], path: "a")
            do {
                try files.allocate(file, bytes: 10_000)
            } catch {
                // Where the file system has no such call.
                #expect((error as? IOError)?.isUnsupported == true)
                return
            }
            #expect(try files.size(file) == 10_000)
            #expect(try files.readAll("\(directory)/a", limit: 5) == [1, 2, 3, 0, 0])
            #expect(try files.status("\(directory)/a")?.allocated ?? 0 >= 10_000)
            try files.allocate(file, bytes: 5)
            #expect(try files.size(file) == 10_000)
        }
    }
}
