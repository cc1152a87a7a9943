// Frames out of bytes, however they are cut.

import KafkaWire
import SluiceLog
import Testing

@testable import SluiceServer

struct FrameAssemblerTests {
    /// Feeds `bytes` in pieces of `size`, and returns the frames.
    private func frames(
        _ bytes: [UInt8], pieces size: Int, limit: Int = 1 << 20
    ) throws(WireError) -> [[UInt8]] {
        var assembler = FrameAssembler(limit: limit)
        var frames: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            var piece = bytes[start..<min(start + size, bytes.count)]
            start += size
            while !piece.isEmpty {
                switch assembler.want {
                case .size(let count):
                    try assembler.takeSize(piece.prefix(count))
                    piece = piece.dropFirst(count)
                case .body(let count):
                    let part = Array(piece.prefix(count))
                    assembler.takeBody(part.count) { memory in
                        memory.copyBytes(from: part)
                        return part.count
                    }
                    piece = piece.dropFirst(count)
                }
                if let frame = assembler.takeFrame() { frames.append(frame.array) }
            }
        }
        return frames
    }

    private func frame(_ body: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (24 - 8 * $0)) } + body
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 64, 100_000])
    func `frames come out whole whatever pieces they come in`(_ size: Int) throws {
        let bodies = [[1, 2, 3], [UInt8](repeating: 7, count: 70_000), [9], (0..<200).map { UInt8($0) }]
        #expect(try frames(bodies.flatMap(frame), pieces: size) == bodies)
    }

    @Test func `an empty frame is a frame`() throws {
        #expect(try frames(frame([]) + frame([5]), pieces: 3) == [[], [5]])
    }

    @Test func `a size that is negative or over the limit throws before anything is allocated`() {
        #expect(throws: WireError.self) { try frames([0xFF, 0xFF, 0xFF, 0xFF], pieces: 4) }
        #expect(throws: WireError.self) { try frames([0, 0, 1, 1], pieces: 1, limit: 256) }
        #expect(throws: Never.self) { try frames([0, 0, 1, 0], pieces: 1, limit: 256) }
    }

    @Test func `a large frame takes no more memory than about twice what has come of it`() throws {
        var assembler = FrameAssembler(limit: 100 << 20)
        try assembler.takeSize([5, 0, 0, 0])
        #expect(assembler.announced == 5 << 24)
        assembler.takeBody(10) { memory in
            memory.copyBytes(from: [UInt8](repeating: 1, count: 10))
            return 10
        }
        #expect(assembler.allocatedBytes == FrameAssembler.firstBytes)
    }
}
