// How far a long command has come, on one line of a terminal; in a pipe nothing.

#if Tool
/// Records, bytes and rates, shown on standard error when that is a terminal.
struct Progress {
    private let isShown: Bool
    private let begun = System.monotonicNanoseconds
    private var next: Int64
    private var hasPrinted = false

    /// Shorter work passes without a word.
    private static let delay: Int64 = 1_000_000_000
    private static let interval: Int64 = 200_000_000

    /// - Parameter isShown: false where the terminal is needed for something else.
    init(isShown: Bool = true) {
        self.isShown = isShown && System.isTerminal(2)
        next = begun + Self.delay
    }

    /// To be called now and then: shows the amounts when it is time.
    mutating func update(records: Int64, bytes: Int64, storedBytes: @autoclosure () -> Int64?) {
        guard isShown else { return }
        let now = System.monotonicNanoseconds
        guard now >= next else { return }
        next = now + Self.interval
        show(records, bytes, storedBytes(), now)
    }

    /// Shows the final amounts, when any were shown before, and ends the line.
    mutating func finish(records: Int64, bytes: Int64, storedBytes: @autoclosure () -> Int64?) {
        guard hasPrinted else { return }
        show(records, bytes, storedBytes(), System.monotonicNanoseconds)
        StandardError.write("\n")
    }

    private mutating func show(_ records: Int64, _ bytes: Int64, _ storedBytes: Int64?, _ now: Int64) {
        hasPrinted = true
        let seconds = Double(now - begun) / 1e9
        var line = Amounts.line(records: records, bytes: bytes, seconds: seconds)
        if let storedBytes, storedBytes > 0 {
            line += ", ratio " + Amounts.decimal(Double(bytes) / Double(storedBytes))
        }
        StandardError.write("\r" + line + "\u{1B}[K")
    }
}

/// Amounts as people read them.
enum Amounts {
    /// `336,776 records, 101.2 MB, 88.1 MB/s, 1,234,567 records/s`
    static func line(records: Int64, bytes: Int64, seconds: Double) -> String {
        let seconds = max(seconds, 1e-9)
        return
            "\(grouped(records)) records, \(megabytes(bytes)), "
            + "\(decimal(Double(bytes) / 1e6 / seconds)) MB/s, "
            + "\(grouped(Int64(Double(records) / seconds))) records/s"
    }

    /// `101.2 MB`; millions of bytes.
    static func megabytes(_ bytes: Int64) -> String { decimal(Double(bytes) / 1e6) + " MB" }

    /// `336,776`
    static func grouped(_ number: Int64) -> String {
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `3.4`: one digit behind the point, two below ten.
    static func decimal(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "–" }
        let scale: Double = abs(number) < 10 ? 100 : 10
        let scaled = Int64((abs(number) * scale).rounded())
        let (whole, rest) = scaled.quotientAndRemainder(dividingBy: Int64(scale))
        let digits = String(rest)
        let zeros = String(repeating: "0", count: (scale == 100 ? 2 : 1) - digits.count)
        return (number < 0 ? "-" : "") + grouped(whole) + "." + zeros + digits
    }
}
#endif
