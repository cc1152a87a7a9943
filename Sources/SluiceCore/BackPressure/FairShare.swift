// Weighted max–min fairness: a rate is shared so that nobody can have more without one who has less, for his
// weight, having to give.
//
// (1) Who wants less than his share gets what he wants; the rest is shared by the others. (2) The answer is
// one number, the level: each may have his weight times it. (3) There is always room for a newcomer of weight
// 1: the level is reckoned as if one more were there when all are content.

/// Somebody who wants a part of a rate.
struct ShareClaim: Hashable, Sendable {
    var weight: Double
    /// Bytes per second; infinite for one who takes all that he gets.
    var demand: Double
}

enum FairShare {
    /// The rate for each unit of weight, bytes per second.
    ///
    /// - Complexity: O(n log n).
    static func level(of rate: Double, among claims: [ShareClaim]) -> Double {
        var left = rate
        var weight = claims.reduce(0) { $0 + $1.weight }
        for claim in claims.sorted(by: { $0.demand / $0.weight < $1.demand / $1.weight }) {
            // The smallest demand of those that are left: more than the share of all of them?
            if claim.demand * weight > left * claim.weight { return left / weight }
            left -= claim.demand
            weight -= claim.weight
        }
        let greatest = claims.map { $0.demand / $0.weight }.max() ?? 0
        return max(greatest, max(left, 0))
    }
}
