// Time and randomness as the simulator makes them up.

import SluiceLog
import SluiceTesting
import Testing

@Suite struct SimulatedFileSystemClockTests {
    @Test func `both clocks advance, and the wall clock alone jumps`() {
        var clock = SimulatedClock(wallMilliseconds: 1000, monotonicNanoseconds: 5)
        for _ in 0..<3 { clock.advance(by: .microseconds(500)) }
        #expect(clock.now == Instant(wallMilliseconds: 1001, monotonicNanoseconds: 1_500_005))
        clock.jumpWallClock(by: .seconds(-10))
        #expect(clock.now == Instant(wallMilliseconds: -8999, monotonicNanoseconds: 1_500_005))
    }

    @Test func `the generator draws the published numbers within the bounds`() {
        var random = SeededRandom(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
        #expect((0..<1000).allSatisfy { _ in (0..<7).contains(random.below(7)) })
        #expect(!random.chance(0) && random.chance(1))
    }
}
