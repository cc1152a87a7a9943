// Spans of time as Kafka's files and settings count them: whole milliseconds.

extension Duration {
    /// The whole milliseconds, rounded towards zero; the nearest `Int64` when they do not fit one.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (thousands, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflowOfSum) = thousands.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return overflow || overflowOfSum ? (seconds < 0 ? .min : .max) : sum
    }
}

extension Int64 {
    /// The sum, or the nearest number that fits.
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The product, or the nearest number that fits.
    func multipliedSaturated(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}
