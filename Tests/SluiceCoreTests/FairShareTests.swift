// Weighted max–min shares, against the level that filling slowly would come to.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct FairShareTests {
    /// What is taken at a level.
    private func taken(_ level: Double, _ claims: [ShareClaim]) -> Double {
        claims.reduce(0) { $0 + min($1.demand, level * $1.weight) }
    }

    /// The level at which all of the rate is taken, found by halving; nil when it is more than all want.
    private func filled(_ rate: Double, _ claims: [ShareClaim]) -> Double? {
        guard taken(.greatestFiniteMagnitude, claims) > rate else { return nil }
        var (low, high) = (0.0, rate)
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if taken(middle, claims) > rate { high = middle } else { low = middle }
        }
        return low
    }

    @Test func `the level is that of progressive filling`() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<5_000 {
            let claims = (0..<random.within(1...12)).map { _ in
                ShareClaim(
                    weight: Double(random.within(1...100)),
                    demand: random.chance(0.3) ? .infinity : Double(random.below(1_000_000)))
            }
            let rate = Double(random.below(5_000_000))
            let level = FairShare.level(of: rate, among: claims)
            if let oracle = filled(rate, claims) {
                #expect(abs(level - oracle) <= 1e-6 * max(oracle, 1), "\(rate) \(claims)")
            } else {
                // All are content, and nobody is bounded by less than he wants.
                #expect(claims.allSatisfy { $0.demand <= level * $0.weight * (1 + 1e-9) })
                #expect(taken(level, claims) <= rate * (1 + 1e-9))
            }
        }
    }

    @Test func `alone one has all, and a newcomer what is left`() {
        #expect(FairShare.level(of: 100, among: []) == 100)
        #expect(FairShare.level(of: 100, among: [ShareClaim(weight: 1, demand: .infinity)]) == 100)
        #expect(FairShare.level(of: 100, among: [ShareClaim(weight: 4, demand: .infinity)]) == 25)
        #expect(FairShare.level(of: 100, among: [ShareClaim(weight: 1, demand: 30)]) == 70)
        #expect(FairShare.level(of: 100, among: [ShareClaim(weight: 1, demand: 80)]) == 80)
    }

    @Test func `of nothing everybody has nothing`() {
        #expect(FairShare.level(of: 0, among: [ShareClaim(weight: 1, demand: .infinity)]) == 0)
        #expect(FairShare.level(of: 0, among: []) == 0)
    }

    @Test func `who wants less than his share leaves the rest to the others`() {
        let claims = [
            ShareClaim(weight: 1, demand: 10), ShareClaim(weight: 1, demand: .infinity),
            ShareClaim(weight: 2, demand: .infinity),
        ]
        #expect(FairShare.level(of: 100, among: claims) == 30)
    }
}
