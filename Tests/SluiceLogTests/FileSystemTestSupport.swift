// What the suites of the file systems share: the implementations under test, and calls with arrays for
// buffers.

import Foundation
import SluiceLog
import SluiceTesting
import Testing

/// The implementations, each with an empty directory to work in.
enum FileSystemBackend: CaseIterable {
    case posix, simulated

    /// Runs `body` with a file system and the path of an empty directory, which is removed afterwards.
    func withDirectory(_ body: (any FileSystem, String) throws -> Void) throws {
        switch self {
        case .simulated:
            let files = SimulatedFileSystem(seed: 1)
            try files.makeDirectory("/work")
            try body(files, "/work")
        case .posix:
            let directory = FileManager.default.temporaryDirectory.appending(
                path: "sluice-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            try body(PosixFileSystem(), directory.path(percentEncoded: false))
        }
    }
}

extension FileSystem {
    /// Writes all of `bytes` to an open file.
    func put(_ bytes: [UInt8], to file: FileID, at position: Int = 0) throws {
        #expect(try write(file, at: Int64(position), [ByteSlice(ByteBuffer(bytes))]) == bytes.count)
    }

    /// Writes all of `bytes` to the start of a file, which is made when it is missing.
    func put(_ bytes: [UInt8], to path: String) throws {
        let file = try open(path, .create)
        defer { close(file) }
        try put(bytes, to: file)
    }

    /// Up to `count` bytes of an open file.
    func bytes(of file: FileID, at position: Int64 = 0, count: Int = 1 << 20) throws -> [UInt8] {
        let buffer = ByteBuffer(capacity: count)
        let received = try read(file, at: position, into: buffer, offset: 0, count: count)
        #expect(received == buffer.count)
        return buffer.array
    }

    /// All bytes of a file.
    func bytes(at path: String) throws -> [UInt8] {
        let file = try open(path, .read)
        defer { close(file) }
        return try bytes(of: file)
    }
}

/// The `IOError` that `body` throws.
func ioFailure(_ body: () throws -> Void) throws -> IOError {
    try #require(throws: IOError.self, performing: body)
}

/// The seeds that each fact is tried with.
let simulatedSeeds: Range<UInt64> = 0..<200

extension SimulatedFileSystem {
    /// An empty disk with the durable directory `/d`.
    static func prepared(_ seed: UInt64, _ policy: FaultPolicy = .none) throws -> SimulatedFileSystem {
        let files = SimulatedFileSystem(seed: seed, policy: policy)
        try files.makeDirectory("/d")
        try files.syncDirectory("/")
        return files
    }

    /// A disk with the durable file `/d/a` that holds `content`, and the file opened.
    static func prepared(_ seed: UInt64, holding content: [UInt8]) throws -> (SimulatedFileSystem, FileID) {
        let files = try prepared(seed)
        let file = try files.open("/d/a", .create)
        try files.put(content, to: file)
        try files.sync(file)
        try files.syncDirectory("/d")
        return (files, file)
    }
}

/// `count` times the same byte.
func filled(_ byte: UInt8, _ count: Int) -> [UInt8] { Array(repeating: byte, count: count) }
