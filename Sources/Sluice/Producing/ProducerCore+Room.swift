// How a producer waits for room, and the queue that its gate empties under the policy `buffer`.
//
// (1) Who waits for answers is woken by one; who waits for the gate or the disk by a look, or when its time
// has come. Either asks again: nothing is promised to it. (2) Paced batches go in the order in which they
// were sealed, and one thread at a time hands them over.

import CoreMetrics
import SluiceLog

extension ProducerCore {
    // MARK: The queue of `buffer`

    func hand(_ paced: PacedBatch, isUrgent: Bool) {
        let sealed = paced.sealed
        let origin = BatchOrigin(producer: sinkNumber, number: paced.number)
        var batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp,
            origin: origin)
        batch.reservedBytes = paced.room
        batch.refusalsSeen = paced.refusalsSeen
        pressure.noteAdmitted(sealed.bytes.count)
        do throws(LogError) {
            try engine.withVolume(isUrgent: isUrgent) { volume throws(LogError) in
                try volume.submit(batch, to: numbers[paced.partition], acks)
            }
        } catch {
            settle([(paced.number, .failure(error))])
        }
    }

    /// Hands over what of the queue the gate lets go; all of it once the producer is closed, since what was
    /// accepted has its room.
    func pump() {
        while true {
            var wait: Int64?
            let next = lock.withLock { () -> PacedBatch? in
                guard !isPumping, let first = paced.first else { return nil }
                if !isClosed { wait = pressure.send(gate, bytes: first.sealed.bytes.count) }
                guard wait == nil else { return nil }
                pacedBytes -= first.sealed.bytes.count
                isPumping = true
                return paced.removeFirst()
            }
            guard let next else {
                guard let wait else { return }
                return engine.schedule(at: Instant.monotonicNow.addingSaturated(wait)) { [weak self] in
                    self?.pump()
                }
            }
            hand(next, isUrgent: false)
            lock.withLock { isPumping = false }
        }
    }

    /// The rates are others: who waits for the gate or the disk asks again.
    func pressureChanged() {
        let waiting = lock.withLock {
            defer { roomWaiters.removeAll(where: \.isGated) }
            return roomWaiters.filter(\.isGated)
        }
        for entry in waiting { entry.waiter.resume(.success(())) }
        if lock.withLock({ !paced.isEmpty }) { pump() }
    }

    // MARK: Waiting

    /// Whether anybody waits for the gate or the disk.
    var hasGatedWaiters: Bool { lock.withLock { !paced.isEmpty || roomWaiters.contains(where: \.isGated) } }

    /// Answered when asking again may help: at once when there is room now, else when something has changed,
    /// and at the deadline.
    func room(_ wait: RoomWait, until deadline: Int64) -> Waiter<Void> {
        let waiter = Waiter<Void>()
        let isGated = wait.obstacle.map { $0.retryAt < .max } ?? false
        let wakesAt = min(deadline, wait.obstacle?.retryAt ?? .max)
        let needsTimer = lock.withLock {
            if isClosed || (!isGated && hasRoom(wait.bytes)) {
                waiter.resume(.success(()))
                return false
            }
            roomWaiters.append(RoomWaiter(waiter: waiter, wakesAt: wakesAt, isGated: isGated))
            return setRoomTimer(wakesAt)
        }
        if needsTimer { scheduleRoomTimer(at: wakesAt) }
        return waiter
    }

    /// Whether a timer is needed for that moment. With the lock held.
    private func setRoomTimer(_ moment: Int64) -> Bool {
        guard moment < roomTimer else { return false }
        roomTimer = moment
        return true
    }

    private func scheduleRoomTimer(at moment: Int64) {
        engine.schedule(at: moment) { [weak self] in self?.endRoomWaits(at: moment) }
    }

    /// Their time has come: they ask once more, and those who have waited long enough are told then.
    private func endRoomWaits(at moment: Int64) {
        var due: [Waiter<Void>] = []
        var next: Int64?
        lock.withLock {
            guard roomTimer == moment else { return }
            roomTimer = .max
            due = roomWaiters.filter { $0.wakesAt <= moment }.map(\.waiter)
            roomWaiters.removeAll { $0.wakesAt <= moment }
            if let earliest = roomWaiters.map(\.wakesAt).min(), setRoomTimer(earliest) { next = earliest }
        }
        for waiter in due { waiter.resume(.success(())) }
        if let next { scheduleRoomTimer(at: next) }
    }

    /// Why there is no room, for an answer that says so.
    func busy(_ wait: RoomWait) -> StreamError {
        let obstacle = wait.obstacle ?? lock.withLock { bufferObstacle }
        let left = obstacle.retryAt == .max ? 1_000_000 : obstacle.retryAt - Instant.monotonicNow
        metrics.rejected.increment()
        if obstacle.isFileSystem { return .noSpace(path: engine.path) }
        return .busy(Busy(topic: topic, retryAfter: .nanoseconds(max(left, 0)), reason: obstacle.reason))
    }
}
