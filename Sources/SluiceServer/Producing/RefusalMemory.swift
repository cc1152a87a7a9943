// What a connection was refused, and whether its client can know: order holds with requests in flight.
//
//   batch 1 refused ─► batch 2, sent before the client knew ─► refused ─► answers written ─► batch 1 again
//
// (1) From a refusal on every batch of the connection for that partition is refused, for the same reason,
// until the answers have been written and the grace is over: what comes within that was under way.
// A client waits longer before it tries again: 100 ms by default in all of them. (2) The first batch that was
// refused, sent again as it was, ends that at once. (3) A failure in the log counts as a refusal, and its
// number is what the volume compares.

/// The refusals of one connection, by partition.
struct RefusalMemory: Sendable {
    private struct Refusals: Sendable {
        /// Refusals whose answers have not been written.
        var unwritten = 0
        var writtenAt = Int64.min
        /// The checksum of the first that was refused.
        var firstCRC: UInt32
        var reason: ProduceRefusal
    }

    private var partitions: [Int: Refusals] = [:]
    private let graceNanoseconds: Int64

    /// - Parameter graceNanoseconds: what is under way when an answer is written arrives within so long.
    init(graceNanoseconds: Int64) { self.graceNanoseconds = graceNanoseconds }

    /// Why a batch is refused for the sake of order; nil when it is not.
    mutating func check(_ partition: Int, crc: UInt32, now: Int64) -> ProduceRefusal? {
        guard let refusals = partitions[partition] else { return nil }
        if refusals.unwritten > 0 { return refusals.reason }
        if crc != refusals.firstCRC, now < refusals.writtenAt.addingSaturated(graceNanoseconds) {
            return refusals.reason
        }
        partitions[partition] = nil
        return nil
    }

    /// A batch was refused, or failed; `written` is to be told when its answer has been written.
    mutating func refused(_ partition: Int, crc: UInt32, _ reason: ProduceRefusal) {
        var refusals = partitions[partition] ?? Refusals(firstCRC: crc, reason: reason)
        refusals.unwritten += 1
        partitions[partition] = refusals
    }

    /// The answers to so many refusals in the partition have been written.
    mutating func written(_ partition: Int, _ count: Int, now: Int64) {
        guard var refusals = partitions[partition] else { return }
        refusals.unwritten = max(0, refusals.unwritten - count)
        refusals.writtenAt = now
        partitions[partition] = refusals
    }
}

extension Int64 {
    /// The sum, or the greatest or least number there is.
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? (other < 0 ? .min : .max) : sum
    }
}
