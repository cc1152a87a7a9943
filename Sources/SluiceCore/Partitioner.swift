// Which partition a key goes to: the same one that Kafka's Java client chooses, so that programs in several
// languages which write to one topic keep the order of a key.
//
// (1) partition = (murmur2(key) & 0x7fffffff) % partitions, the hash with seed 0x9747b28c. (2) It is part of
// the format: a change sends keys elsewhere than where their earlier records are. (3) Pure; anyone may call
// it.

/// Kafka's choice of a partition by key.
package enum Partitioner {
    /// The partition of a record with this key, in `0 ..< partitions`.
    ///
    /// An empty key has one as well; a record without key (null) is the producer's to place.
    /// - Parameter partitions: how many the topic has, at least 1.
    /// - Complexity: O(n) in the length of the key, about 1 ns for 4 bytes.
    /// - Source: Kafka's `BuiltInPartitioner.partitionForKey`.
    package static func partition(of key: RawSpan, partitions: Int) -> Int {
        precondition(partitions > 0, "a topic has at least one partition")
        // Not abs(): that of Int32.min overflows, and Java's clients clear the sign bit.
        return Int(murmur2(key) & 0x7fff_ffff) % partitions
    }

    /// MurmurHash 2, 32 bits, little-endian, with Kafka's seed.
    ///
    /// - Source: Kafka's `Utils.murmur2`, after Austin Appleby's.
    package static func murmur2(_ bytes: RawSpan) -> Int32 {
        let multiplier: UInt32 = 0x5bd1_e995
        let count = bytes.byteCount
        var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: count)
        var position = 0
        while position + 4 <= count {
            var word = UInt32(
                littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self))
            word = word &* multiplier
            word = (word ^ (word >> 24)) &* multiplier
            hash = (hash &* multiplier) ^ word
            position += 4
        }
        if position < count {
            var tail: UInt32 = 0
            for index in (position..<count).reversed() {
                tail = tail << 8 | UInt32(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
            }
            hash = (hash ^ tail) &* multiplier
        }
        hash = (hash ^ (hash >> 13)) &* multiplier
        return Int32(bitPattern: hash ^ (hash >> 15))
    }
}
