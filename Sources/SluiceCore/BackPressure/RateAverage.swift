// The mean of a rate, in bytes per second, over about the last so many seconds.
//
// (1) Without a start-up bias: after the first update it is that update's rate, not a fraction of it.
// (2) What is added is never lost: negative amounts, which correct an estimate, count like others. (3) Plain
// numbers; the time between two updates is a parameter.

import SluiceLog

/// An exponentially weighted mean of a rate.
struct RateAverage: Hashable, Sendable {
    /// How far back it looks, seconds.
    var windowSeconds: Double
    /// The sum of weighted rates, and of their weights, which goes to 1.
    private var weighted = 0.0
    private var weight = 0.0

    init(windowSeconds: Double) { self.windowSeconds = windowSeconds }

    /// Takes note of so many bytes in the time since the last update. Nothing is known of no time.
    mutating func add(bytes: Double, seconds: Double) {
        guard seconds > 0 else { return }
        // The step of an implicit Euler method: exact enough, never unstable, and it needs no exponential.
        let share = seconds / (windowSeconds + seconds)
        weighted += share * (bytes / seconds - weighted)
        weight += share * (1 - weight)
    }

    /// The mean; 0 while nothing is known.
    var bytesPerSecond: Double { weight > 0 ? weighted / weight : 0 }

    /// As if the rate had been 0 before the first update: a short burst does not look like a long one.
    var bytesPerSecondFromRest: Double { weighted }
}

extension RateAverage {
    func encode(into writer: inout BinaryWriter) {
        writer.put(weighted.bitPattern)
        writer.put(weight.bitPattern)
    }

    /// Reads the numbers back; the window is the caller's.
    mutating func decode(from reader: inout BinaryReader) throws(MalformedRecord) {
        weighted = try reader.finite()
        weight = try reader.finite()
        guard (0...1).contains(weight), abs(bytesPerSecond) <= BinaryReader.greatestNumber else {
            throw MalformedRecord(reason: "a rate that is none")
        }
    }
}

extension BinaryReader {
    /// A number that one can calculate with. Throws for NaN and what is more than any file or rate.
    mutating func finite() throws(MalformedRecord) -> Double {
        let value = Double(bitPattern: try integer())
        guard abs(value) <= Self.greatestNumber else {
            throw MalformedRecord(reason: "a number that is none")
        }
        return value
    }

    fileprivate static let greatestNumber = 1e20
}

extension Int64 {
    /// The nearest whole number that there is; 0 for what is no number.
    package init(nearest value: Double) {
        self = value.isNaN ? 0 : value >= 0x1p63 ? .max : value <= -0x1p63 ? .min : Int64(value)
    }
}
