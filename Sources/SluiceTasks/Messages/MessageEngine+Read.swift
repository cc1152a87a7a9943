// Records for those who ask: fresh ones by the batch, those that came back one by one.
//
// (1) Batches are decoded once; what has no room yet stays where it was read to. (2) Messages that came back
// are read one for each who asks, and are given out first: what a program does not live to be given does not
// count as delivered again and again. (3) What cannot be read is told once, and tried again after half a
// minute.

import Logging
import Sluice
import SluiceCore
import SluiceLog

/// What is to be read of a partition.
struct ReadRequest: Sendable {
    var partition: Int
    var place: TopicPartition
    /// The volume's number of it.
    var number: Int
    /// How often it had been begun anew, and how often more had been heard of, when this was asked for.
    var epoch: Int
    var advances: Int
    var offset: Int64
}

extension MessageEngine {
    /// Stored bytes that are read of a partition at a time.
    private static let readBytes = 64 << 10
    /// Reads that are under way: each is a decoded batch in memory, at least.
    private static let readsAtOnce = 8
    /// How long what cannot be read is left alone.
    private static let retryMilliseconds: Int64 = 30_000

    /// Takes records for those who wait, and ahead of them. With the lock.
    func refill(_ state: inout State, _ now: Instant) {
        let waiting = state.waiters.count
        guard waiting > 0 || state.isWanted else { return }
        state.isWanted = false
        var keys: [MessageKey] = []
        while state.recalling + keys.count < max(waiting, 1), let key = state.machine.recall() {
            keys.append(key)
        }
        if !keys.isEmpty {
            state.recalling += keys.count
            state.works.append(.recall(keys))
        }
        guard waiting > 0 || state.machine.readyCount < configuration.prefetch / 2 else { return }
        var missing = max(configuration.prefetch, waiting) - state.machine.aheadCount
        var reads = state.parts.count { $0.isReading }
        let first = state.turn
        for step in state.parts.indices where missing > 0 {
            let partition = (first + step) % state.parts.count
            missing -= take(partition, upTo: missing, &state)
            guard missing > 0, reads < Self.readsAtOnce, state.parts[partition].run == nil,
                state.parts[partition].hasMore, !state.parts[partition].isReading,
                state.parts[partition].retryAt ?? .min <= now.monotonicNanoseconds,
                state.machine.room(partition) > 0
            else { continue }
            state.parts[partition].isReading = true
            state.parts[partition].retryAt = nil
            reads += 1
            state.turn = partition + 1
            let part = state.parts[partition]
            let request = ReadRequest(
                partition: partition, place: part.place, number: part.number, epoch: part.epoch,
                advances: part.advances, offset: state.machine.next(partition))
            state.works.append(.read(request))
        }
    }

    /// Takes records of what was read; returns how many.
    private func take(_ partition: Int, upTo limit: Int, _ state: inout State) -> Int {
        guard state.parts[partition].run != nil else { return 0 }
        var count = 0
        while count < limit, state.machine.room(partition) > 0 {
            guard let record = state.parts[partition].run?.next() else {
                state.machine.skip(partition, to: state.parts[partition].run?.nextOffset ?? 0)
                state.parts[partition].run = nil
                break
            }
            let key = MessageKey(partition: partition, offset: record.offset.rawValue)
            guard key.offset >= state.machine.next(partition) else { continue }
            state.machine.take(key)
            state.records[key] = record
            count += 1
        }
        return count
    }

    // MARK: Fresh records

    private enum Found: Sendable {
        case run(RecordRun)
        case end
        /// The records before are gone.
        case begin(Int64)
        case failure(StreamError)
    }

