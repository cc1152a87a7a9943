// A worker: takes tasks of a queue and runs their handlers, so many at a time.

import Logging
public import ServiceLifecycle
import Sluice
import SluiceCore

/// How a worker goes about it.
public struct WorkerConfiguration: Hashable, Sendable {
    /// How long the queue waits for a sign of life before it gives a task to another; a sign comes three
    /// times in it. SQS: VisibilityTimeout.
    public var visibility = Duration.seconds(30)
    /// How long running tasks may go on after the shutdown has begun, before they are cancelled.
    public var shutdownGrace = Duration.seconds(30)
    /// How long a cancelled task may take to return, before it is left behind.
    public var cancellationGrace = Duration.seconds(5)

    /// The defaults, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}

/// Runs the tasks of a queue for which it has handlers.
///
/// ```swift
/// let worker = Worker(queue, concurrency: 4, handlers: [
///     TaskHandler(Thumbnail.self) { task, context in
///         try await context.progress(0.5)
///         return Thumbnail.Output(path: task.source + ".png")
///     }
/// ])
/// try await worker.run()
/// ```
/// Any number of workers may share a queue. A task is done at least once, and completed once.
public final class Worker: Service {
    /// The queue, or what stands for one of another process: held as long as the worker is.
    private let queue: any AnyObject & Sendable
    private let session: WorkerSession

    /// - Parameters:
    ///   - concurrency: how many tasks run at a time, at least 1.
    ///   - handlers: what it can do; of two with one name the last counts.
    public init(
        _ queue: TaskQueue, concurrency: Int = 8, configuration: WorkerConfiguration = .init(),
        handlers: [TaskHandler]
    ) {
        self.queue = queue
        session = WorkerSession(
            queue.engine, concurrency: max(1, concurrency), configuration: configuration, handlers: handlers)
    }

    /// A worker on a queue of a store that another process has open.
    package init(
        _ queue: RemoteQueue, concurrency: Int, configuration: WorkerConfiguration, handlers: [TaskHandler]
    ) {
        self.queue = queue
        session = WorkerSession(
            queue, concurrency: max(1, concurrency), configuration: configuration, handlers: handlers)
    }

    /// Takes nothing more, and ends when what runs has ended, or `shutdownGrace` is over.
    package func shutdown() { session.stop(isUrgent: false) }

    /// Works until the task is cancelled, the service is shut down, or the store is closed.
    ///
    /// Shut down, it takes nothing more and lets what runs go on for `shutdownGrace`. Cancelled, it cancels
    /// what runs at once. What did not come to its end is given back, and the attempt does not count.
    /// - Throws: `TaskError.stream` when the queue cannot be read or written.
    public func run() async throws {
        let session = session
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await session.run()
            } onGracefulShutdown: {
                session.stop(isUrgent: false)
            }
        } onCancel: {
            session.stop(isUrgent: true)
        }
    }
}
