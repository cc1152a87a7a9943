// A queue of messages out of a commit whose metadata is anything: what is read is written and read again, and
// whatever then happens to the messages still fits a commit.
//
// Behind the first byte an input is the metadata itself, or the bytes of the window in it.

@testable import SluiceCore
@testable import SluiceLog

enum MessagesTarget {
    static let base: Int64 = 1_000

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let rest = [UInt8](bytes.dropFirst())
        let text = (bytes.first ?? 0) % 2 == 0 ? rest : Array(StoredWindow.prefix.utf8) + Base64.encode(rest)
        let metadata = String(decoding: text, as: UTF8.self)
        let window = StoredWindow(base: base, metadata: metadata)
        try require(window.base == base, "a window begins elsewhere")
        try require(
            window.entries.allSatisfy { $0.offset < window.end }, "a record is behind the end of its window")
        let again = window.metadata
        if again.utf8.count <= GroupLimits.metadataBytes {
            try require(StoredWindow(base: base, metadata: again) == window, "a window is not read back")
        }
        try work(StoredPosition(offset: base, metadata: metadata))
    }

    /// Holders take all there is, and end it in each way.
    private static func work(_ stored: StoredPosition) throws(FuzzFailure) {
        var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1)
        var machine = MessageMachine()
        machine.open(stored, start: 0, now: now)
        for _ in 0..<6 {
            while machine.room(0) > 0, machine.next(0) < .max - 64 {
                machine.take(MessageKey(partition: 0, offset: machine.next(0) + 1))
            }
            while let key = machine.recall() { _ = machine.recalled(key) }
            try commit(&machine, now)
            var number = 0
            while let lease = machine.hand(now: now) {
                number += 1
                do throws(MessageRefusal) {
                    let delay = Int64(number) * 100_000
                    switch number % 4 {
                    case 0: _ = try machine.accept(lease)
                    case 1: _ = try machine.release(lease, after: delay, now: now)
                    case 2: _ = try machine.reject(lease, reason: "never")
                    default: try machine.extend(lease, by: delay, now: now)
                    }
                } catch {
                    throw FuzzFailure(description: "\(lease.key) was given out, and is refused")
                }
            }
            try commit(&machine, now)
            now.wallMilliseconds += 10_000_000
            now.monotonicNanoseconds += 10_000_000_000_000
            machine.advance(to: now)
        }
    }

    private static func commit(_ machine: inout MessageMachine, _ now: Instant) throws(FuzzFailure) {
        guard let commit = machine.commit(burying: machine.takeDying().map(\.key), now: now) else { return }
        for part in commit.parts {
            let position = part.position
            try require(position.metadata.utf8.count <= GroupLimits.metadataBytes, "a window does not fit")
            let window = StoredWindow(base: position.offset, metadata: position.metadata)
            try require(window.metadata == position.metadata, "a window that was written is not read")
        }
        machine.committed(commit)
    }
}
