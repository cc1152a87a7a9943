// What only the real file system can show: the operating system beneath it.

import Foundation
import SluiceLog
import Testing

@Suite struct PosixFileSystemTests {
    @Test func `the process in the lock file is this one`() throws {
        try FileSystemBackend.posix.withDirectory { files, directory in
            guard case .locked(let lock) = try files.lock("\(directory)/LOCK") else {
                return #expect(Bool(false))
            }
            defer { files.close(lock) }
            #expect(try files.bytes(at: "\(directory)/LOCK") == Array("\(getpid())\n".utf8))
            // Another `PosixFileSystem` is another party as well.
            guard case .held(let holder) = try PosixFileSystem().lock("\(directory)/LOCK") else {
                return #expect(Bool(false))
            }
            #expect(holder == getpid())
        }
    }

    @Test func `new files and directories have the modes that the umask leaves`() throws {
        try FileSystemBackend.posix.withDirectory { files, directory in
            try files.put([1], to: "\(directory)/a")
            try files.makeDirectory("\(directory)/d")
            let mask = umask(0o22)
            umask(mask)
            func mode(_ name: String) throws -> mode_t {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
                return mode_t(truncating: try #require(attributes[.posixPermissions] as? NSNumber))
            }
            #expect(try mode("a") == 0o644 & ~mask)
            #expect(try mode("d") == 0o755 & ~mask)
        }
    }

    @Test func `no child process inherits a descriptor`() throws {
        try FileSystemBackend.posix.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            defer { files.close(file) }
            #expect(fcntl(file.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test func `symbolic links are what they lead to, and everything else is other`() throws {
        try FileSystemBackend.posix.withDirectory { files, directory in
            try files.put([1, 2], to: "\(directory)/a")
            let manager = FileManager.default
            for (link, target) in [("d", "."), ("f", "a"), ("z", "missing")] {
                try manager.createSymbolicLink(atPath: "\(directory)/\(link)", withDestinationPath: target)
            }
            #expect(mkfifo("\(directory)/p", 0o600) == 0)
            #expect(try files.list(directory).map(\.name) == ["a", "d", "f", "p", "z"])
            #expect(try files.list(directory).map(\.kind) == [.file, .directory, .file, .other, .other])
            #expect(try files.status("\(directory)/f")?.kind == .file)
            #expect(try files.status("\(directory)/f")?.size == 2)
            #expect(try files.status("\(directory)/p")?.kind == .other)
            #expect(try files.status("\(directory)/p")?.size == 0)
            #expect(try files.status("\(directory)/z") == nil)
        }
    }

    @Test func `an error on an open file names the path it was opened by`() throws {
        try FileSystemBackend.posix.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            #expect(try ioFailure { try files.truncate(file, to: -1) }.path == "\(directory)/a")
            files.close(file)
            let error = try ioFailure { try files.truncate(FileID(rawValue: -1), to: 0) }
            #expect(error == IOError(operation: "ftruncate", path: "descriptor -1", errno: EBADF))
        }
    }

    #if os(Linux)
    @Test func `a full disk is ENOSPC on the path`() throws {
        let files = PosixFileSystem()
        let file = try files.open("/dev/full", .write)
        defer { files.close(file) }
        let error = try ioFailure { _ = try files.write(file, at: 0, [ByteSlice(ByteBuffer([1]))]) }
        #expect(error == IOError(operation: "write", path: "/dev/full", errno: ENOSPC))
    }

    @Test func `the boot has the kernel's name`() throws {
        let kernel = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        #expect(PosixFileSystem().bootID == kernel.trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(PosixFileSystem().bootID.utf8.count == 36)
    }
    #endif

    @Test func `threads read one file at once`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let directory = FileManager.default.temporaryDirectory.path(percentEncoded: false)
            let path = "\(directory)/sluice-\(UUID().uuidString)"
            let files = PosixFileSystem()
            try files.put((0..<4096).map { UInt8($0 / 16) }, to: path)
            let file = try files.open(path, .read)
            for task in 0..<8 {
                group.addTask {
                    for step in 0..<200 {
                        let block = (task * 31 + step) % 256
                        let read = try files.bytes(of: file, at: Int64(block * 16), count: 16)
                        #expect(read == Array(repeating: UInt8(block), count: 16))
                    }
                }
            }
            try await group.waitForAll()
            files.close(file)
            try files.remove(path)
        }
    }
}
