// Who hears of the volume's completions, and how: collected with the engine's lock held, told without it.

import Logging
import SluiceLog

/// Told what became of its batches. Called on an I/O thread, or on a caller that helps.
protocol BatchSink: AnyObject, Sendable {
    func completed(_ completions: [AppendCompletion])
}

/// Told that records may be there to be read, and that no more will come.
protocol PartitionWatcher: AnyObject, Sendable {
    func partitionAdvanced(_ number: Int)
    func storeClosed()
}

/// A producer may be dropped while batches of it are under way: they are written, and nobody is told.
struct WeakSink {
    weak var sink: (any BatchSink)?
}

/// What is told outside the lock.
struct Delivery {
    var events: [VolumeEvent]
    var appends: [(any BatchSink, [AppendCompletion])] = []
    var requests: [(@Sendable (Result<Int64, LogError>) -> Void, Result<Int64, LogError>)] = []
    var advanced: [(any PartitionWatcher, Int)] = []
    var closed: [Waiter<Void>] = []
    var closeResult: Result<Void, LogError> = .success(())

    func deliver(_ logger: Logger, _ ring: EventRing) {
        for (sink, completions) in appends { sink.completed(completions) }
        for (handler, result) in requests { handler(result) }
        for (watcher, number) in advanced { watcher.partitionAdvanced(number) }
        for event in events {
            logger.log(event)
            TopicMetrics.count(event)
            if let event = StoreEvent(event) { ring.add(event) }
        }
        for waiter in closed { waiter.resume(closeResult.mapError { StreamError($0, at: nil) }) }
    }
}

extension StreamError {
    /// What the engine says of a partition that the caller knows by number: where it does not know that
    /// number any more, the topic has been deleted.
    init(_ error: LogError, of partition: TopicPartition) {
        if case .unknownPartition(topic: "", _) = error {
            self = .unknownTopic(partition.topic)
        } else {
            self.init(error, at: partition)
        }
    }
}
