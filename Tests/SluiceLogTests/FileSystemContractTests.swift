// What `FileSystem` promises, checked of the real one and of the simulated one by the same bodies.

import Foundation
import SluiceLog
import SluiceTesting
import Testing

@Suite struct FileSystemContractTests {
    // MARK: Opening

    @Test(arguments: FileSystemBackend.allCases)
    func `a file that is missing is opened only by create and replace`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            for mode in [OpenMode.read, .write] {
                let error = try ioFailure { _ = try files.open("\(directory)/a", mode) }
                #expect(error == IOError(operation: "open", path: "\(directory)/a", errno: ENOENT))
            }
            files.close(try files.open("\(directory)/a", .create))
            files.close(try files.open("\(directory)/b", .replace))
            #expect(try files.list(directory).map(\.name) == ["a", "b"])
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `create keeps what a file holds and replace empties it`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1, 2, 3], to: "\(directory)/a")
            let kept = try files.open("\(directory)/a", .create)
            #expect(try files.size(kept) == 3)
            files.close(kept)
            let emptied = try files.open("\(directory)/a", .replace)
            #expect(try files.size(emptied) == 0)
            files.close(emptied)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a file opened to be read is not written`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1], to: "\(directory)/a")
            let file = try files.open("\(directory)/a", .read)
            defer { files.close(file) }
            let error = try ioFailure { _ = try files.write(file, at: 0, [ByteSlice(ByteBuffer([2]))]) }
            #expect(error == IOError(operation: "write", path: "\(directory)/a", errno: EBADF))
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a name in a missing directory, or below a file, cannot be made`(_ backend: FileSystemBackend) throws
    {
        try backend.withDirectory { files, directory in
            #expect(try ioFailure { _ = try files.open("\(directory)/no/a", .create) }.errno == ENOENT)
            #expect(try ioFailure { try files.makeDirectory("\(directory)/no/a") }.errno == ENOENT)
            try files.put([], to: "\(directory)/file")
            #expect(try ioFailure { _ = try files.open("\(directory)/file/a", .create) }.errno == ENOTDIR)
            #expect(try ioFailure { _ = try files.open("\(directory)/file/a", .read) }.errno == ENOTDIR)
        }
    }

    // MARK: Reading and writing

    @Test(arguments: FileSystemBackend.allCases)
    func `what is written is read, and a read is short only at the end`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            defer { files.close(file) }
            let written = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try files.write(file, at: 0, [ByteSlice(ByteBuffer(written))]) == 1000)
            #expect(try files.bytes(of: file, at: 10, count: 20) == Array(written[10..<30]))
            #expect(try files.bytes(of: file, at: 990, count: 20) == Array(written[990...]))
            #expect(try files.bytes(of: file, at: 1000, count: 20) == [])
            #expect(try files.bytes(of: file, at: 5000, count: 20) == [])
            #expect(try ioFailure { _ = try files.bytes(of: file, at: -1, count: 20) }.errno == EINVAL)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a read fills the buffer from the offset and keeps what is before it`(_ backend: FileSystemBackend)
        throws
    {
        try backend.withDirectory { files, directory in
            try files.put([1, 2, 3, 4], to: "\(directory)/a")
            let file = try files.open("\(directory)/a", .read)
            defer { files.close(file) }
            let buffer = ByteBuffer(capacity: 8)
            #expect(try files.read(file, at: 0, into: buffer, offset: 0, count: 2) == 2)
            #expect(try files.read(file, at: 1, into: buffer, offset: 2, count: 6) == 3)
            #expect(buffer.array == [1, 2, 2, 3, 4])
            // Within what is in use: the count stays.
            #expect(try files.read(file, at: 3, into: buffer, offset: 0, count: 1) == 1)
            #expect(buffer.array == [4, 2, 2, 3, 4])
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a read beyond the bytes in use leaves zeros in between`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([9], to: "\(directory)/a")
            let file = try files.open("\(directory)/a", .read)
            defer { files.close(file) }
            let buffer = ByteBuffer(capacity: 4)
            #expect(try files.read(file, at: 0, into: buffer, offset: 3, count: 1) == 1)
            #expect(buffer.array == [0, 0, 0, 9])
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a read that does not wait gives the same bytes or nil`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1, 2, 3], to: "\(directory)/a")
            let file = try files.open("\(directory)/a", .read)
            defer { files.close(file) }
            let buffer = ByteBuffer(capacity: 8)
            if let received = try files.readNoWait(file, at: 1, into: buffer, offset: 0, count: 8) {
                #expect(received == 2)
                #expect(buffer.array == [2, 3])
            } else {
                #expect(buffer.count == 0)
            }
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `slices are written one after another, however many`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            defer { files.close(file) }
            let source = ByteBuffer((0..<200).map { UInt8($0) })
            let empty = ByteSlice(source, start: 7, count: 0)
            var slices = [
                ByteSlice(source, start: 0, count: 100), empty, ByteSlice(source, start: 150, count: 50),
            ]
            #expect(try files.write(file, at: 5, slices) == 150)
            #expect(try files.bytes(of: file) == [0, 0, 0, 0, 0] + Array(0..<100) + Array(150..<200))

            // More than one call of the system takes: the caller goes on where it stopped, as after any short
            // write.
            slices = (0..<3000).map { ByteSlice(source, start: $0 % 200, count: 1) }
            var written = 0
            while written < 3000 {
                written += try files.write(file, at: Int64(written), Array(slices[written...]))
            }
            #expect(try files.bytes(of: file) == (0..<3000).map { UInt8($0 % 200) })
            #expect(try files.write(file, at: 0, []) == 0)
            #expect(try files.write(file, at: 0, Array(repeating: empty, count: 2000)) == 0)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `truncate cuts, and lengthens with zeros`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            let file = try files.open("\(directory)/a", .create)
            defer { files.close(file) }
            #expect(try files.write(file, at: 0, [ByteSlice(ByteBuffer([1, 2, 3, 4]))]) == 4)
            try files.truncate(file, to: 2)
            #expect(try files.size(file) == 2)
            try files.truncate(file, to: 5)
            #expect(try files.bytes(of: file) == [1, 2, 0, 0, 0])
            try files.sync(file)
            #expect(try files.bytes(of: file) == [1, 2, 0, 0, 0])
            #expect(try ioFailure { try files.truncate(file, to: -1) }.errno == EINVAL)
        }
    }

    @Test(arguments: FileSystemBackend.allCases, [0, 1, 2, 40])
    func `many syncs at once have a result each`(_ backend: FileSystemBackend, count: Int) throws {
        try backend.withDirectory { files, directory in
            let names = (0..<count).map { "\(directory)/\($0)" }
            for name in names { try files.makeDirectory(name) }
            let opened = try names.map { try files.open("\($0)/file", .create) }
            for file in opened { #expect(try files.write(file, at: 0, [ByteSlice(ByteBuffer([1, 2]))]) == 2) }
            #expect(files.syncAll(opened) == [IOError?](repeating: nil, count: count))
            for file in opened { files.close(file) }
            let missing = "\(directory)/missing"
            let results = files.syncAllDirectories(names + [missing] + names)
            #expect(results.map { $0?.path } == names.map { _ in nil } + [missing] + names.map { _ in nil })
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `a removed file is read and written until it is closed`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1, 2], to: "\(directory)/a")
            let file = try files.open("\(directory)/a", .write)
            try files.remove("\(directory)/a")
            #expect(try files.status("\(directory)/a") == nil)
            #expect(try files.write(file, at: 2, [ByteSlice(ByteBuffer([3]))]) == 1)
            #expect(try files.bytes(of: file) == [1, 2, 3])
            files.close(file)
            // The system gives the number to the next file that any thread opens.
            guard backend == .simulated else { return }
            #expect(try ioFailure { _ = try files.size(file) }.errno == EBADF)
        }
    }

    // MARK: Names

    @Test(arguments: FileSystemBackend.allCases)
    func `a directory is listed sorted with the kinds of what is in it`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            #expect(try files.list(directory) == [])
            try files.makeDirectory("\(directory)/c")
            for name in ["b", "a10", "a9", "é"] { try files.put([1], to: "\(directory)/\(name)") }
            try files.put([1], to: "\(directory)/c/inner")
            #expect(
                try files.list(directory) == [
                    DirectoryEntry(name: "a10", kind: .file), DirectoryEntry(name: "a9", kind: .file),
                    DirectoryEntry(name: "b", kind: .file), DirectoryEntry(name: "c", kind: .directory),
                    DirectoryEntry(name: "é", kind: .file),
                ])
            #expect(
                try ioFailure { _ = try files.list("\(directory)/no") }
                    == IOError(operation: "opendir", path: "\(directory)/no", errno: ENOENT))
            #expect(try ioFailure { _ = try files.list("\(directory)/b") }.errno == ENOTDIR)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `status tells files, directories and nothing apart`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1, 2, 3], to: "\(directory)/a")
            #expect(try files.status("\(directory)/a")?.kind == .file)
            #expect(try files.status("\(directory)/a")?.size == 3)
            #expect(try files.status(directory)?.kind == .directory)
            #expect(try files.status(directory)?.size == 0)
            #expect(try files.status("\(directory)/no") == nil)
            #expect(try files.status("\(directory)/a/no") == nil)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `making a directory that exists succeeds unless it is a file`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.makeDirectory("\(directory)/d")
            try files.put([1], to: "\(directory)/d/a")
            try files.makeDirectory("\(directory)/d")
            #expect(try files.list("\(directory)/d").count == 1)
            let error = try ioFailure { try files.makeDirectory("\(directory)/d/a") }
            #expect(error == IOError(operation: "mkdir", path: "\(directory)/d/a", errno: EEXIST))
            try files.syncDirectory("\(directory)/d")
            #expect(try ioFailure { try files.syncDirectory("\(directory)/no") }.errno == ENOENT)
            #expect(try ioFailure { try files.syncDirectory("\(directory)/d/a") }.errno == ENOTDIR)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `rename replaces a file and leaves open ones theirs`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            try files.put([1], to: "\(directory)/new")
            try files.put([2, 2], to: "\(directory)/old")
            let old = try files.open("\(directory)/old", .read)
            defer { files.close(old) }
            try files.rename("\(directory)/new", to: "\(directory)/old")
            #expect(try files.list(directory).map(\.name) == ["old"])
            #expect(try files.bytes(at: "\(directory)/old") == [1])
            #expect(try files.bytes(of: old) == [2, 2])
            let error = try ioFailure { try files.rename("\(directory)/new", to: "\(directory)/old") }
            #expect(error == IOError(operation: "rename", path: "\(directory)/new", errno: ENOENT))
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `rename moves files and directories between directories`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            for name in ["d", "e", "e/full"] { try files.makeDirectory("\(directory)/\(name)") }
            try files.put([1], to: "\(directory)/d/a")
            try files.rename("\(directory)/d/a", to: "\(directory)/e/b")
            #expect(try files.bytes(at: "\(directory)/e/b") == [1])
            try files.rename("\(directory)/e", to: "\(directory)/d")
            #expect(try files.bytes(at: "\(directory)/d/b") == [1])
            #expect(try files.status("\(directory)/e") == nil)

            #expect(
                try ioFailure { try files.rename("\(directory)/d", to: "\(directory)/d/full/x") }.errno
                    == EINVAL)
            #expect(
                try ioFailure { try files.rename("\(directory)/d/b", to: "\(directory)/d/full") }.errno
                    == EISDIR)
            #expect(
                try ioFailure { try files.rename("\(directory)/d/full", to: "\(directory)/d/b") }.errno
                    == ENOTDIR)
            try files.makeDirectory("\(directory)/f")
            #expect(
                try ioFailure { try files.rename("\(directory)/f", to: "\(directory)/d") }.errno == ENOTEMPTY)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `removing what is missing succeeds, removing the wrong kind does not`(_ backend: FileSystemBackend)
        throws
    {
        try backend.withDirectory { files, directory in
            try files.remove("\(directory)/no")
            try files.remove("\(directory)/no/no")
            try files.removeDirectory("\(directory)/no")
            try files.makeDirectory("\(directory)/d")
            try files.put([1], to: "\(directory)/d/a")
            #expect(throws: IOError.self) { try files.remove("\(directory)/d") }
            #expect(try ioFailure { try files.removeDirectory("\(directory)/d") }.errno == ENOTEMPTY)
            #expect(try ioFailure { try files.removeDirectory("\(directory)/d/a") }.errno == ENOTDIR)
            try files.remove("\(directory)/d/a")
            try files.removeDirectory("\(directory)/d")
            #expect(try files.list(directory) == [])
        }
    }

    // MARK: The rest

    @Test(arguments: FileSystemBackend.allCases)
    func `a lock is held once, also within a process, until it is closed`(_ backend: FileSystemBackend) throws
    {
        try backend.withDirectory { files, directory in
            let path = "\(directory)/LOCK"
            try files.put(Array("4294967295 is an old, long line\n".utf8), to: path)
            guard case .locked(let first) = try files.lock(path) else {
                return #expect(Bool(false), "not locked")
            }
            let line = String(decoding: try files.bytes(at: path), as: UTF8.self)
            #expect(line.hasSuffix("\n"))
            guard case .held(let holder) = try files.lock(path) else {
                return #expect(Bool(false), "locked twice")
            }
            #expect(holder != nil && holder == Int32(line.dropLast()))
            files.close(first)
            guard case .locked(let second) = try files.lock(path) else {
                return #expect(Bool(false), "not released")
            }
            files.close(second)
        }
    }

    @Test(arguments: FileSystemBackend.allCases)
    func `there is room, and the boot has one name`(_ backend: FileSystemBackend) throws {
        try backend.withDirectory { files, directory in
            let available = try files.availableBytes(directory)
            #expect(available > 0)
            let error = try ioFailure { _ = try files.availableBytes("\(directory)/no") }
            #expect(error == IOError(operation: "statvfs", path: "\(directory)/no", errno: ENOENT))
            #expect(!files.bootID.isEmpty)
            #expect(files.bootID == files.bootID)
        }
    }
}
