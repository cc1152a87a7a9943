// A topic that a group shares out: the rules one by one. MessageSimulationTests has all of them at once.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct MessageMachineTests {
    var now = Instant(wallMilliseconds: 1_000_000, monotonicNanoseconds: 1_000_000_000)

    private func machine(
        _ stored: StoredPosition? = nil, _ change: (inout MessageConfiguration) -> Void = { _ in }
    ) -> MessageMachine {
        var machine = MessageMachine(configuration: MessageConfiguration(change))
        machine.open(stored, start: 0, now: now)
        return machine
    }

    /// Takes records 0..<count, and commits that.
    private func take(_ count: Int64, _ machine: inout MessageMachine) {
        for offset in 0..<count { machine.take(MessageKey(partition: 0, offset: offset)) }
        commit(&machine)
    }

    private func hand(_ machine: inout MessageMachine) throws -> MessageLease {
        let lease = machine.hand(now: now)
        return try #require(lease)
    }

    private func begin(_ machine: inout MessageMachine, burying: [MessageKey] = []) throws -> MessageCommit {
        let commit = machine.commit(burying: burying, now: now)
        return try #require(commit)
    }

    /// Whether an acceptance is refused.
    private func isLost(_ lease: MessageLease, _ machine: inout MessageMachine) -> Bool {
        (try? machine.accept(lease)) == nil
    }

    @discardableResult
    private func commit(_ machine: inout MessageMachine, burying: [MessageKey] = []) -> MessageCommit? {
        let next = machine.commit(burying: burying, now: now)
        guard let next else { return nil }
        machine.committed(next)
        return next
    }

    private mutating func pass(_ milliseconds: Int64) {
        now.wallMilliseconds += milliseconds
        now.monotonicNanoseconds += milliseconds * 1_000_000
    }

    /// What came back is read, and committed.
    private func recall(_ machine: inout MessageMachine) {
        while let key = machine.recall() { _ = machine.recalled(key) }
        commit(&machine)
    }

    @Test func `a group without a commit is committed where it begins`() {
        var machine = machine()
        let position = commit(&machine)?.parts.first?.position
        #expect(position == StoredPosition(offset: 0))
        let commit = commit(&machine)
        #expect(commit == nil)
    }

    @Test func `nothing is given out before its delivery is committed`() throws {
        var machine = machine()
        machine.take(MessageKey(partition: 0, offset: 0))
        let handed = machine.hand(now: now)
        #expect(handed == nil)
        let commit = try begin(&machine)
        let handedAgain = machine.hand(now: now)
        #expect(handedAgain == nil)
        machine.committed(commit)
        let lease = try hand(&machine)
        #expect(lease.key.offset == 0 && lease.deliveries == 1)
        let handedLast = machine.hand(now: now)
        #expect(handedLast == nil)
        #expect(StoredWindow(base: 0, metadata: commit.parts[0].position.metadata).entries[0].deliveries == 1)
    }

    @Test func `the commit moves over what is settled, in whatever order`() throws {
        var machine = machine()
        take(3, &machine)
        let leases = (0..<3).compactMap { _ in machine.hand(now: now) }
        _ = try machine.accept(leases[1])
        _ = try machine.accept(leases[2])
        let offset = commit(&machine)?.parts[0].position.offset
        #expect(offset == 0)
        _ = try machine.accept(leases[0])
        let position = commit(&machine)?.parts[0].position
        #expect(position == StoredPosition(offset: 3))
    }

    @Test mutating func `a lease that is over is another's, and its token is worth nothing`() throws {
        var machine = machine()
        take(1, &machine)
        let first = try hand(&machine)
        pass(29_999)
        machine.advance(to: now)
        #expect(machine.holds(first))
        pass(1)
        machine.advance(to: now)
        #expect(!machine.holds(first))
        recall(&machine)
        let second = try hand(&machine)
        #expect(second.deliveries == 2)
        let isLost = isLost(first, &machine)
        #expect(isLost)
        _ = try machine.accept(second)
    }

    @Test mutating func `an extension counts from now on`() throws {
        var machine = machine()
        take(1, &machine)
        let lease = try hand(&machine)
        pass(20_000)
        try machine.extend(lease, by: 20_000, now: now)
        pass(19_999)
        machine.advance(to: now)
        #expect(machine.holds(lease))
        pass(1)
        machine.advance(to: now)
        #expect(!machine.holds(lease))
    }

    @Test mutating func `a delay is committed, and holds behind an opening`() throws {
        var machine = machine()
        take(1, &machine)
        let lease = try hand(&machine)
        let version = try machine.release(lease, after: 10_000, now: now)
        #expect(version == machine.version(0))
        let stored = commit(&machine)?.parts[0].position
        var again = self.machine(stored)
        let recalled = again.recall()
        #expect(recalled == nil)
        pass(10_000)
        again.advance(to: now)
        let recalledLater = again.recall()?.offset
        #expect(recalledLater == 0)
    }

    @Test func `a message that was delivered as often as it may be dies when it comes back`() throws {
        var machine = machine { $0.deliveryLimit = 2 }
        take(1, &machine)
        _ = try machine.release(try hand(&machine), after: 0, now: now)
        let isEmpty = machine.takeDying().isEmpty
        #expect(isEmpty)
        recall(&machine)
        _ = try machine.release(try hand(&machine), after: 0, now: now)
        let dying = machine.takeDying()
        #expect(dying.map(\.key.offset) == [0] && dying.map(\.deliveries) == [2] && dying[0].reason == nil)
        let written = try begin(&machine, burying: dying.map(\.key))
        #expect(written.buried == dying.map(\.key))
        #expect(written.parts[0].position == StoredPosition(offset: 1))
    }

    @Test func `whoever had it, an opening finds a message at its limit dead`() throws {
        var machine = machine { $0.deliveryLimit = 1 }
        take(2, &machine)
        let stored = machine.stored(0)
        var again = self.machine(stored) { $0.deliveryLimit = 1 }
        let dying = again.takeDying().map(\.key.offset)
        #expect(dying == [0, 1])
        let recalled = again.recall()
        #expect(recalled == nil)
    }

    @Test func `a burial that was not written is to be made again`() throws {
        var machine = machine()
        take(1, &machine)
        _ = try machine.reject(try hand(&machine), reason: "no")
        let dying = machine.takeDying()
        let key = try #require(dying.first?.key)
        let refused = try begin(&machine, burying: [key])
        machine.refused(refused)
        let written = try begin(&machine, burying: [key])
        #expect(written.buried == [key] && written.parts[0].position == StoredPosition(offset: 1))
    }

    @Test func `where the group was moved the partition begins anew, and its leases are over`() throws {
        var machine = machine()
        take(2, &machine)
        let lease = try hand(&machine)
        machine.restart(0, at: StoredPosition(offset: 1), start: 1, now: now)
        let isLost = isLost(lease, &machine)
        #expect(isLost)
        let handed = machine.hand(now: now)
        #expect(handed == nil)
        #expect(machine.next(0) == 1)
        let commit = machine.commit(now: now)
        #expect(commit == nil)
    }

    @Test func `so many are taken ahead, and so many are in flight`() throws {
        var machine = machine { $0.prefetch = 200 }
        take(200, &machine)
        let room = machine.room(0)
        #expect(room == 0)
        var leases: [MessageLease] = []
        while let lease = machine.hand(now: now) { leases.append(lease) }
        let room2 = machine.room(0)
        #expect(room2 == 200)
        for offset in 200..<400 { machine.take(MessageKey(partition: 0, offset: Int64(offset))) }
        commit(&machine)
        while let lease = machine.hand(now: now) { leases.append(lease) }
        let room3 = machine.room(0)
        #expect(leases.count == 400 && room3 == 0)
        _ = try machine.accept(leases[7])
        let room4 = machine.room(0)
        #expect(room4 == 1)
    }

    @Test func `a message that nobody got is the next, and its delivery counts once`() throws {
        var machine = machine()
        take(2, &machine)
        let lease = try hand(&machine)
        machine.giveBack(lease)
        let again = try hand(&machine)
        #expect(again.key == lease.key && again.deliveries == 1 && again.token != lease.token)
    }

    @Test func `deliveries that nobody heard of are taken back`() throws {
        var machine = machine()
        take(2, &machine)
        _ = try machine.accept(try hand(&machine))
        machine.uncount()
        let position = try begin(&machine).parts[0].position
        let window = StoredWindow(base: position.offset, metadata: position.metadata)
        #expect(window.entries == [StoredWindow.Entry(offset: 1, deliveries: 0)])
    }

    @Test func `a record that is gone counts as settled`() throws {
        var machine = machine()
        take(1, &machine)
        _ = try machine.release(try hand(&machine), after: 0, now: now)
        let recalled = machine.recall()
        let key = try #require(recalled)
        machine.gone(key)
        let position = commit(&machine)?.parts[0].position
        #expect(position == StoredPosition(offset: 1))
    }

    @Test mutating func `a clock that was set back keeps nothing waiting for more than 12 hours`() throws {
        var machine = machine()
        take(1, &machine)
        _ = try machine.release(try hand(&machine), after: 1_000, now: now)
        now.wallMilliseconds -= 365 * 24 * 3_600_000
        machine.advance(to: now)
        #expect(machine.nextWall == now.wallMilliseconds + 12 * 3_600_000)
    }

    @Test func `dropped, the dead are settled at once`() throws {
        var machine = machine { ($0.deliveryLimit, $0.dropsDead) = (1, true) }
        take(2, &machine)
        _ = try machine.reject(try hand(&machine), reason: "no")
        _ = try machine.release(try hand(&machine), after: 0, now: now)
        let isEmpty = machine.takeDying().isEmpty
        #expect(isEmpty)
        let position = commit(&machine)?.parts[0].position
        #expect(position == StoredPosition(offset: 2))
    }
}
