// Changes to a batch in place, after it has been sealed and before it is written.

extension ByteBuffer {
    /// Gives the batch at `start` its place in the log. The CRC does not cover these fields and stays right.
    ///
    /// - Parameter start: the first byte of a whole batch within the bytes in use.
    public final func assign(baseOffset: Int64, leaderEpoch: Int32, at start: Int) {
        precondition(start >= 0 && start + BatchLayout.headerBytes <= count)
        base.store(bigEndian: baseOffset, at: start + BatchLayout.baseOffset)
        base.store(bigEndian: leaderEpoch, at: start + BatchLayout.partitionLeaderEpoch)
    }

    /// Makes `milliseconds`, the time of the append, the timestamp of every record of the batch at `start`.
    ///
    /// Sets bit 3 of the attributes and the max timestamp, and computes the CRC again: unlike `assign`, this
    /// reads the whole batch. Kafka: message.timestamp.type=LogAppendTime.
    /// - Parameter start: the first byte of a whole, checked batch within the bytes in use.
    public final func setLogAppendTime(_ milliseconds: Int64, at start: Int) {
        precondition(start >= 0 && start + BatchLayout.headerBytes <= count)
        let batch = base + start
        let total =
            Int(UnsafeRawPointer(batch).bigEndian(Int32.self, at: BatchLayout.batchLength))
            + BatchLayout.lengthPrefix
        precondition(total >= BatchLayout.headerBytes && start + total <= count)
        let attributes = UnsafeRawPointer(batch).bigEndian(Int16.self, at: BatchLayout.attributes)
        batch.store(bigEndian: attributes | BatchAttributes.logAppendTime, at: BatchLayout.attributes)
        batch.store(bigEndian: milliseconds, at: BatchLayout.maxTimestamp)
        let covered = UnsafeRawBufferPointer(start: UnsafeRawPointer(batch), count: total)[
            BatchLayout.attributes...]
        batch.store(
            bigEndian: CRC32C.extend(0, UnsafeRawBufferPointer(rebasing: covered)), at: BatchLayout.crc)
    }
}
