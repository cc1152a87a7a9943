// The demo's input files: which there are, and how one is read.

#if Tool
import Foundation
import Sluice
import SluiceLog

/// A file of the demo, and the topic that it goes to.
struct DemoInput: Sendable {
    var topic: String
    var about: String
    var path: String
    var partitions: Int
    /// How its records stand in it.
    var format: String

    /// What `Scripts/demo-input` puts into `directory`, as far as it is there.
    static func found(in directory: String) -> [DemoInput] {
        let all = [
            DemoInput(
                topic: "flights", about: "the flights that left New York in 2013, keyed by carrier",
                path: "\(directory)/flights.tsv", partitions: 3, format: #"%k\t%v\n"#),
            DemoInput(
                topic: "packages", about: "the package log of this machine", path: "\(directory)/dpkg.log",
                partitions: 1, format: #"%v\n"#),
        ]
        let files = PosixFileSystem()
        return all.filter { ((try? files.status($0.path))??.size ?? 0) > 0 }
    }

    /// Reads the records one after another; `position` is where each begins in the file.
    func read(
        _ body: (_ key: RawSpan?, _ value: RawSpan?, _ position: Int64) async throws -> Void
    ) async throws {
        let files = PosixFileSystem()
        let file = try files.open(path, .read)
        defer { files.close(file) }
        var input = ByteInput(file.rawValue, try Interrupter())
        var splitter = try RecordSplitter(try RecordFormat(format))
        var (dropped, position): (Int64, Int) = (0, 0)
        while true {
            try Task.checkCancellation()
            dropped += Int64(position)
            let hasMore = try input.fill(dropping: position)
            position = 0
            let buffer = input.buffer
            let bytes = buffer.bytes
            while let next = try splitter.next(in: bytes, from: position, isLast: input.isAtEnd) {
                try await body(
                    bytes.part(splitter.key), bytes.part(splitter.value), dropped + Int64(position))
                position = next
            }
            if !hasMore { return }
        }
    }

    /// Bytes of the file.
    func size() -> Int64 { (try? PosixFileSystem().status(path))??.size ?? 0 }
}
#endif
