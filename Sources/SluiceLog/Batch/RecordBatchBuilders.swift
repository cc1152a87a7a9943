// A builder for each partition of a topic, made when the first record for it comes.
//
// (1) Builders stay where they are: a record is appended through an address, without a retain, a check for
// exclusive access or a copy. (2) One owner at a time; `~Copyable` says so.

/// Builders by partition number.
public struct RecordBatchBuilders: ~Copyable, @unchecked Sendable {
    private var slots: UnsafeMutablePointer<UnsafeMutablePointer<RecordBatchBuilder>?>
    /// Partitions there are places for.
    public private(set) var count: Int
    private let rawCapacity: Int

    /// Places for `count` builders of `rawCapacity` bytes each; nothing is allocated for a partition yet.
    public init(count: Int, rawCapacity: Int) {
        precondition(count > 0)
        self.count = count
        self.rawCapacity = rawCapacity
        slots = .allocate(capacity: count)
        slots.initialize(repeating: nil, count: count)
    }

    deinit {
        for index in 0..<count {
            slots[index]?.deinitialize(count: 1)
            slots[index]?.deallocate()
        }
        slots.deallocate()
    }

    /// Makes places for partitions that have been added.
    public mutating func grow(to newCount: Int) {
        guard newCount > count else { return }
        let larger = UnsafeMutablePointer<UnsafeMutablePointer<RecordBatchBuilder>?>.allocate(
            capacity: newCount)
        larger.initialize(repeating: nil, count: newCount)
        larger.update(from: slots, count: count)
        slots.deallocate()
        slots = larger
        count = newCount
    }

    /// Whether the partition's builder holds records.
    @inline(__always)
    public func isEmpty(_ partition: Int) -> Bool { slots[partition]?.pointee.isEmpty ?? true }

    /// Records in the partition's builder.
    @inline(__always)
    public func recordCount(_ partition: Int) -> Int { slots[partition]?.pointee.recordCount ?? 0 }

    /// Bytes of the records in the partition's builder.
    public func rawBytes(_ partition: Int) -> Int { slots[partition]?.pointee.rawBytes ?? 0 }

    /// As `RecordBatchBuilder.append`, to the partition's builder.
    @inline(__always)
    public mutating func append(
        to partition: Int, timestamp: Int64, key: RawSpan?, value: RawSpan?, headers: borrowing [RecordHeader]
    ) -> Bool {
        precondition(partition >= 0 && partition < count)
        if slots[partition] == nil { make(partition) }
        return slots[partition]!.pointee.append(
            timestamp: timestamp, key: key, value: value, headers: headers)
    }

    @inline(never)
    private mutating func make(_ partition: Int) {
        let builder = UnsafeMutablePointer<RecordBatchBuilder>.allocate(capacity: 1)
        builder.initialize(to: RecordBatchBuilder(rawCapacity: rawCapacity))
        slots[partition] = builder
    }

    /// Seals the partition's batch and leaves its builder empty; nil when it is empty.
    public mutating func seal(_ partition: Int, _ codec: Codec, with context: inout CodecContext)
        -> SealedBatch?
    {
        guard let builder = slots[partition], !builder.pointee.isEmpty else { return nil }
        return builder.pointee.seal(codec, with: &context)
    }
}
