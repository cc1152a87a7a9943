// Spans of time as people write them.

#if Tool
import ArgumentParser

/// `500ms`, `30s`, `5m`, `2h`, `10d`; a number alone is seconds. Digits alone, with a fraction or without.
struct TimeSpan: ExpressibleByArgument, Hashable {
    var milliseconds: Int64

    init(milliseconds: Int64) { self.milliseconds = milliseconds }

    init?(argument: String) {
        let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let units: [Substring: Double] = [
            "": 1_000, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        // A hundred thousand years: sums with it cannot overflow.
        guard let value = Double(number), let unit = units[argument.dropFirst(number.count)],
            value * unit <= 3.2e15
        else { return nil }
        milliseconds = Int64((value * unit).rounded())
    }

    var duration: Duration { .milliseconds(milliseconds) }

    var defaultValueDescription: String {
        for (unit, span) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        where milliseconds >= span && milliseconds % Int64(span) == 0 {
            return "\(milliseconds / Int64(span))\(unit)"
        }
        return "\(milliseconds)ms"
    }
}
#endif
