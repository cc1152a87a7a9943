// Who keeps records from being deleted, at which time.

import SluiceCore
import Testing

@Suite struct UnreadRetentionTests {
    private typealias Reader = UnreadRetention.Reader
    private var retention = UnreadRetention()

    private func reader(
        _ group: String, _ committed: [Int: Int64], heardAt: Int64? = 0, hasMembers: Bool = false
    ) -> Reader {
        Reader(group: group, committed: committed, heardAt: heardAt, hasMembers: hasMembers)
    }

    private mutating func decide(
        _ readers: [Reader], _ logStarts: [Int64], at now: Int64, abandonTime: Int64 = 1000
    ) -> UnreadRetention.Decision {
        retention.decide(readers, logStarts: logStarts, abandonTime: abandonTime, now: now, openedAt: 100)
    }

    @Test mutating func `the floor is the least that any of the groups has committed`() {
        let decision = decide([reader("a", [0: 9, 1: 4]), reader("b", [0: 5])], [0, 0], at: 10)
        #expect(decision.floors == [5, 0])
        #expect(decision.abandoned.isEmpty && decision.losses.isEmpty)
    }

    @Test mutating func `a silent group counts until its time is over, to the millisecond`() {
        let readers = [reader("a", [0: 9], heardAt: 1500), reader("b", [0: 5], heardAt: 200)]
        var decision = decide(readers, [0], at: 1199)
        #expect(decision.floors == [5] && decision.abandoned.isEmpty && decision.lookAgain == 1)
        decision = decide(readers, [0], at: 1200)
        #expect(decision.floors == [9] && decision.abandoned == ["b"] && decision.lookAgain == 1300)
        // Told once.
        decision = decide(readers, [0], at: 1201)
        #expect(decision.floors == [9] && decision.abandoned.isEmpty)
    }

    @Test mutating func `a group that was never there is waited for from the opening on`() {
        let readers = [reader("a", [0: 9], hasMembers: true), reader("b", [:], heardAt: nil)]
        #expect(decide(readers, [0], at: 1099).floors == [0])
        let decision = decide(readers, [0], at: 1100)
        #expect(decision.floors == [9] && decision.abandoned == ["b"] && decision.lookAgain == nil)
    }

    @Test mutating func `members count however long they are silent`() {
        let decision = decide([reader("a", [0: 9], hasMembers: true)], [0], at: 1_000_000)
        #expect(decision.floors == [9] && decision.abandoned.isEmpty && decision.lookAgain == nil)
    }

    @Test mutating func `when all are abandoned nothing goes`() {
        let decision = decide([reader("a", [0: 9]), reader("b", [0: 5])], [0], at: 1000)
        #expect(decision.floors == nil && decision.abandoned == ["a", "b"] && decision.lookAgain == nil)
    }

    @Test mutating func `what goes unread is told once, with its number`() {
        let active = reader("a", [0: 20, 1: 20], heardAt: 5000)
        let silent = reader("b", [0: 5])
        #expect(decide([active, silent], [0, 0], at: 5000).losses.isEmpty)
        // Nothing committed of partition 1: what goes from there on was unread too.
        var losses = decide([active, silent], [12, 3], at: 5001).losses
        #expect(losses.map(\.group) == ["b", "b"] && losses.map(\.records) == [7, 3])
        #expect(losses.map(\.partition) == [0, 1])
        #expect(decide([active, silent], [12, 3], at: 5002).losses.isEmpty)
        losses = decide([active, silent], [20, 3], at: 5003).losses
        #expect(losses.map(\.records) == [8])
    }

    @Test mutating func `a group that comes back counts again, and can be abandoned again`() {
        let active = reader("a", [0: 20], hasMembers: true)
        #expect(decide([active, reader("b", [0: 5])], [0], at: 1000).abandoned == ["b"])
        // It has joined, at what it had committed, which is gone: nothing more goes until it has come on.
        var decision = decide([active, reader("b", [0: 5], hasMembers: true)], [12], at: 1001)
        #expect(decision.floors == [5] && decision.losses.map(\.records) == [7])
        decision = decide([active, reader("b", [0: 14], heardAt: 1002)], [12], at: 1002)
        #expect(decision.floors == [14] && decision.losses.isEmpty)
        #expect(decide([active, reader("b", [0: 14], heardAt: 1002)], [12], at: 2002).abandoned == ["b"])
    }

    @Test(arguments: [Int64.max, .min, 0, -1])
    mutating func `no time is too far`(now: Int64) {
        for time in [0, 1, Int64.max] {
            for heardAt in [nil, 0, Int64.max, .min] {
                let decision = decide(
                    [reader("a", [0: 9], heardAt: heardAt)], [0], at: now, abandonTime: time)
                #expect(decision.lookAgain.map { (0...UnreadRetention.longestWait).contains($0) } ?? true)
            }
        }
    }
}
