// Looking an offset up in an index file, held against going through it.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct IndexFilesTests {
    @Test(arguments: [0, 1, 2, 4_095, 4_096, 4_097, 8_192, 20_000], [1.0, 1.001, 0.999])
    func `the entry at or before an offset is the one that a walk finds`(count: Int, growth: Double) throws {
        let files = SimulatedFileSystem(seed: 1)
        var random = SeededRandom(seed: UInt64(count) + 7)
        // Offsets that grow ever faster, or ever more slowly, are not where one would guess.
        var (step, offset) = (20.0, 0)
        var entries: [IndexEntry] = []
        for index in 0..<count {
            offset += 1 + Int(step.rounded()) + random.below(5)
            step = min(max(step * growth, 0), 50_000)
            entries.append(IndexEntry(relativeOffset: Int32(offset), position: Int32(index * 4096)))
        }
        try files.put(entries.flatMap(\.encoded), to: "/index")
        let base: Int64 = 1_000
        let bytes = Int64(count * IndexEntry.bytes)
        var wanted = [0, 1, offset - 1, offset, offset + 1, offset + 1_000_000]
        for _ in 0..<200 { wanted.append(random.below(offset + 10)) }
        for relative in wanted where relative >= 0 {
            let expected = entries.last { Int($0.relativeOffset) <= relative }
            for end in [base + Int64(offset) + 10, base, Int64.max / 2] {
                let found = IndexFiles.position(
                    of: base + Int64(relative), baseOffset: base, end: end, in: "/index", bytes: bytes, files)
                #expect(found == expected, "\(relative) of \(count), guessed with \(end)")
            }
        }
    }

    @Test func `what is behind the bytes that count is not looked at`() throws {
        let files = SimulatedFileSystem(seed: 1)
        let entries = (1...10).map { IndexEntry(relativeOffset: Int32($0 * 10), position: Int32($0)) }
        try files.put(entries.flatMap(\.encoded), to: "/index")
        func find(_ offset: Int64, _ bytes: Int64) -> IndexEntry? {
            IndexFiles.position(of: offset, baseOffset: 0, end: 100, in: "/index", bytes: bytes, files)
        }
        #expect(find(1_000, 3 * Int64(IndexEntry.bytes)) == entries[2])
        #expect(find(1_000, 3 * Int64(IndexEntry.bytes) + 5) == entries[2])
        #expect(find(9, 1 << 40) == nil)
        #expect(find(1_000, 1 << 40) == entries[9])
        #expect(find(1_000, 0) == nil)
    }
}
