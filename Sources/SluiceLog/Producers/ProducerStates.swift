// What a partition knows of its idempotent producers: enough to tell a batch that is sent again from a new
// one.
//
// A producer numbers its records in each partition: a batch has its first one's sequence, the next batch goes
// on behind its last one's. 2^31 - 1 is followed by 0. An epoch begins at 0.
//
//   the batch, and what is known of its producer          verdict
//   same epoch, sequences of one of the last five         duplicate: answered with that one's offset
//   nothing is known                                      append, whatever its sequence
//   an epoch before the known one                         fenced
//   a later epoch, sequence 0                             append
//   a later epoch, another sequence                       out of order
//   same epoch, sequence behind the last one              append
//   same epoch, another sequence                          out of order
//
// (1) A pure fold over the batches of the log in their order: running, at an opening, and in the manifest it
// is the same code. (2) Only what is in the segment is remembered: a write that failed has nothing to take
// back. (3) Bounded: five batches a producer, since clients have at most five requests under way, and
// `Limits.producersPerPartition`; who has been silent for longest is forgotten first. A producer that was
// forgotten, or whose records were all deleted, is taken as a new one. (4) The time of a producer is that of
// its appends by the wall clock, not of its records, which may have any.
//
// Source: Apache Kafka, ProducerStateEntry.java and ProducerAppendInfo.java; KIP-98, KIP-360.

/// The fields by which a batch tells its producer and its place among that one's batches.
package struct ProducerBatch: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16
    package var firstSequence: Int32
    package var lastSequence: Int32

    package init(id: Int64, epoch: Int16, firstSequence: Int32, records: Int) {
        self.id = id
        self.epoch = epoch
        self.firstSequence = firstSequence
        lastSequence = Self.sequence(firstSequence, plus: Int64(records) - 1)
    }

    /// As a header has them; nil of a batch without a producer id, or one whose epoch or sequence is none.
    package init?(_ header: BatchHeader) {
        guard header.producerID >= 0, header.producerEpoch >= 0, header.baseSequence >= 0, !header.isControl
        else { return nil }
        self.init(
            id: header.producerID, epoch: header.producerEpoch, firstSequence: header.baseSequence,
            records: Int(header.lastOffsetDelta) + 1)
    }

    /// As a whole batch in memory has them; nil as above, and of bytes that are no batch.
    package init?(_ batch: RawSpan) {
        guard let header = try? BatchHeader(batch) else { return nil }
        self.init(header)
    }

    /// A sequence so many records further on.
    package static func sequence(_ sequence: Int32, plus count: Int64) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + count) & Int64(Int32.max))
    }

    /// Whether it may be appended right behind `other` of the same producer.
    func follows(_ other: ProducerBatch) -> Bool {
        epoch == other.epoch
            ? firstSequence == Self.sequence(other.lastSequence, plus: 1)
            : epoch > other.epoch && firstSequence == 0
    }
}

/// A batch that a producer has appended.
package struct KeptBatch: Hashable, Sendable {
    package var firstSequence: Int32
    package var lastSequence: Int32
    package var baseOffset: Int64
    /// Its greatest timestamp; where the log gives records their time, when it was appended; ms.
    package var timestamp: Int64

    /// The offset behind its last record.
    package var nextOffset: Int64 {
        baseOffset + ((Int64(lastSequence) - Int64(firstSequence)) & Int64(Int32.max)) + 1
    }
}

/// What is known of one producer.
package struct ProducerState: Hashable, Sendable {
    /// So many batches are remembered. Kafka: ProducerStateEntry.NUM_BATCHES_TO_RETAIN.
    package static let keptBatches = 5

    package var epoch: Int16
    /// When its last batch was appended, by the wall clock, ms.
    package var lastAppend: Int64
    /// Of its epoch, oldest first; never empty.
    package var batches: [KeptBatch]

    fileprivate mutating func add(_ batch: ProducerBatch, _ kept: KeptBatch, wall: Int64) {
        if batch.epoch != epoch {
            epoch = batch.epoch
            batches.removeAll(keepingCapacity: true)
        } else if batches.count == Self.keptBatches {
            batches.removeFirst()
        }
        batches.append(kept)
        lastAppend = wall
    }
}

