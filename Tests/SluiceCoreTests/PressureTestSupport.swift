// What tests of back pressure have in common: an output with given rates, and a look.

import SluiceTesting

@testable import SluiceCore

extension PressureRuling {
    static func test(
        rate: Double?, _ cause: Cause = .disk, retryAfter: Double = 0.1
    ) -> PressureRuling {
        PressureRuling(
            cause: cause, regime: rate == nil ? .open : .draining, rate: rate, waitingBytes: 0, softBytes: 1,
            targetBytes: 1, hardBytes: nil, drainBytesPerSecond: 0, gain: 0.2, deadTimeSeconds: 0.1,
            retryAfterSeconds: retryAfter)
    }
}

extension PressureOutput {
    static func test(store: Double? = nil, topics: [String: Double] = [:]) -> PressureOutput {
        PressureOutput(
            disk: .test(rate: store), freeableBytes: 0,
            topics: topics.mapValues { .test(rate: $0, .lag(group: "g")) }, groups: [:], relieves: false,
            commitSoon: [], drops: [:], nextStepSeconds: nil, lookAfterBytes: .max)
    }
}

/// Jain's index: 1 when all have the same, 1/n when one has all.
func fairness(_ shares: [Double]) -> Double {
    let sum = shares.reduce(0, +)
    return sum * sum / (Double(shares.count) * shares.reduce(0) { $0 + $1 * $1 })
}
