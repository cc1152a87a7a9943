// An exclusive lane.

import SluiceLog

/// A lane of a producer for one loop: no lock, allocation, reference count or suspension per record.
///
/// Make it in the task that uses it. Dropped, it hands over what it holds, and the producer's next flush
/// reports on that. An idle lane does not linger by itself: flush it, or use the producer.
///
/// ```swift
/// var lane = producer.appender()
/// for line in lines { try await lane.append(value: line) }
/// try await lane.close()
/// ```
public struct Appender: ~Copyable, Sendable {
    /// Owned: a plain reference would be counted for each record.
    @usableFromInline let lane: Unmanaged<LaneBox>

    init(_ core: ProducerCore, _ lease: EngineLease) { lane = .passRetained(LaneBox(core, lease)) }

    deinit {
        box.submitAll()
        lane.release()
    }

    private var box: LaneBox { lane._withUnsafeGuaranteedRef { $0 } }

    /// Accepts one record; as `Producer.append`.
    @inlinable
    @discardableResult
    public nonisolated(nonsending) mutating func append<
        K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable
    >(
        key: borrowing K = NullBytes(), value: borrowing V, headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) async throws(StreamError) -> PendingRecord {
        var pending = try tryAppend(
            key: key, value: value, headers: headers, timestamp: timestamp, partition: partition)
        if let pending { return pending }
        var wait = RoomWait()
        while true {
            try await waitForRoom(&wait)
            pending = try tryAppend(
                key: key, value: value, headers: headers, timestamp: timestamp, partition: partition)
            if let pending { return pending }
        }
    }

    /// Accepts one record or throws `busy`; as `Producer.appendNow`.
    @inlinable
    @discardableResult
    public mutating func appendNow<
        K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable
    >(
        key: borrowing K = NullBytes(), value: borrowing V, headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) throws(StreamError) -> PendingRecord {
        let pending = try tryAppend(
            key: key, value: value, headers: headers, timestamp: timestamp, partition: partition)
        guard let pending else { throw busy() }
        return pending
    }

    /// Hands over what the lane holds, without waiting.
    public mutating func submit() { box.submitAll() }

    /// Returns when everything that the producer has accepted, and this lane, is acknowledged.
    ///
    /// - Throws: the first failure since the last flush; `cancelled(accepted: true)`.
    public nonisolated(nonsending) mutating func flush() async throws(StreamError) {
        box.submitAll()
        try await box.core.flushed().value(cancelled: .cancelled(accepted: true)).get()
        box.refreshClock()
        if let failure = box.core.takeFailure() { throw failure }
    }

    /// Flushes and ends the lane: not to be cancelled. The producer stays.
    public consuming func close() async throws(StreamError) {
        box.submitAll()
        let core = box.core
        try await core.flushed().value().get()
        if let failure = core.takeFailure() { throw failure }
    }

    @inlinable @inline(__always)
    mutating func tryAppend<K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable>(
        key: borrowing K, value: borrowing V, headers: [RecordHeader], timestamp: Timestamp?, partition: Int?
    ) throws(StreamError) -> PendingRecord? {
        let pending = key.withRecordBytes { key in
            value.withRecordBytes { value in
                lane._withUnsafeGuaranteedRef { $0.encode(key, value, headers, timestamp, partition) }
            }
        }
        if pending == nil { try checkFailure() }
        return pending
    }

    /// Throws why the last record could not be encoded; nothing when there was no room.
    @usableFromInline mutating func checkFailure() throws(StreamError) {
        if let failure = box.takeFailure() { throw failure }
    }

    /// There is no room. What is open leaves, so that there will be some.
    @usableFromInline func busy() -> StreamError {
        box.submitAll()
        return box.core.busy(box.refusal)
    }

    @usableFromInline
    nonisolated(nonsending) mutating func waitForRoom(_ wait: inout RoomWait) async throws(StreamError) {
        wait.bytes = box.refusal.bytes
        wait.obstacle = box.refusal.obstacle
        box.submitAll()
        try await box.core.waitForRoom(&wait)
        box.refreshClock()
    }
}

/// The lane's memory, in one place. Owned by one Appender, which is `~Copyable`: that is why it may be sent.
@usableFromInline
final class LaneBox: @unchecked Sendable {
    let core: ProducerCore
    private let lease: EngineLease
    @exclusivity(unchecked) private var lane: Lane
    /// What the last record that found no room would have needed.
    @exclusivity(unchecked) private(set) var refusal = RoomWait()
    /// Why the last record was refused for good.
    @exclusivity(unchecked) private var failure: StreamError?

    init(_ core: ProducerCore, _ lease: EngineLease) {
        self.core = core
        self.lease = lease
        lane = Lane(core)
    }

    /// nil: there is no room, or the record is refused.
    @usableFromInline
    func encode(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader], _ timestamp: Timestamp?,
        _ partition: Int?
    ) -> PendingRecord? {
        do throws(StreamError) {
            switch try lane.append(key, value, headers, timestamp?.millisecondsSince1970, partition) {
            case .appended(let record): return record
            case .full(let bytes, let obstacle):
                refusal.bytes = bytes
                refusal.obstacle = obstacle
            }
        } catch {
            failure = error
        }
        return nil
    }

    func takeFailure() -> StreamError? {
        defer { failure = nil }
        return failure
    }

    func submitAll() { lane.submitAll() }
    func refreshClock() { lane.refreshClock() }
}
