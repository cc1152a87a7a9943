// One partition as a consumer reads it: the next offset, and where in which segment that is.
//
// (1) `next` is what the reader has taken; it moves over whole batches. (2) A place in a segment is
// remembered as long as reading goes straight on; after a seek it is looked up.

import SluiceLog

/// How a consumer goes through one partition.
struct PartitionReader {
    let topicPartition: TopicPartition
    /// The volume's number of the partition.
    let number: Int
    /// The next offset to be fetched.
    var next: Int64
    /// Where `next` lies.
    var place: SegmentPlace?
    /// Bytes of the next fetch, if the consumer takes so many: after a seek few, so that the first record is
    /// there soon, then more each time.
    var fetchBytes = firstFetchBytes
    /// The offset at which a bounded reader ends.
    var end: Int64?
    /// One past the last record that the loop's body has ended with; nil before the first, and after a seek.
    var processed: Int64?
    var isPaused = false
    /// Why it cannot be read on, until a seek or `resume`: its bytes are damaged or missing. Others are not
    /// affected.
    var failure: StreamError?

    static let firstFetchBytes = 64 << 10

    /// Takes note of a fetch.
    mutating func fetched() { fetchBytes = min(fetchBytes * 4, 1 << 30) }

    /// Goes elsewhere.
    mutating func seek(to start: ReadStart) {
        next = start.offset
        place = start.place
        failure = nil
        processed = nil
        fetchBytes = Self.firstFetchBytes
    }

    /// Whether a bounded reader has everything.
    var isDone: Bool { end.map { next >= $0 } ?? false }

    /// Where to fetch now; nil when there is nothing yet. Throws `offsetOutOfRange`, `offline`,
    /// `unknownTopic`.
    func plan(_ engine: any LogSource) throws(StreamError) -> FetchPlan? {
        let view: SegmentView?
        do throws(LogError) {
            view = try engine.segment(number, at: next)
        } catch {
            throw translated(error)
        }
        guard let view else { return nil }
        var position: Int64?
        if let place, place.baseOffset == view.baseOffset, place.generation == view.generation {
            position = place.position
        } else if next == view.baseOffset {
            position = 0
        }
        return FetchPlan(
            view: view, number: number, offset: next, position: position, bytes: fetchBytes,
            topicPartition: topicPartition)
    }

    func translated(_ error: LogError) -> StreamError {
        StreamError(error, of: topicPartition)
    }
}

/// The beginning of a batch: in the segment with that base offset, as it was after so many compactions.
struct SegmentPlace: Sendable {
    var baseOffset: Int64
    var generation: Int32
    var position: Int64
}

/// An offset from which to read, and where it lies if that is known already.
struct ReadStart: Sendable {
    var offset: Int64
    var place: SegmentPlace?
}

/// A record that was looked for by its time.
struct FoundRecord: Sendable {
    var start: ReadStart
    var timestamp: Int64
}

/// What is to be fetched, and from where.
struct FetchPlan: Sendable {
    var view: SegmentView
    /// The volume's number of the partition.
    var number: Int
    var offset: Int64
    /// nil: to be looked up first.
    var position: Int64?
    /// As many at most; a larger batch is read whole.
    var bytes: Int
    var topicPartition: TopicPartition

    /// Fetches, without waiting for the disk if it is not there; nil when it would have to wait.
    func fetchNoWait(_ reader: SegmentReader, maxBytes: Int) throws(StreamError) -> FetchedBatches? {
        guard let position else { return nil }
        do throws(LogError) {
            switch try reader.fetchNoWait(view, from: position, maxBytes: min(maxBytes, bytes)) {
            case .batches(let batches): return batches
            case .wouldWait: return nil
            }
        } catch {
            throw StreamError(error, at: topicPartition)
        }
    }

    /// Fetches, however long it takes.
    func fetch(_ reader: SegmentReader, maxBytes: Int) throws(StreamError) -> FetchedBatches? {
        do throws(LogError) {
            let start = if let position { position } else { try reader.position(of: offset, in: view) }
            return try reader.fetch(view, from: start, maxBytes: min(maxBytes, bytes))
        } catch {
            throw StreamError(error, at: topicPartition)
        }
    }
}

extension LogSource {
    /// Whether what the plan has read, or why it could not, counts for nothing: a compaction came in between.
    func isReplaced(_ plan: FetchPlan, afterFailure: Bool = false) -> Bool {
        isReplaced(plan.view, of: plan.number, afterFailure: afterFailure)
    }
}

extension LogSource {
    /// The offset that a position means now.
    func resolve(
        _ position: Position, _ partition: TopicPartition, _ number: Int
    ) throws(StreamError) -> Int64 {
        try start(at: position, of: partition, number).offset
    }

    /// Where a position is now. Looks into the log for a time: not for the cooperative pool.
    ///
    /// Throws `offsetOutOfRange`, `unknownTopic`, `offline`, `corrupt`, `io`.
    func start(
        at position: Position, of partition: TopicPartition, _ number: Int
    ) throws(StreamError) -> ReadStart {
        let reader = PartitionReader(topicPartition: partition, number: number, next: 0)
        do throws(LogError) {
            let valid = try offsets(number)
            switch position {
            case .earliest: return ReadStart(offset: valid.lowerBound)
            case .latest: return ReadStart(offset: valid.upperBound)
            case .offset(let offset):
                guard offset.rawValue >= valid.lowerBound, offset.rawValue <= valid.upperBound else {
                    throw .offsetOutOfRange(requested: offset.rawValue, valid: valid)
                }
                return ReadStart(offset: offset.rawValue)
            case .timestamp(let time):
                return try find(time.millisecondsSince1970, number)?.start
                    ?? ReadStart(offset: valid.upperBound)
            }
        } catch {
            throw reader.translated(error)
        }
    }

    /// The first record at or after a time; nil when there is none.
    func find(_ time: Int64, _ number: Int) throws(LogError) -> FoundRecord? {
        while true {
            if case .some(let found) = try findOnce(time, number) { return found }
        }
    }

    /// `.some(nil)` when there is none, nil when a compaction came in between.
    private func findOnce(_ time: Int64, _ number: Int) throws(LogError) -> FoundRecord?? {
        var context = CodecContext()
        var view = try segment(number, atTime: time)
        while let segment = view {
            do throws(LogError) {
                let found =
                    segment.maxTimestamp >= time
                    ? try reader.record(atTime: time, in: segment, &context) : nil
                if isReplaced(segment, of: number, afterFailure: false) { return nil }
                if let found {
                    let place = SegmentPlace(
                        baseOffset: segment.baseOffset, generation: segment.generation,
                        position: found.position)
                    return FoundRecord(
                        start: ReadStart(offset: found.offset, place: place), timestamp: found.timestamp)
                }
            } catch {
                if isReplaced(segment, of: number, afterFailure: true) { return nil }
                throw error
            }
            view = try self.segment(number, after: segment)
        }
        return .some(nil)
    }

    /// Runs something that may wait for the disk on a thread that may.
    nonisolated(nonsending) func onReader<R: Sendable>(
        _ body: @escaping @Sendable () throws(StreamError) -> R
    ) async throws(StreamError) -> R {
        let waiter = Waiter<R>()
        readers.run {
            do throws(StreamError) {
                waiter.resume(.success(try body()))
            } catch {
                waiter.resume(.failure(error))
            }
        }
        return try await waiter.value().get()
    }
}