/// What is to be done with a batch.
package enum ProducerVerdict: Hashable, Sendable {
    case append
    /// It is in the log already.
    case duplicate(KeptBatch)
    /// Another sequence is due.
    case outOfOrder(expected: Int32)
    /// A later epoch of the same producer is known.
    case fenced(current: Int16)
}

/// The producers of one partition.
package struct ProducerStates: Hashable, Sendable {
    package private(set) var byID: [Int64: ProducerState] = [:]

    package init() {}

    package var isEmpty: Bool { byID.isEmpty }
    package var count: Int { byID.count }
    package subscript(id: Int64) -> ProducerState? { byID[id] }

    /// What is to be done with a batch that comes next. One who has been silent for `expiration` ms counts as
    /// unknown.
    package func judge(_ batch: ProducerBatch, wall: Int64, expiration: Int64) -> ProducerVerdict {
        guard let state = byID[batch.id], !Self.isExpired(state, wall, expiration),
            let last = state.batches.last
        else { return .append }
        if batch.epoch == state.epoch {
            let original = state.batches.first {
                $0.firstSequence == batch.firstSequence && $0.lastSequence == batch.lastSequence
            }
            if let original { return .duplicate(original) }
            let expected = ProducerBatch.sequence(last.lastSequence, plus: 1)
            if PlantedBug.sequenceGapTaken.isPlanted { return .append }
            return batch.firstSequence == expected ? .append : .outOfOrder(expected: expected)
        }
        if batch.epoch < state.epoch { return .fenced(current: state.epoch) }
        return batch.firstSequence == 0 ? .append : .outOfOrder(expected: 0)
    }

    /// Remembers a batch that is in the log.
    ///
    /// - Parameters:
    ///   - timestamp: the batch's greatest.
    ///   - wall: the time of the append.
    package mutating func add(
        _ batch: ProducerBatch, at baseOffset: Int64, timestamp: Int64, wall: Int64
    ) {
        if byID[batch.id] == nil { makeRoom(1) }
        let kept = KeptBatch(
            firstSequence: batch.firstSequence, lastSequence: batch.lastSequence, baseOffset: baseOffset,
            timestamp: timestamp)
        let new = ProducerState(epoch: batch.epoch, lastAppend: wall, batches: [])
        byID[batch.id, default: new].add(batch, kept, wall: wall)
    }

    /// Takes over what is known of producers at a later place of the log.
    package mutating func merge(_ later: ProducerStates) {
        if byID.isEmpty {
            self = later
        } else {
            byID.merge(later.byID) { _, new in new }
        }
        makeRoom(0)
    }

    /// What is known of some of them.
    package func only(_ ids: Set<Int64>) -> ProducerStates {
        var some = ProducerStates()
        for id in ids { some.byID[id] = byID[id] }
        return some
    }

    mutating func set(_ id: Int64, _ state: ProducerState) { byID[id] = state }

    /// Forgets those that have been silent for `expiration` ms. Kafka: producer.id.expiration.ms.
    package mutating func expire(wall: Int64, expiration: Int64) {
        guard byID.contains(where: { Self.isExpired($0.value, wall, expiration) }) else { return }
        byID = byID.filter { !Self.isExpired($0.value, wall, expiration) }
    }

    private static func isExpired(_ state: ProducerState, _ wall: Int64, _ expiration: Int64) -> Bool {
        let silence = wall.subtractingReportingOverflow(state.lastAppend)
        return !silence.overflow && silence.partialValue >= expiration
    }

    /// Forgets those that have been silent for longest, an eighth of all, when there is no room for `count`.
    private mutating func makeRoom(_ count: Int) {
        let most = Limits.producersPerPartition
        guard byID.count + count > most else { return }
        let order = byID.sorted {
            ($0.value.lastAppend, $0.value.lastOffset) < ($1.value.lastAppend, $1.value.lastOffset)
        }
        for (id, _) in order.prefix(byID.count + count - most + most / 8) { byID[id] = nil }
    }
}

extension ProducerState {
    fileprivate var lastOffset: Int64 { batches.last?.baseOffset ?? -1 }
}
