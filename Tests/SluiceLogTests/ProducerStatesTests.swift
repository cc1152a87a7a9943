// What is known of idempotent producers, as pure values: the verdicts, the bound, the bytes, and what is
// recorded when.

import Testing

@testable import SluiceLog

@Suite struct ProducerStatesTests {
    private static let day: Int64 = 86_400_000

    private func batch(
        _ sequence: Int32, _ records: Int = 1, id: Int64 = 7, epoch: Int16 = 0
    ) -> ProducerBatch {
        ProducerBatch(id: id, epoch: epoch, firstSequence: sequence, records: records)
    }

    /// Batches one after another, from offset 0 on.
    private func states(_ batches: [ProducerBatch], wall: Int64 = 0) -> ProducerStates {
        var states = ProducerStates()
        var offset: Int64 = 0
        for batch in batches {
            states.add(batch, at: offset, timestamp: 100 + offset, wall: wall)
            offset = states[batch.id]?.batches.last?.nextOffset ?? 0
        }
        return states
    }

    private func judge(_ batch: ProducerBatch, _ states: ProducerStates, wall: Int64 = 0) -> ProducerVerdict {
        states.judge(batch, wall: wall, expiration: Self.day)
    }

    @Test(arguments: [0, 1, 17, Int32.max])
    func `of an unknown producer any sequence is appended`(sequence: Int32) {
        #expect(judge(batch(sequence), ProducerStates()) == .append)
        #expect(judge(batch(sequence), states([batch(0, id: 8)])) == .append)
    }

    @Test func `behind the last sequence comes the next, and no other`() {
        let states = states([batch(0, 3)])
        #expect(judge(batch(3), states) == .append)
        #expect(judge(batch(3, 500), states) == .append)
        for sequence in [1, 2, 4, 5, Int32.max] {
            #expect(judge(batch(sequence), states) == .outOfOrder(expected: 3))
        }
    }

    @Test func `the last five batches are duplicates, the sixth is out of order`() {
        let all = (0..<6).map { batch(Int32($0 * 2), 2) }
        let states = states(all)
        #expect(judge(all[0], states) == .outOfOrder(expected: 12))
        for index in 1..<6 {
            let kept = KeptBatch(
                firstSequence: Int32(index * 2), lastSequence: Int32(index * 2 + 1),
                baseOffset: Int64(index * 2), timestamp: Int64(100 + index * 2))
            #expect(judge(all[index], states) == .duplicate(kept))
            #expect(kept.nextOffset == Int64(index * 2 + 2))
        }
    }

    @Test func `what only overlaps with a batch that is there is no duplicate`() {
        let states = states([batch(0, 4), batch(4, 4)])
        for other in [batch(4, 3), batch(4, 5), batch(5, 3), batch(0, 8), batch(3, 1)] {
            #expect(judge(other, states) == .outOfOrder(expected: 8))
        }
    }

    @Test func `behind the greatest sequence comes 0`() {
        #expect(batch(.max).lastSequence == .max)
        #expect(batch(.max, 2).lastSequence == 0)
        #expect(batch(.max - 1, 5).lastSequence == 2)
        let atEnd = states([batch(.max - 1, 2)])
        #expect(judge(batch(0), atEnd) == .append)
        #expect(judge(batch(1), atEnd) == .outOfOrder(expected: 0))
        let across = states([batch(.max - 1, 5)])
        #expect(judge(batch(3), across) == .append)
        #expect(across[7]?.batches.first?.nextOffset == 5)
        #expect(judge(batch(.max - 1, 5), across) != .append)
    }

    @Test func `an earlier epoch is fenced, a later one begins at 0`() {
        let states = states([batch(0, 3, epoch: 4)])
        #expect(judge(batch(3, epoch: 3), states) == .fenced(current: 4))
        #expect(judge(batch(0, 3, epoch: 3), states) == .fenced(current: 4))
        #expect(judge(batch(0, epoch: 5), states) == .append)
        #expect(judge(batch(0, epoch: .max), states) == .append)
        #expect(judge(batch(3, epoch: 5), states) == .outOfOrder(expected: 0))
    }

    @Test func `a later epoch forgets the batches of the one before`() {
        let states = states([batch(0, 3), batch(3, 3), batch(0, 2, epoch: 1)])
        #expect(states[7]?.batches.count == 1)
        #expect(judge(batch(2, epoch: 1), states) == .append)
        #expect(judge(batch(0, 3), states) == .fenced(current: 1))
    }

    @Test func `who is silent for the time of expiration is unknown`() {
        let states = states([batch(0)], wall: 1000)
        #expect(judge(batch(9), states, wall: 999 + Self.day) == .outOfOrder(expected: 1))
        #expect(judge(batch(9), states, wall: 1000 + Self.day) == .append)
        // A clock that went back expires nobody, at no difference.
        #expect(judge(batch(9), states, wall: .min) == .outOfOrder(expected: 1))
        var left = states
        left.expire(wall: 999 + Self.day, expiration: Self.day)
        #expect(left == states)
        left.expire(wall: 1000 + Self.day, expiration: Self.day)
        #expect(left.isEmpty)
    }

