// What a seed of tasks or of messages did last, and what it found to be wrong.

/// What does not hold, with what was done last.
public struct BrokenQueue: Error, CustomStringConvertible {
    var seed: UInt64
    var step: Int
    var reason: String
    var history: StepHistory
    /// The seed, the step, the reason, and the last steps.
    public var description: String {
        "seed \(seed), step \(step): \(reason)\n" + history.lines.suffix(60).joined(separator: "\n")
    }
}

/// The last steps of a seed, in words.
struct StepHistory: Sendable {
    private(set) var lines: [String] = []

    mutating func note(_ step: Int, _ text: String) {
        lines.append("\(step) \(text)")
        if lines.count > 200 { lines.removeFirst(100) }
    }
}
