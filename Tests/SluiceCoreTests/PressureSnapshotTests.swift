// What of the controller outlives the process, and bytes that do not come from it.

import SluiceTesting
import Testing

@testable import SluiceCore
@testable import SluiceLog

@Suite struct PressureSnapshotTests {
    /// A controller that has seen something, and its look.
    private func bench() -> PressureControllerTests.Bench {
        var bench = PressureControllerTests.Bench()
        bench.limit = 1 << 30
        bench.run(seconds: 20, append: 40e6, consume: 30e6)
        return bench
    }

    @Test func `a new controller's snapshot is a new controller`() throws {
        let bytes = PressureController().snapshot
        #expect(try PressureController(snapshot: bytes).snapshot == bytes)
    }

    @Test func `a snapshot of a snapshot is the same`() throws {
        let bytes = bench().controller.snapshot
        #expect(bytes.count < 1_000)
        #expect(try PressureController(snapshot: bytes).snapshot == bytes)
    }

    @Test func `what was made from a snapshot says the same at the same look, and ever after`() throws {
        var (old, new) = (bench(), bench())
        new.controller = try PressureController(snapshot: old.controller.snapshot)
        // The same look: no time has gone by for either.
        old.now -= 100_000_000
        new.now = old.now
        for step in 0..<600 {
            let (said, says) = (old.look(), new.look())
            #expect(said.disk == says.disk, "at look \(step)")
            #expect(said.topics == says.topics, "at look \(step)")
            #expect(said.groups == says.groups)
            #expect(said.drops == says.drops && said.commitSoon == says.commitSoon)
            for rate in [step.isMultiple(of: 7) ? 9_000_000 : 3_000_000] as [Int64] {
                old.appended += rate
                new.appended += rate
            }
            old.processed = min(old.appended, old.processed + 3_500_000)
            new.processed = old.processed
            if step.isMultiple(of: 20) { (old.committed, new.committed) = (old.processed, old.processed) }
        }
    }

    @Test func `bytes that are too few, too many or of another version are refused`() {
        let bytes = bench().controller.snapshot
        for count in 0..<bytes.count {
            #expect(throws: MalformedRecord.self) { try PressureController(snapshot: Array(bytes[..<count])) }
        }
        #expect(throws: MalformedRecord.self) { try PressureController(snapshot: bytes + [0]) }
        #expect(throws: MalformedRecord.self) { try PressureController(snapshot: [9] + bytes.dropFirst()) }
    }

    @Test func `mutated bytes never trap, and what they make still gives numbers`() {
        var bench = bench()
        let bytes = bench.controller.snapshot
        var random = SeededRandom(seed: 4)
        for _ in 0..<20_000 {
            var mutated = bytes
            for _ in 0..<random.within(1...6) {
                mutated[random.below(mutated.count)] = UInt8(random.below(256))
            }
            guard let controller = try? PressureController(snapshot: mutated) else { continue }
            bench.controller = controller
            for _ in 0..<3 {
                let output = bench.look()
                for ruling in [output.disk] + output.topics.values {
                    #expect(ruling.rate.map { $0.isFinite && $0 >= 0 } ?? true)
                    #expect(ruling.targetBytes.isFinite && ruling.drainBytesPerSecond.isFinite)
                }
            }
        }
    }
}