    @Test func `one over the bound forgets an eighth, those that were silent for longest`() {
        let most = Limits.producersPerPartition
        var states = ProducerStates()
        for id in 0..<most {
            states.add(batch(0, id: Int64(id)), at: Int64(id), timestamp: 0, wall: Int64(id))
        }
        #expect(states.count == most)
        // It comes again: it is not among the silent.
        states.add(batch(1, id: 0), at: Int64(most), timestamp: 0, wall: Int64(most))
        #expect(states.count == most)
        states.add(batch(0, id: Int64(most)), at: Int64(most + 1), timestamp: 0, wall: Int64(most))
        #expect(states.count == most - most / 8)
        #expect(states[0] != nil && states[Int64(most)] != nil && states[Int64(most - 1)] != nil)
        #expect(states[1] == nil && states[Int64(most / 8)] == nil)
    }

    // MARK: Bytes

    @Test func `the bytes are these`() throws {
        let states = states([batch(5, 2, id: 3, epoch: 1)], wall: 0x0102)
        var writer = BinaryWriter()
        states.encode(into: &writer)
        let expected: [UInt8] =
            [0, 0, 0, 1]  // producers
            + [0, 0, 0, 0, 0, 0, 0, 3] + [0, 1]  // id, epoch
            + [0, 0, 0, 0, 0, 0, 1, 2] + [1]  // last append, batches
            + [0, 0, 0, 5] + [0, 0, 0, 6]  // sequences
            + [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 100]  // base offset, timestamp
        #expect(writer.bytes == expected)
        #expect(writer.bytes.count <= states.mostBytes)
    }

    @Test func `it is read as it was written, and cut nowhere`() throws {
        let batches = (0..<9).flatMap { [batch(Int32($0)), batch(Int32($0), id: 900, epoch: 2)] }
        let states = states(batches, wall: 77)
        var writer = BinaryWriter()
        states.encode(into: &writer)
        #expect(writer.bytes.count == states.mostBytes)
        var reader = BinaryReader(writer.bytes[...])
        #expect(try ProducerStates(from: &reader) == states)
        for count in 0..<writer.bytes.count {
            var cut = BinaryReader(writer.bytes[..<count])
            #expect(throws: MalformedRecord.self) { try ProducerStates(from: &cut) }
        }
    }

    @Test(arguments: [(4, 0x80), (12, 0x80), (22, 0), (22, 6), (23, 0x80), (27, 0x80), (31, 0x80)])
    func `what cannot be is malformed`(position: Int, byte: UInt8) {
        var writer = BinaryWriter()
        states([batch(0, id: 3)]).encode(into: &writer)
        writer.bytes[position] = byte
        writer.bytes += [UInt8](repeating: 0, count: 200)
        var reader = BinaryReader(writer.bytes[...])
        #expect(throws: MalformedRecord.self) { try ProducerStates(from: &reader) }
    }

    // MARK: What is recorded

    @Test func `a recovery point brings what was there at its sync, and no more`() {
        let producers = PartitionProducers()
        producers.add(batch(0), at: 0, timestamp: 0, wall: 0)
        producers.close(at: 1, synced: 0)
        producers.add(batch(1), at: 1, timestamp: 0, wall: 0)
        #expect(producers.changes(through: 0) == nil)
        #expect(producers.changes(through: 1)?[7]?.batches.count == 1)
        producers.recorded(through: 1)
        #expect(producers.changes(through: 1) == nil)
        producers.close(at: 2, synced: 1)
        #expect(producers.changes(through: 2)?[7]?.batches.count == 2)
    }

    @Test func `what was not recorded comes with the next, and copies do not add up`() {
        let producers = PartitionProducers()
        for number in 0..<100 {
            producers.add(batch(0, id: Int64(number)), at: Int64(number), timestamp: 0, wall: 0)
            producers.close(at: Int64(number + 1), synced: Int64(number))
        }
        #expect(producers.copies <= 2)
        #expect(producers.changes(through: 100)?.count == 100)
    }

    @Test func `producer ids are those of recorded blocks`() {
        var ids = ProducerIDs(end: 5000)
        #expect(ids.take() == nil)
        #expect(ids.ask() == 6000)
        #expect(ids.take() == nil)
        ids.recorded(6000)
        let given = (0..<1000).map { _ in ids.take() }
        #expect(given.first == 5000 && given.last == 5999)
        #expect(ids.take() == nil)
        // One that could not be recorded is part of the next.
        #expect(ids.ask() == 7000)
        #expect(ids.ask() == 8000)
        ids.recorded(8000)
        #expect(ids.take() == 6000)
        var last = ProducerIDs(end: .max - 999)
        #expect(last.ask() == nil)
    }
}
