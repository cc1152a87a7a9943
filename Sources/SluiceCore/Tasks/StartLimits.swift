// What a queue may start: how many tasks at a time, how many in a while; all of them, a tenant's, a kind's.
//
//   version u8 (1) · fields: 1 the queue's limit · 2 each tenant's limit · 3 count u32 (name string · limit)
//   a limit: concurrency u32 · count u32 · period i64, ms · burst u32; 0 is no limit
//
// (1) The record is the last word: what is not in it is not limited. (2) A rate is a bucket of `burst` starts
// that is filled with one every `interval`. What memory has of a bucket is the moment at which it is full
// (GCRA), so that a start is one comparison and one sum. (3) A bucket that is made, at an opening or because
// the rate was changed, is empty: whatever was started before, no window has more than burst + rate · window.

package import SluiceLog

/// So many starts in a span, evenly but for a burst.
package struct StartRate: Hashable, Sendable {
    /// Starts in a period; 1 … 1,000,000.
    package var count: Int
    /// The period, in milliseconds; 1 … 86,400,000.
    package var period: Int64
    /// Starts that may come at once; 1 … 1,000,000.
    package var burst: Int

    /// A rate. Without a burst that is a tenth of what comes in a second; one at least.
    package init(count: Int, period: Int64, burst: Int? = nil) {
        self.count = count
        self.period = period
        self.burst = burst ?? max(1, count / Int(clamping: max(1, period / 100)))
    }

    /// Nanoseconds from one start to the next. Rounded up: never more than the rate.
    package var interval: Int64 {
        let nanoseconds = period * 1_000_000
        return (nanoseconds + Int64(count) - 1) / Int64(count)
    }

    /// When a bucket is full that is empty at a moment of the monotonic clock.
    func full(fromEmptyAt moment: Int64) -> Int64 { moment + Int64(burst) * interval }

    /// When the next start may be, of a bucket that is full at a moment; it may have passed.
    func nextStart(fullAt moment: Int64) -> Int64 { moment - Int64(burst - 1) * interval }

    /// What is wrong with it.
    var fault: String? {
        guard (1...TaskLimits.rateCount).contains(count), (1...TaskLimits.rateCount).contains(burst) else {
            return "a rate, and its burst, is from 1 to \(TaskLimits.rateCount) tasks"
        }
        guard (1...TaskLimits.ratePeriodMilliseconds).contains(period) else {
            return "a rate's period is from 1 ms to a day"
        }
        // What an opening waits for at most; sums with it do not overflow.
        guard interval <= TaskLimits.refillMilliseconds * 1_000_000 / Int64(burst) else {
            return "a rate fills its burst within 30 days"
        }
        return nil
    }
}

/// What may be started of something.
package struct StartLimit: Hashable, Sendable {
    /// Leases at a time; nil: no limit.
    package var concurrency: Int?
    /// Leases that begin in a while; nil: no limit.
    package var rate: StartRate?

    /// No limit.
    package init(concurrency: Int? = nil, rate: StartRate? = nil) {
        self.concurrency = concurrency
        self.rate = rate
    }

    var fault: String? {
        if let concurrency, !(1...TaskLimits.concurrency).contains(concurrency) {
            return "a concurrency is from 1 to \(TaskLimits.concurrency) tasks"
        }
        return rate?.fault
    }
}

/// What a queue may start.
package struct StartLimits: Hashable, Sendable {
    /// All tasks together.
    package var queue = StartLimit()
    /// The tasks of each tenant; those of none are one tenant's.
    package var tenant = StartLimit()
    /// The tasks of a name.
    package var names: [String: StartLimit] = [:]

    private enum Field: UInt8 { case queue = 1, tenant, names }

    /// No limits.
    package init() {}

    /// What is wrong with them.
    var fault: String? {
        guard names.count <= TaskLimits.limitedNames else {
            return "tasks of \(TaskLimits.limitedNames) names at most have limits of their own"
        }
        for name in names.keys where !(1...TaskLimits.nameBytes).contains(name.utf8.count) {
            return "a task's name has 1 to \(TaskLimits.nameBytes) bytes, not \(name.utf8.count)"
        }
        return queue.fault ?? tenant.fault ?? names.values.lazy.compactMap(\.fault).first
    }

    /// Reads a record's value.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        try reader.version("queue's limits")
        while let (tag, bytes) = try reader.field() {
            var field = BinaryReader(bytes)
            switch Field(rawValue: tag) {
            case .queue: queue = try StartLimit(&field)
            case .tenant: tenant = try StartLimit(&field)
            case .names:
                let pairs = try field.array(minimumBytes: 24) { reader throws(MalformedRecord) in
                    (try reader.string(), try StartLimit(&reader))
                }
                names = Dictionary(pairs) { $1 }
            case nil: try checkSkippable(tag)
            }
        }
        if let fault { throw MalformedRecord(reason: fault) }
    }

    /// The value's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.put(UInt8(1))
        if queue != StartLimit() { writer.field(Field.queue.rawValue) { queue.put(&$0) } }
        if tenant != StartLimit() { writer.field(Field.tenant.rawValue) { tenant.put(&$0) } }
        guard !names.isEmpty else { return writer.bytes }
        writer.field(Field.names.rawValue) { writer in
            writer.put(names.sorted { $0.key < $1.key }) { writer, pair in
                writer.put(pair.key)
                pair.value.put(&writer)
            }
        }
        return writer.bytes
    }
}

extension StartLimit {
    fileprivate init(_ reader: inout BinaryReader) throws(MalformedRecord) {
        let concurrency = Int(try reader.integer(UInt32.self))
        let count = Int(try reader.integer(UInt32.self))
        let period = try reader.integer(Int64.self)
        let burst = Int(try reader.integer(UInt32.self))
        self.concurrency = concurrency == 0 ? nil : concurrency
        if count > 0 { rate = StartRate(count: count, period: period, burst: burst) }
    }

    fileprivate func put(_ writer: inout BinaryWriter) {
        writer.put(UInt32(clamping: concurrency ?? 0))
        writer.put(UInt32(clamping: rate?.count ?? 0))
        writer.put(rate?.period ?? 0)
        writer.put(UInt32(clamping: rate?.burst ?? 0))
    }
}
