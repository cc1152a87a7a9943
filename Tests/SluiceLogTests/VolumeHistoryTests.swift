// Every short history of a store. SLUICE_HISTORY runs one: what a violation prints.
//
// SLUICE_HISTORY_LENGTH says how many operations a history has at most. Without it: optimised every second
// pair of operations, each once first and once second to half of the others; in debug single ones.

import Foundation
import SluiceTesting
import Testing

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite struct VolumeHistoryTests {
    static let environment = ProcessInfo.processInfo.environment

    #if DEBUG
    static let usualLength = 1
    #else
    static let usualLength = 2
    #endif
    static var length: Int { environment["SLUICE_HISTORY_LENGTH"].flatMap(Int.init) ?? usualLength }

    /// Runs a history; nil when it broke an invariant, which is reported.
    private func run(_ history: VolumeHistory) -> VolumeHistory.Outcome? {
        do {
            return try history.run()
        } catch {
            Issue.record(error)
            return nil
        }
    }

    /// What of so many things survives. There are many histories of three operations: of each the first two
    /// things, and all.
    private func parts(of count: Int, _ length: Int) -> [UInt64] {
        length < 3 ? VolumeHistory.subsets(of: count) : VolumeHistory.subsets(of: min(count, 2)) + [.max]
    }

    private func isTaken(_ index: Int, after steps: [HistoryStep]) -> Bool {
        guard !Self.isLong, let last = steps.last, let before = HistoryStep.allCases.firstIndex(of: last)
        else {
            return true
        }
        return (index + before).isMultiple(of: 2)
    }

    /// All histories that go on after some steps, every end of each. Returns how many, and how many ended in
    /// their last step; stops at the third that breaks an invariant.
    private func runAll(
        after steps: [HistoryStep], length: Int, failures: inout Int
    ) -> (histories: Int, crashes: Int) {
        var counts = (histories: 0, crashes: 0)
        for (index, next) in HistoryStep.allCases.enumerated() where isTaken(index, after: steps) {
            let steps = steps + [next]
            var calls = 0
            while true {
                var history = VolumeHistory(steps, crashAfterCalls: calls)
                counts.histories += 1
                guard let outcome = run(history) else {
                    failures += 1
                    if failures >= 3 { return counts }
                    break
                }
                guard outcome.hasCrashed || next == .end else { break }
                counts.crashes += outcome.hasCrashed ? 1 : 0
                // What nothing and everything leave; then the rest, since now their number is known.
                history.end = .powerLoss(keeping: 0)
                counts.histories += 1
                guard let first = run(history) else {
                    failures += 1
                    if failures >= 3 { return counts }
                    break
                }
                for bits in parts(of: first.unsyncedCount, steps.count) where bits != 0 {
                    history.end = .powerLoss(keeping: bits)
                    counts.histories += 1
                    if run(history) == nil { failures += 1 }
                    if failures >= 3 { return counts }
                }
                guard outcome.hasCrashed else { break }
                calls += 1
            }
            if steps.count < length {
                let more = runAll(after: steps, length: length, failures: &failures)
                counts.histories += more.histories
                counts.crashes += more.crashes
            }
        }
        return counts
    }

    @Test(.enabled(if: environment["SLUICE_HISTORY"] == nil && length > 1), arguments: HistoryStep.allCases)
    func `every history that begins like this keeps what was acknowledged, wherever it ends`(
        first: HistoryStep
    ) {
        var failures = 0
        let counts = runAll(after: [first], length: Self.length, failures: &failures)
        print("\(first): \(counts.histories) histories, \(counts.crashes) places to end")
        #expect(counts.crashes > 10)
    }

    @Test(.disabled(if: environment["SLUICE_HISTORY"] != nil))
    func `every history of one operation keeps what was acknowledged, wherever it ends`() {
        var failures = 0
        let counts = runAll(after: [], length: 1, failures: &failures)
        print("\(counts.histories) histories of one operation, \(counts.crashes) places to end")
        #expect(counts.crashes > 40)
    }

    private static let isLong = environment["SLUICE_HISTORY_LENGTH"] != nil

    /// What an opening has most to do after. With SLUICE_HISTORY_LENGTH all that there is, and of what the
    /// opening has not synced every part; without, nothing, the first, the second, and all.
    private static let endedTwice: [[HistoryStep]] = {
        let few: [[HistoryStep]] = [
            [.appendWritten], [.appendDirect], [.appendAtomic], [.appendKeys, .compact], [.deleteTopic],
            [.end],
        ]
        guard isLong else { return usualLength > 1 ? few : [] }
        return few + HistoryStep.allCases.map { [$0] } + HistoryStep.allCases.map { [.append, $0] }
    }()

    @Test(.enabled(if: environment["SLUICE_HISTORY"] == nil), arguments: endedTwice)
    func `an opening that is cut off, at whatever call, takes nothing from the next`(steps: [HistoryStep]) {
        var (histories, failures, calls) = (0, 0, 0)
        while failures < 3 {
            var history = VolumeHistory(steps, crashAfterCalls: calls)
            histories += 1
            guard let outcome = run(history) else { return }
            guard outcome.hasCrashed || steps.last == .end else { break }
            for end in [VolumeHistory.End.processDeath, .powerLoss(keeping: 0)] {
                history.end = end
                histories += endAgain(history, failures: &failures)
            }
            guard outcome.hasCrashed else { break }
            calls += 1
        }
        print("\(steps.map(\.rawValue).joined(separator: ",")): \(histories) histories, ended twice")
        // Of the long list some do nothing to a store that is new.
        #expect(Self.isLong || histories > 20)
    }

    /// A history whose end is followed by another one at each call of the opening. Returns how many.
    private func endAgain(_ history: VolumeHistory, failures: inout Int) -> Int {
        var history = history
        var histories = 0
        for calls in 0... {
            guard failures < 3 else { break }
            history.again = .init(afterCalls: calls, keeping: 0)
            histories += 1
            guard let outcome = run(history) else {
                failures += 1
                return histories
            }
            guard outcome.hasCrashedAgain else { return histories }
            let all = VolumeHistory.subsets(of: outcome.unsyncedCount)
            for bits in Self.isLong ? all : [1, 2, .max] where bits != 0 && failures < 3 {
                history.again = .init(afterCalls: calls, keeping: bits)
                histories += 1
                if run(history) == nil { failures += 1 }
            }
        }
        return histories
    }

    @Test(.enabled(if: environment["SLUICE_HISTORY"] != nil))
    func `the history that was asked for`() throws {
        let history = try #require(Self.environment["SLUICE_HISTORY"].flatMap(VolumeHistory.init))
        let isTraced = Self.environment["SLUICE_TRACE"] != nil
        print(try history.run(log: isTraced ? { print($0) } : nil))
    }

    @Test func `a history is read from its text`() {
        let fault = Fault(.sync, errno: EIO, .call(7), isPermanent: true)
        let ended = VolumeHistory(
            [.append], crashAfterCalls: 1, again: .init(afterCalls: 4, keeping: 3))
        for history in [
            VolumeHistory([.append]), VolumeHistory([.append, .close], crashAfterCalls: 3),
            VolumeHistory([.end], crashAfterCalls: 0, end: .powerLoss(keeping: .max)),
            VolumeHistory([.compact], fault: fault), ended,
        ] {
            #expect(VolumeHistory("\(history)") == history)
        }
        for text in [
            "", "append,appendd", "append crash", "append crash=x", "append fault=fsync:5:1",
            "append again=3",
        ] {
            #expect(VolumeHistory(text) == nil)
        }
    }

    @Test func `the subsets of few things are all of them, of many the first, the last and each`() {
        #expect(VolumeHistory.subsets(of: 0) == [0])
        #expect(VolumeHistory.subsets(of: 3) == Array(0..<8))
        #expect(VolumeHistory.subsets(of: 5).contains(0b00111))
        #expect(VolumeHistory.subsets(of: 99).count < 40)
    }

    // MARK: The n-th call fails

    /// Everything once, and things that follow from others.
    static let long: [HistoryStep] = [
        .append, .appendWritten, .appendTwice, .appendDirect, .appendRolling, .appendAtomic, .appendKeys,
        .createTopic, .wait, .addPartitions, .configure, .appendKeys, .compact, .deleteRecords, .retain,
        .append, .appendWritten, .deleteTopic, .close, .append, .appendAtomic, .wait, .appendRolling,
    ]

    /// What each call may fail with.
    static func errors(_ operation: FileOperation) -> [Int32] {
        switch operation {
        case .open: [EIO, ENOSPC, EMFILE, EACCES]
        case .write: [EIO, ENOSPC, EDQUOT, EFBIG]
        case .sync, .syncDirectory: [EIO, ENOSPC, EDQUOT]
        case .allocate: [EIO, ENOSPC, EOPNOTSUPP]
        case .makeDirectory, .rename, .link: [EIO, ENOSPC, EACCES]
        case .remove, .removeDirectory: [EIO, EACCES]
        case .read, .truncate, .size, .status, .list, .availableBytes, .lock: [EIO]
        // It has no error to its caller, or none that is one.
        case .close, .readNoWait: []
        }
    }

    @Test(
        .disabled(if: environment["SLUICE_HISTORY"] != nil || usualLength == 1),
        arguments: FileOperation.allCases.filter { !errors($0).isEmpty })
    func `whichever call fails, once or for ever, nothing acknowledged is lost`(
        operation: FileOperation
    ) throws {
        let count = try VolumeHistory(Self.long).run().calls[operation] ?? 0
        var (histories, failures) = (0, 0)
        for number in stride(from: 1, through: count, by: 1) {
            for errno in Self.errors(operation) {
                for isPermanent in [false, true] {
                    let fault = Fault(operation, errno: errno, .call(number), isPermanent: isPermanent)
                    // A machine that is closed at the end, and one that loses its power.
                    for steps in [Self.long, Self.long + [.end]] {
                        let end = VolumeHistory.End.powerLoss(keeping: 0)
                        histories += 1
                        if run(VolumeHistory(steps, end: end, fault: fault)) == nil { failures += 1 }
                        if failures >= 3 { return }
                    }
                }
            }
        }
        print("\(operation.rawValue): \(count) calls, \(histories) histories")
    }
}
