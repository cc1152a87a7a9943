// What consumers read from: the engine of a store that is open for writing, or the view of one that somebody
// else writes. One dispatch for a fetch, none for a record.

import SluiceLog

/// Partitions by number, their segments, and who is told of new ends.
protocol LogSource: AnyObject, Sendable {
    var reader: SegmentReader { get }
    var readers: ReaderThreads { get }

    /// Throws `closed` once the close has begun.
    func checkOpen() throws(StreamError)
    /// Throws `unknownTopic`, `unknownPartition`.
    func number(of partition: TopicPartition) throws(StreamError) -> Int
    /// As `Volume.offsets(_:)`.
    func offsets(_ number: Int) throws(LogError) -> Range<Int64>
    /// As `Volume.segment(_:at:)`.
    func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView?
    /// As `Volume.segment(_:atTime:)`.
    func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView?
    /// As `Volume.segment(_:after:)`.
    func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView?
    /// As `Volume.isReplaced(_:of:)`: to be asked after what a view names has been read.
    func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool) -> Bool
    /// Tells `watcher` of these partitions until `unwatch`; at once, when the store has been closed.
    func watch(_ numbers: [Int], _ watcher: any PartitionWatcher)
    func unwatch(_ numbers: [Int], _ watcher: ObjectIdentifier)
    /// Takes in what another process has changed; reads the disk.
    func lookAgain() throws(StreamError)
}

/// Keeps a source open while somebody uses it.
protocol LogLease: AnyObject, Sendable {
    var source: any LogSource { get }
}

extension StoreEngine: LogSource {
    func offsets(_ number: Int) throws(LogError) -> Range<Int64> {
        try read { volume throws(LogError) in try volume.offsets(number) }
    }

    func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView? {
        let view = try read { volume throws(LogError) in try volume.segment(number, at: offset) }
        if let view, view.isUnchecked { withVolume { $0.check(number, view) } }
        return view
    }

    func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        try read { volume throws(LogError) in try volume.segment(number, atTime: timestamp) }
    }

    func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView? {
        try read { volume throws(LogError) in try volume.segment(number, after: view) }
    }

    func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool) -> Bool {
        read { volume in volume.isReplaced(view, of: number, afterFailure: afterFailure) }
    }

    /// Does nothing: it knows of every change, since it makes them.
    func lookAgain() {}
}
