// What a consumer knows: its partitions, the bytes in hand, the batch that the loop's body has. Guarded by
// its lock.
//
// (1) Partitions take turns, a fetch each. (2) A batch is processed when the loop asks for the next; until
// then a new loop begins with it again. (3) A seek drops what was fetched of that partition.

import SluiceLog

struct ConsumerState: ~Copyable {
    var partitions: [PartitionReader]
    var context = CodecContext()
    /// Whose turn it is.
    var turn = 0
    /// Fetched batches that have not been handed out, and of which partition.
    var fetched: (index: Int, batches: FetchedBatches, view: SegmentView, consumed: Int)?
    /// What the loop's body has.
    var inHand: (index: Int, batch: RecordBatch)?
    /// Changes with each seek: a fetch under way is then of no use.
    var generation = 0
    var isClosed = false
    /// Who waits for the end of a close that is under way; nil before and after it.
    var closers: [Waiter<Void>]?
    /// Whether it is in a group: it waits when it has no partition, and remembers what was processed.
    let isMember: Bool
    /// The loop that owns the consumer now.
    var loop: ObjectIdentifier?

    init(_ partitions: [PartitionReader], isMember: Bool = false) {
        self.partitions = partitions
        self.isMember = isMember
    }

    /// Throws `unknownPartition` when it is not assigned.
    func index(of partition: TopicPartition) throws(StreamError) -> Int {
        guard let index = partitions.firstIndex(where: { $0.topicPartition == partition }) else {
            throw .unknownPartition(partition)
        }
        return index
    }

    /// The loop asks for the next batch: the one that it had is processed.
    mutating func finishInHand() {
        guard let (index, batch) = inHand else { return }
        partitions[index].processed = batch.nextOffset.rawValue
        inHand = nil
    }

    /// Takes other partitions. Those that it has already keep their places; of the others it forgets
    /// everything, also the batch in hand.
    mutating func reassign(_ new: [PartitionReader]) {
        let old = partitions
        partitions = new.map { reader in old.first { $0.number == reader.number } ?? reader }
        func place(_ index: Int) -> Int? { partitions.firstIndex { $0.number == old[index].number } }
        if let index = fetched?.index {
            if let place = place(index) { fetched?.index = place } else { fetched = nil }
        }
        if let index = inHand?.index {
            if let place = place(index) { inHand?.index = place } else { inHand = nil }
        }
        turn = 0
        generation += 1
    }

    enum Step {
        case deliver(RecordBatch)
        case end
        case fetch(Int, FetchPlan, generation: Int)
        case wait
    }

    /// The next thing to do for a loop that asks for a batch.
    mutating func step(_ engine: any LogSource) throws(StreamError) -> Step {
        if isClosed { return .end }
        if let batch = try nextInHand(engine) { return .deliver(batch) }
        for distance in 0..<partitions.count {
            let index = (turn + distance) % partitions.count
            guard !partitions[index].isPaused, !partitions[index].isDone, partitions[index].failure == nil
            else { continue }
            // If this one fails, the others come first the next time.
            let before = turn
            turn = (index + 1) % partitions.count
            do throws(StreamError) {
                if let plan = try partitions[index].plan(engine) {
                    return .fetch(index, plan, generation: generation)
                }
            } catch {
                failed(index, error)
                throw error
            }
            turn = before
        }
        if partitions.isEmpty, isMember { return .wait }
        if partitions.allSatisfy({ $0.isDone || ($0.failure != nil && $0.end != nil) }) { return .end }
        // Nothing is left that could come: the reason is told again, rather than waited for.
        if let failure = partitions.lazy.compactMap(\.failure).first,
            partitions.allSatisfy({ $0.isDone || $0.failure != nil })
        {
            throw failure
        }
        return .wait
    }

    /// Reads no further in what was fetched of a partition. Returns the reason, to be thrown.
    private mutating func stopped(_ index: Int, _ failure: StreamError) -> StreamError {
        fetched = nil
        partitions[index].place = nil
        failed(index, failure)
        return failure
    }

    /// Takes note that a partition cannot be read on. Loops go on with the others until it is told elsewhere.
    mutating func failed(_ index: Int, _ error: StreamError) {
        switch error {
        case .corrupt, .offline: partitions[index].failure = error
        default: break
        }
    }

    /// The next batch of what has been fetched; nil when there is none left.
    mutating func nextInHand(_ engine: any LogSource) throws(StreamError) -> RecordBatch? {
        while let (index, batches, view, consumed) = fetched {
            guard consumed < batches.bytes.count, !partitions[index].isPaused, !partitions[index].isDone
            else {
                fetched = nil
                return nil
            }
            let rest = ByteSlice(
                batches.bytes.buffer, start: batches.bytes.start + consumed,
                count: batches.bytes.count - consumed)
            let header: BatchHeader
            let decoded: DecodedBatch
            let position = batches.position + Int64(consumed)
            do throws(BatchError) {
                header = try BatchHeader(rest.bytes)
            } catch {
                throw stopped(
                    index, .corrupt(file: view.path, position: position, reason: error.description))
            }
            if let fault = view.fault(of: header, at: partitions[index].next) {
                throw stopped(index, .corrupt(file: view.path, position: position, reason: fault))
            }
            let stored = ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes)
            fetched?.consumed += header.totalBytes
            partitions[index].place = SegmentPlace(
                baseOffset: view.baseOffset, generation: view.generation,
                position: position + Int64(header.totalBytes))
            if header.isControl || header.recordCount == 0 {
                partitions[index].next = header.nextOffset
                continue
            }
            do throws(LogError) {
                decoded = try engine.reader.decode(stored, at: position, in: view, &context)
            } catch {
                throw stopped(index, StreamError(error, at: partitions[index].topicPartition))
            }
            let storage = BatchStorage(
                partitions[index].topicPartition, decoded, from: partitions[index].next,
                isDurable: view.isDurable(through: header.nextOffset))
            partitions[index].next = header.nextOffset
            // Compaction may have left nothing behind the offset that was asked for.
            guard storage.start.remaining > 0 else { continue }
            let batch = RecordBatch(storage)
            inHand = (index, batch)
            return batch
        }
        return nil
    }

    /// Takes what was fetched, unless a seek has made it useless.
    mutating func took(_ batches: FetchedBatches?, _ index: Int, _ plan: FetchPlan, generation: Int) {
        guard generation == self.generation, let batches else { return }
        partitions[index].fetched()
        fetched = (index, batches, plan.view, 0)
    }

    /// Goes elsewhere in one partition.
    mutating func seek(_ index: Int, to start: ReadStart) {
        partitions[index].seek(to: start)
        if fetched?.index == index { fetched = nil }
        if inHand?.index == index { inHand = nil }
        generation += 1
    }
}
