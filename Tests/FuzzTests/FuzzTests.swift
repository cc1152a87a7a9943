// The fuzzer's targets over its corpus, and over seeded changes of it: what `Scripts/fuzz` looks for with a
// compiler's help, looked for in each run of the tests.
//
// (1) Every input of the corpus holds what the targets promise. (2) So does every change of one that a seed
// draws. A trap ends the process: the last input that was begun is named on standard error with
// SLUICE_FUZZ_NAMES=1.

import Foundation
import SluiceTesting
import Testing

@Suite struct FuzzTests {
    @Test(arguments: FuzzTarget.allCases)
    func `every input of the corpus holds what is promised`(target: FuzzTarget) throws {
        let corpus = try Corpus.of(target)
        #expect(corpus.count >= 3)
        for (name, bytes) in corpus {
            expectHeld(target, bytes, name)
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `every drawn change of the corpus holds what is promised`(target: FuzzTarget) throws {
        let corpus = try Corpus.of(target)
        for seed in 0..<target.changes {
            var random = SeededRandom(seed: UInt64(seed))
            let bytes = Corpus.changed(random.pick(corpus).bytes, &random)
            expectHeld(target, bytes, "seed \(seed)")
        }
    }

    private func expectHeld(_ target: FuzzTarget, _ bytes: [UInt8], _ name: String) {
        if Corpus.isNamed { FileHandle.standardError.write(Data("\(target) \(name)\n".utf8)) }
        do throws(FuzzFailure) {
            try target.run(bytes)
        } catch {
            Issue.record("\(target) \(name): \(error)")
        }
    }
}

extension FuzzTarget {
    /// How many changes are drawn: together a few seconds without optimisation.
    fileprivate var changes: Int {
        switch self {
        case .batch, .records, .offsets, .tasks, .messages, .json, .wire: 2_000
        case .codecs, .pressure: 500
        case .index, .manifest, .journal, .store: 15
        }
    }
}

private enum Corpus {
    static let isNamed = ProcessInfo.processInfo.environment["SLUICE_FUZZ_NAMES"] != nil

    static func of(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fuzzing/Corpus/\(target.rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { ($0, [UInt8](try Data(contentsOf: folder.appending(path: $0)))) }
    }

    /// A few bytes flipped, replaced, removed, repeated or added.
    static func changed(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<random.within(1...4) where !bytes.isEmpty {
            let place = random.below(bytes.count)
            let end = min(bytes.count, place + random.within(1...16))
            switch random.below(6) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes[place] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count))
            case 4: bytes.removeLast(bytes.count - place)
            default: bytes.insert(UInt8(random.below(256)), at: place)
            }
        }
        return bytes
    }
}
