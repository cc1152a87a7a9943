// The structures below a queue of tasks, each beside a plain one.

@testable import SluiceCore
import SluiceTesting
import Testing

@Suite struct TaskTimersTests {
    @Test func `timers are what a sorted array is`() {
        var random = SeededRandom(seed: 5)
        var timers = TaskTimers()
        var plain: [UInt32: (kind: TimerKind, time: Int64)] = [:]
        for step in 0..<20_000 {
            let slot = UInt32(random.below(300))
            if random.chance(0.3) {
                timers.cancel(slot)
                plain[slot] = nil
            } else {
                let kind = random.pick(TimerKind.allCases)
                let time = Int64(random.below(1_000)) - 500
                timers.set(slot, kind, time)
                plain[slot] = (kind, time)
            }
            guard step % 50 == 0 else { continue }
            for kind in TimerKind.allCases {
                let mine = plain.filter { $0.value.kind == kind }
                #expect(timers.count(kind) == mine.count)
                #expect(timers.next(kind) == mine.values.map(\.time).min())
                if let first = timers.first(kind) { #expect(mine[first]?.time == timers.next(kind)) }
            }
            #expect(timers.time(slot, plain[slot]?.kind ?? .wall) == plain[slot]?.time)
        }
    }

    @Test func `timers come in the order of their times`() {
        var random = SeededRandom(seed: 6)
        var timers = TaskTimers()
        for slot in 0..<5_000 { timers.set(UInt32(slot), .wall, Int64(random.below(100_000))) }
        var last = Int64.min
        while let time = timers.next(.wall), let slot = timers.first(.wall) {
            #expect(time >= last)
            last = time
            timers.cancel(slot)
        }
        #expect(timers.count(.wall) == 0)
    }

    @Test func `a table of slots is what a dictionary is`() {
        var random = SeededRandom(seed: 7)
        var table = SlotTable()
        var sequences: [UInt64] = []
        var plain: [UInt64: UInt32] = [:]
        for _ in 0..<20_000 {
            let sequence = UInt64(random.below(600)) * (random.chance(0.5) ? 1 : 1 << 40) + 1
            if let slot = plain[sequence] {
                #expect(table.find(sequence) { sequences[Int($0)] } == slot)
                if random.chance(0.5) {
                    table.remove(sequence) { sequences[Int($0)] }
                    plain[sequence] = nil
                }
            } else {
                #expect(table.find(sequence) { sequences[Int($0)] } == nil)
                sequences.append(sequence)
                table.insert(sequence, UInt32(sequences.count - 1)) { sequences[Int($0)] }
                plain[sequence] = UInt32(sequences.count - 1)
            }
            #expect(table.count == plain.count)
        }
        for (sequence, slot) in plain { #expect(table.find(sequence) { sequences[Int($0)] } == slot) }
    }

    @Test func `what is stale in a heap of ready tasks goes when it is half of it`() {
        var heap = ReadyHeap()
        for sequence in 1...1_000 {
            heap.push(.init(key: ReadyKey(priority: 4, sequence: UInt64(sequence)), slot: UInt32(sequence)))
        }
        for _ in 1...600 where heap.noteStale() { heap.removeStale { $0.slot > 600 } }
        #expect(heap.first?.slot == 601)
        var count = 0
        while !heap.isEmpty {
            heap.removeFirst()
            count += 1
        }
        #expect(count == 400)
    }

    @Test(arguments: TaskState.allCases)
    func `each state and event is in the table once, and a final state is left by a redrive alone`(
        _ state: TaskState
    ) {
        for event in TaskEvent.allCases {
            let rows = TaskState.transitions.filter { $0.event == event && $0.from.contains(state) }
            #expect(rows.count <= 1)
            #expect(state.after(event) == rows.first?.to)
            if state.isFinal, state.after(event) != nil { #expect(event == .redrive) }
        }
    }
}
