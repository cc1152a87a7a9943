// Producer ids: 64-bit numbers that are given once.
//
//   0 ··· given ··· next ··· (this process's block) ··· end ··· asked
//
// (1) An id is given only below `end`, which is on record in the manifest. (2) An opening begins at `end`:
// what was left of the block is never given. (3) A block that could not be recorded is asked for no second
// time: the next record makes it ready as well.
//
// Source: Apache Kafka, ProducerIdManager and ProducerIdsBlock.

struct ProducerIDs: Sendable {
    /// Ids that one record makes ready. Kafka: ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE.
    static let block: Int64 = 1000

    private(set) var next: Int64
    private(set) var end: Int64
    private var asked: Int64

    /// - Parameter end: ids below may have been given.
    init(end: Int64) {
        next = PlantedBug.producerIDsGivenTwice.isPlanted ? 0 : end
        self.end = end
        asked = end
    }

    /// An id that nobody has had; nil: a block has to be recorded first.
    mutating func take() -> Int64? {
        guard next < end else { return nil }
        defer { next += 1 }
        return next
    }

    /// The end of the block that is to be recorded; nil: there are no more ids.
    mutating func ask() -> Int64? {
        guard asked <= Int64.max - Self.block else { return nil }
        asked += Self.block
        return asked
    }

    /// A block that ends there is on record.
    mutating func recorded(_ end: Int64) {
        self.end = max(self.end, end)
    }
}
