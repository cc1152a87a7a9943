// A queue's machine out of its topic, before anybody asks it anything.
//
// (1) Half of the topic never counts for all of it: a load that failed is begun anew by the next call. (2)
// While it loads, calls wait. (3) A machine that is made anew in the same process goes on numbering where the
// one before was: a task of an atomic write that is under way is not in the log yet.

import Logging
import Sluice
import SluiceCore
import SluiceLog
import Synchronization

extension QueueEngine {
    /// Returns when the queue can be asked. Throws what reading its topic throws, `closed`.
    nonisolated(nonsending) func ready() async throws(TaskError) {
        if isReady.load(ordering: .acquiring) { return }
        let entry = state.withLock { $0.phase.enter() }
        try await entry.loaded { [self] in await loadAndTell() }
    }

    private func loadAndTell() async -> TaskError? {
        var failure: TaskError?
        do throws(StreamError) {
            try await load()
        } catch {
            failure = .stream(error)
        }
        let (waiting, due) = state.withLock { state -> ([PendingAnswer<TaskError?>], Due) in
            guard case .loading(let waiting) = state.phase else { return ([], Due()) }
            state.phase = failure == nil ? .ready : failure == .stream(.closed) ? .closed : .unloaded
            guard failure == nil else { return (waiting, Due()) }
            isReady.store(true, ordering: .releasing)
            collect(&state)
            return (waiting, takeDue(&state))
        }
        for pending in waiting { pending.give(failure) }
        perform(due)
        return failure
    }

    private func load() async throws(StreamError) {
        try await served.makeInternalTopic(topic, QueueTopic.configuration)
        guard let number = served.topic(topic)?.number(0) else { throw .unknownTopic(topic) }
        watch(number)
        var random = SystemRandomNumberGenerator()
        let machine = TaskMachine(
            configuration: configuration.machine, seed: random.next(), localHost: localHost,
            zones: ZoneFiles.rules)
        let served = served
        let read = await served.onReader { [place] () -> Result<TaskMachine, StreamError> in
            var machine = machine
            do throws(StreamError) {
                try Self.read(served, number, place) { offset, key, value in
                    machine.load(key: key[...], value: value?[...], offset: offset)
                }
                return .success(machine)
            } catch {
                return .failure(error)
            }
        }
        let loaded = try read.get()
        for (sequence, reason) in loaded.unreadable {
            logger.error(
                "a record of a queue of tasks makes no sense",
                metadata: ["queue": "\(name)", "task": "\(sequence)", "reason": "\(reason)"])
        }
        state.withLock { state in
            let last = state.machine.lastSequence
            state.machine = loaded
            state.machine.skipSequences(to: last)
            state.machine.finishLoading(now: .now)
            (state.partition, state.durable, state.isSubmitting) = (number, 0, false)
            state.wakesAt = .max
        }
    }

    /// Reads the topic from its beginning to its end; on a thread that may wait for the disk.
    private static func read(
        _ served: ServedStore, _ number: Int, _ place: TopicPartition,
        _ body: (Int64, [UInt8], [UInt8]?) -> Void
    ) throws(StreamError) {
        guard let ends = served.ends(of: [number])[0] else { throw .unknownTopic(place.topic) }
        var next = ends.logStart
        while next < ends.highWatermark {
            let run: FetchedRun?
            do throws(LogError) {
                run = try served.read(number, at: next, maxBytes: QueueTopic.batchBytes)
            } catch {
                throw StreamError(error, at: place)
            }
            guard let run else { return }
            do throws(BatchError) {
                try QueueTopic.forEach(in: run) { offset, key, value in
                    if offset >= next, offset < ends.highWatermark { body(offset, key, value) }
                }
            } catch {
                throw .corrupt(
                    file: place.topic, position: next, reason: "a batch behind this offset: \(error)")
            }
            guard let behind = run.nextOffset, behind > next else { return }
            next = behind
        }
    }

    /// Hears of the store's close.
    private func watch(_ number: Int) {
        let watch = WatermarkWatch(
            served, onAdvance: { _ in }, onClose: { [weak self] in self?.fail(.closed) })
        let isFirst = state.withLock { state in
            guard state.watchmark == nil else { return false }
            state.watchmark = watch
            return true
        }
        if isFirst { watch.watch([number]) }
    }

    // MARK: Single records

    /// The values of records by their offsets; those that are not there any more are missing. Throws
    /// `corrupt`, `io`.
    nonisolated(nonsending) func values(
        at offsets: [Int64]
    ) async throws(TaskError) -> [Int64: [UInt8]] {
        let number = state.withLock { $0.partition }
        let (served, place) = (served, place)
        let result = await served.onReader { () -> Result<[Int64: [UInt8]], StreamError> in
            do throws(LogError) {
                var found: [Int64: [UInt8]] = [:]
                // A run often has several of them: tasks are given out in the order of the log.
                for offset in offsets.sorted() where found[offset] == nil {
                    guard let run = try served.read(number, at: offset, maxBytes: 256 << 10) else { continue }
                    let wanted = Set(offsets)
                    do throws(BatchError) {
                        try QueueTopic.forEach(in: run) { offset, _, value in
                            if wanted.contains(offset), let value { found[offset] = value }
                        }
                    } catch {
                        return .failure(
                            .corrupt(
                                file: place.topic, position: offset,
                                reason: "a batch behind this offset: \(error)"))
                    }
                }
                return .success(found)
            } catch {
                return .failure(StreamError(error, at: place))
            }
        }
        do throws(StreamError) {
            return try result.get()
        } catch {
            throw .stream(error)
        }
    }
}
