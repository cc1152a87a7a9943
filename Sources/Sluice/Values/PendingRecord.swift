// What `append` returns: enough to ask later what became of the record.
//
// (1) 16 plain bytes, so that a loop may keep or drop them by the million: no reference, no destructor. (2)
// It means something only to the producer that made it.

/// A record that was accepted and is on its way. Free to keep, free to drop.
///
/// `Producer.acknowledgement(of:)` says what became of it.
@frozen
public struct PendingRecord: Hashable, Sendable, BitwiseCopyable {
    /// The batch that it is in, counted by the producer over all partitions, from 0.
    @usableFromInline package let batchNumber: UInt64
    /// The partition it goes to, from 0.
    @usableFromInline package let partition: Int32
    /// Its place in the batch, from 0.
    @usableFromInline package let index: Int32

    /// The record at `index` in batch `batchNumber` of the producer.
    @inlinable package init(batchNumber: UInt64, partition: Int32, index: Int32) {
        self.batchNumber = batchNumber
        self.partition = partition
        self.index = index
    }
}
