// Whole batches out of the log, as they are on the disk, and who waits for more.

package import SluiceLog

/// Where a reader goes on in a partition without looking anything up.
package struct FetchPlace: Sendable, Hashable {
    /// The next offset.
    var offset: Int64
    var baseOffset: Int64
    var generation: Int32
    var position: Int64
}

/// What was read of a partition.
package struct FetchedRun: Sendable {
    /// Whole batches; the first holds the offset that was asked for, or the next that there is.
    package var bytes: ByteSlice
    /// Where the reader goes on; nil when that is not known.
    package var next: FetchPlace?
    /// The offset behind what was read; nil when that is not known.
    package var nextOffset: Int64? { next?.offset }
}

extension ServedStore {
    /// What is to be read, and how far.
    package struct FetchPlan: Sendable {
        let view: SegmentView
        let number: Int
        let offset: Int64
        let position: Int64?
    }

    /// Where to read a partition from an offset on; nil at its end. Throws `offsetOutOfRange`, `offline`,
    /// `unknownPartition`.
    ///
    /// - Parameter place: where the last read of the partition ended.
    package func plan(_ number: Int, at offset: Int64, _ place: FetchPlace?) throws(LogError) -> FetchPlan? {
        guard let view = try engine.segment(number, at: offset) else { return nil }
        var position: Int64?
        if let place, place.offset == offset, place.baseOffset == view.baseOffset,
            place.generation == view.generation
        {
            position = place.position
        } else if offset == view.baseOffset {
            position = 0
        }
        return FetchPlan(view: view, number: number, offset: offset, position: position)
    }

    /// Reads a plan from memory. nil: that has to wait for the disk, or compaction came in between; see
    /// `read`. Throws `corrupt`, `io`.
    package func readNoWait(_ plan: FetchPlan, maxBytes: Int) throws(LogError) -> FetchedRun? {
        guard let position = plan.position else { return nil }
        switch try engine.reader.fetchNoWait(plan.view, from: position, maxBytes: maxBytes) {
        case .wouldWait: return nil
        case .batches(let batches):
            if engine.isReplaced(plan.view, of: plan.number, afterFailure: false) { return nil }
            return run(batches, plan)
        }
    }

    /// Reads whole batches from an offset on, at least one; nil at the end. Waits for the disk: for
    /// `onReader`.
    package func read(_ number: Int, at offset: Int64, maxBytes: Int) throws(LogError) -> FetchedRun? {
        while true {
            guard let view = try engine.segment(number, at: offset) else { return nil }
            do throws(LogError) {
                let position = try engine.reader.position(of: offset, in: view)
                let batches = try engine.reader.fetch(view, from: position, maxBytes: maxBytes)
                if engine.isReplaced(view, of: number, afterFailure: false) { continue }
                guard let batches else { return nil }
                return run(
                    batches, FetchPlan(view: view, number: number, offset: offset, position: position))
            } catch {
                if engine.isReplaced(view, of: number, afterFailure: true) { continue }
                throw error
            }
        }
    }

    /// The place behind the last batch, by the headers of what was read.
    private func run(_ batches: FetchedBatches, _ plan: FetchPlan) -> FetchedRun {
        var run = FetchedRun(bytes: batches.bytes)
        var end = batches.bytes.start
        let behind = end + batches.bytes.count
        var next: Int64?
        while end < behind {
            let rest = ByteSlice(batches.bytes.buffer, start: end, count: behind - end)
            guard let header = try? BatchHeader(rest.bytes), header.totalBytes <= behind - end else { break }
            next = header.nextOffset
            end += header.totalBytes
        }
        if let next {
            run.next = FetchPlace(
                offset: next, baseOffset: plan.view.baseOffset, generation: plan.view.generation,
                position: batches.end)
        }
        return run
    }
}

/// Told of the ends of partitions, for as long as it lives or until it is stopped.
package final class WatermarkWatch: PartitionWatcher, Sendable {
    private let engine: StoreEngine
    private let onAdvance: @Sendable (Int) -> Void
    private let onClose: @Sendable () -> Void

    /// - Parameters:
    ///   - onAdvance: the volume's number of a partition of which more may be seen. On an I/O thread: short.
    ///   - onClose: nothing more will come.
    package init(
        _ served: ServedStore, onAdvance: @escaping @Sendable (Int) -> Void,
        onClose: @escaping @Sendable () -> Void
    ) {
        engine = served.engine
        self.onAdvance = onAdvance
        self.onClose = onClose
    }

    /// Is told of these partitions too from now on.
    package func watch(_ numbers: [Int]) { engine.watch(numbers, self) }

    /// Is told of these no more.
    package func unwatch(_ numbers: [Int]) { engine.unwatch(numbers, ObjectIdentifier(self)) }

    func partitionAdvanced(_ number: Int) { onAdvance(number) }
    func storeClosed() { onClose() }
}
