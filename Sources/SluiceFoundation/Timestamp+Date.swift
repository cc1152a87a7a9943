// Foundation's moments as timestamps, and back.

public import Foundation
public import Sluice

extension Timestamp {
    /// The millisecond nearest to `date`; the last or first there is when that is beyond 64 bits.
    ///
    /// Nearest, not the one it lies in: a `Date` is a `Double`, and a timestamp must survive the way there
    /// and back.
    public init(_ date: Date) {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        if let exact = Int64(exactly: milliseconds) {
            self.init(millisecondsSince1970: exact)
        } else {
            self.init(millisecondsSince1970: milliseconds < 0 ? .min : .max)
        }
    }
}

extension Date {
    /// The moment of `timestamp`.
    public init(_ timestamp: Timestamp) {
        self.init(timeIntervalSince1970: Double(timestamp.millisecondsSince1970) / 1000)
    }
}