    func read(_ request: ReadRequest) {
        Task { [self] in
            let served = served
            let found = await served.onReader { Self.find(served, request) }
            change { state in
                let partition = request.partition
                guard state.parts.indices.contains(partition), state.parts[partition].isReading,
                    state.parts[partition].epoch == request.epoch
                else { return }
                state.parts[partition].isReading = false
                switch found {
                case .run(let run): state.parts[partition].run = RunReader(run)
                case .end:
                    state.parts[partition].hasMore = state.parts[partition].advances > request.advances
                case .begin(let start): state.machine.skip(partition, to: start)
                case .failure(let error):
                    let pause = Self.retryMilliseconds * 1_000_000
                    state.parts[partition].retryAt = Instant.monotonicNow + pause
                    note(error, &state)
                }
            }
        }
    }

    private static func find(_ served: ServedStore, _ request: ReadRequest) -> Found {
        let (place, number, offset) = (request.place, request.number, request.offset)
        guard let ends = served.ends(of: [number])[0] else { return .failure(.unknownTopic(place.topic)) }
        if offset < ends.logStart { return .begin(ends.logStart) }
        // A group may have been moved beyond the end: it waits there.
        if offset >= ends.highWatermark { return .end }
        do throws(StreamError) {
            let run = try served.records(of: place, number, from: offset, maxBytes: readBytes)
            return run.map { .run($0) } ?? .end
        } catch {
            guard case .offsetOutOfRange(_, _, let valid) = error, offset < valid.lowerBound.rawValue else {
                return .failure(error)
            }
            return .begin(valid.lowerBound.rawValue)
        }
    }

    /// Something cannot be read: whoever asks is told.
    private func note(_ error: StreamError, _ state: inout State) {
        logger.error(
            "messages cannot be read", metadata: ["topic": "\(topic)", "reason": "\(error)"])
        if error != .closed { state.failure = .stream(error) }
    }

    // MARK: Records that came back, and the dead

    /// Single records of a topic, as they were found.
    private struct Singles: Sendable {
        var records: [MessageKey: Record] = [:]
        var failures: [MessageKey: StreamError] = [:]
    }

    func recall(_ keys: [MessageKey]) {
        let (life, numbers) = state.withLock { ($0.life, $0.parts.map { ($0.place, $0.number) }) }
        Task { [self] in
            let singles = await singles(keys, numbers)
            change { state in
                guard state.life == life else { return }
                state.recalling -= keys.count
                for key in keys {
                    if let record = singles.records[key] {
                        if state.machine.recalled(key) { state.records[key] = record }
                    } else if let error = singles.failures[key] {
                        state.machine.putBack(key, for: Self.retryMilliseconds, now: .now)
                        note(error, &state)
                    } else {
                        state.machine.gone(key)
                    }
                }
            }
        }
    }

    /// Reads the records of the dead.
    func exhume(_ keys: [MessageKey]) {
        let (life, numbers) = state.withLock { ($0.life, $0.parts.map { ($0.place, $0.number) }) }
        Task { [self] in
            let singles = await singles(keys, numbers)
            change { state in
                guard state.life == life else { return }
                for key in keys where state.graves[key] != nil {
                    state.graves[key]?.isReading = false
                    if let record = singles.records[key] {
                        state.graves[key]?.record = record
                    } else if let error = singles.failures[key] {
                        putOff(key, .stream(error), &state)
                        note(error, &state)
                    } else {
                        state.machine.gone(key)
                        end(key, state.machine.version(key.partition), &state)
                    }
                }
            }
        }
    }

    private func singles(_ keys: [MessageKey], _ parts: [(TopicPartition, Int)]) async -> Singles {
        let served = served
        return await served.onReader {
            var singles = Singles()
            let wanted = Set(keys)
            for key in keys.sorted() where singles.records[key] == nil {
                guard parts.indices.contains(key.partition) else { continue }
                let (place, number) = parts[key.partition]
                do throws(StreamError) {
                    let run = try served.records(of: place, number, from: key.offset, maxBytes: 1)
                    guard let batch = run?.batches.first else { continue }
                    for record in batch {
                        let found = MessageKey(partition: key.partition, offset: record.offset.rawValue)
                        if wanted.contains(found) { singles.records[found] = record }
                    }
                } catch {
                    if case .offsetOutOfRange = error { continue }
                    singles.failures[key] = error
                }
            }
            return singles
        }
    }
}
