// The mean of a rate: from its first update on, over any interval, with corrections.

import Testing

@testable import SluiceCore
@testable import SluiceLog

@Suite struct RateAverageTests {
    @Test func `nothing is known of nothing`() {
        var average = RateAverage(windowSeconds: 5)
        #expect(average.bytesPerSecond == 0)
        average.add(bytes: 1_000, seconds: 0)
        average.add(bytes: 1_000, seconds: -1)
        #expect(average.bytesPerSecond == 0)
        #expect(average.bytesPerSecondFromRest == 0)
    }

    @Test(arguments: [0.001, 0.1, 1, 3_600])
    func `the first update is the mean`(_ seconds: Double) {
        var average = RateAverage(windowSeconds: 5)
        average.add(bytes: 700 * seconds, seconds: seconds)
        #expect(abs(average.bytesPerSecond - 700) < 1e-6)
        #expect(average.bytesPerSecondFromRest < 700)
    }

    @Test(arguments: [0.05, 0.1, 1, 10])
    func `a step has arrived by two thirds after the window`(_ tick: Double) {
        var average = RateAverage(windowSeconds: 10)
        average.add(bytes: 0, seconds: 1_000_000)
        for _ in 0..<Int(10 / tick) { average.add(bytes: 100 * tick, seconds: tick) }
        #expect((50...66).contains(average.bytesPerSecond))
        for _ in 0..<Int(90 / tick) { average.add(bytes: 100 * tick, seconds: tick) }
        #expect(average.bytesPerSecond > 99)
    }

    @Test func `a correction takes back what it corrects`() {
        var average = RateAverage(windowSeconds: 5)
        for step in 0..<1_000 { average.add(bytes: step.isMultiple(of: 2) ? 300 : -100, seconds: 0.01) }
        #expect(abs(average.bytesPerSecond - 10_000) < 100)
    }

    @Test func `it survives its bytes`() throws {
        var average = RateAverage(windowSeconds: 5)
        for step in 1..<10 { average.add(bytes: Double(step * step), seconds: 0.1) }
        var writer = BinaryWriter()
        average.encode(into: &writer)
        var reader = BinaryReader(writer.bytes[...])
        var copy = RateAverage(windowSeconds: 5)
        try copy.decode(from: &reader)
        #expect(copy == average)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func `what is no number is refused`(_ value: Double) {
        var writer = BinaryWriter()
        writer.put(value.bitPattern)
        writer.put(0.0.bitPattern)
        var reader = BinaryReader(writer.bytes[...])
        var average = RateAverage(windowSeconds: 5)
        #expect(throws: MalformedRecord.self) { try average.decode(from: &reader) }
    }

    @Test func `every number has a nearest whole one`() {
        #expect(Int64(nearest: .nan) == 0)
        #expect(Int64(nearest: .infinity) == .max)
        #expect(Int64(nearest: -1e300) == .min)
        #expect(Int64(nearest: 0x1p63) == .max)
        #expect(Int64(nearest: 41.9) == 41)
    }
}
