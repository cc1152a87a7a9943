// Where a group is thought to be between its commits.

import Testing

@testable import SluiceCore

@Suite struct ConsumedEstimateTests {
    /// A steady reader of 100 bytes a second that commits every so many seconds: its greatest error later on.
    private func error(commit: Double, fetched held: Double?, tells: Bool = false) -> Double {
        var estimate = ConsumedEstimate()
        var (committed, worst) = (0.0, 0.0)
        for step in 0...3_000 {
            let seconds = Double(step) * 0.1
            let place = 100 * seconds
            if step.isMultiple(of: Int(commit * 10)) { committed = place }
            estimate.observe(
                committed: committed, processed: tells ? place : nil, fetched: held.map { place + $0 },
                end: place + 5_000, seconds: step == 0 ? 0 : 0.1)
            if seconds > 2 * commit { worst = max(worst, abs(estimate.place - place)) }
        }
        return worst
    }

    @Test(arguments: [0.3, 1, 5, 30])
    func `a steady reader is where it is, whatever is known of it`(_ commit: Double) {
        #expect(error(commit: commit, fetched: nil, tells: true) == 0)
        #expect(error(commit: commit, fetched: 0) < 1e-6)
        #expect(error(commit: commit, fetched: 3_000) < 1e-6)
        #expect(error(commit: commit, fetched: nil) < 11)
    }

    @Test func `what was told is the place, within the log and not behind the commit`() {
        var estimate = ConsumedEstimate()
        estimate.observe(committed: 50, processed: 70, fetched: nil, end: 100, seconds: 0.1)
        #expect(estimate.place == 70)
        #expect(estimate.stalenessSeconds == 0)
        estimate.observe(committed: 50, processed: 700, fetched: nil, end: 100, seconds: 0.1)
        #expect(estimate.place == 100)
        estimate.observe(committed: 50, processed: 20, fetched: nil, end: 100, seconds: 0.1)
        #expect(estimate.place == 50)
    }

    @Test func `before the first commit a reader is where it was served`() {
        var estimate = ConsumedEstimate()
        for step in 1...100 {
            estimate.observe(
                committed: 0, processed: nil, fetched: Double(step), end: 1_000, seconds: 0.1)
            #expect(estimate.place == Double(step))
        }
    }

    @Test func `one that reads and never commits is back at its commit after two minutes`() {
        var estimate = ConsumedEstimate()
        estimate.observe(committed: 10, processed: nil, fetched: 500, end: 1_000, seconds: 0)
        var before = Double.infinity
        for _ in 0..<1_900 {
            estimate.observe(committed: 10, processed: nil, fetched: 500, end: 1_000, seconds: 0.1)
            #expect(estimate.place <= before)
            before = estimate.place
        }
        #expect(before == 10)
    }

    @Test func `a reader that stops is not guessed on for ever`() {
        var estimate = ConsumedEstimate()
        for step in 0...4 {
            estimate.observe(
                committed: Double(step * 500), processed: nil, fetched: nil, end: 1e6,
                seconds: step == 0 ? 0 : 5)
        }
        #expect(estimate.intervalSeconds == 5)
        var greatest = 0.0
        for _ in 0..<200 {
            estimate.observe(committed: 2_000, processed: nil, fetched: nil, end: 1e6, seconds: 0.1)
            greatest = max(greatest, estimate.place)
        }
        #expect(abs(greatest - 2_750) < 20)
        #expect(estimate.place == 2_000)
    }

    @Test func `a group that is set back says so, once`() {
        var estimate = ConsumedEstimate()
        var back: [Double] = []
        for place in [900.0, 100, 100, 200] {
            back.append(
                estimate.observe(committed: place, processed: nil, fetched: place, end: 1_000, seconds: 1))
            #expect(estimate.place == place)
        }
        #expect(back == [0, 800, 0, 0])
    }

    @Test func `without a commit a step back is seen too, but not that nobody tells any more`() {
        var estimate = ConsumedEstimate()
        var back: [Double] = []
        for processed in [500, 800, 300, nil, 0] as [Double?] {
            back.append(
                estimate.observe(
                    committed: 0, processed: processed, fetched: nil, end: 1_000, seconds: 1))
        }
        #expect(back == [0, 0, 500, 0, 0])
    }

    @Test func `with nothing to consume no commit is missed`() {
        var estimate = ConsumedEstimate()
        estimate.observe(committed: 0, processed: nil, fetched: nil, end: 100, seconds: 0)
        estimate.observe(committed: 100, processed: nil, fetched: nil, end: 100, seconds: 5)
        for _ in 0..<100 {
            estimate.observe(committed: 100, processed: nil, fetched: nil, end: 100, seconds: 60)
        }
        #expect(estimate.intervalSeconds == 5)
        #expect(estimate.place == 100)
    }
}
