// What the manifest remembers of the scrub.

/// Why a sealed segment is not what was sealed.
package struct SegmentDamage: Hashable, Sendable {
    /// The first byte of the batch that is not right; or the end, when only the whole is not.
    package var position: Int64
    package var reason: String

    package init(position: Int64, reason: String) {
        self.position = position
        self.reason = reason
    }
}

/// How far the scrub has come.
package struct ScrubPoint: Hashable, Sendable {
    /// When the pass began, by the wall clock, ms.
    package var startedAt: Int64
    /// Segments before this place, in the order of topic ids, partitions and offsets, have been read.
    package var key: PartitionKey
    package var offset: Int64
    /// All have been.
    package var isOver: Bool

    package init(startedAt: Int64, key: PartitionKey, offset: Int64, isOver: Bool) {
        self.startedAt = startedAt
        self.key = key
        self.offset = offset
        self.isOver = isOver
    }
}

extension PartitionKey {
    /// The same in every process, whatever the numbers are.
    var order: (UInt64, UInt64, Int32) { (topic.high, topic.low, partition) }
}
