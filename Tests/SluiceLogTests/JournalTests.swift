// The journal: where frames go, and when a file may be used again; in a store too.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct JournalTests {
    private func journal(files: Int) -> Journal {
        var journal = Journal(nextSequence: 1, bytes: 4096)
        for number in 0..<files {
            journal.files.append(JournalFile(number: number, file: FileID(rawValue: Int32(number))))
        }
        return journal
    }

    @Test func `an entry takes as many bytes as it says, and is read as it was written`() throws {
        let entry = JournalEntry(
            key: PartitionKey(topic: UniqueID(high: 1, low: 2), partition: 3), segmentBase: 4, baseOffset: 5,
            nextOffset: 6, position: 7, length: 8)
        var writer = BinaryWriter()
        entry.encode(into: &writer)
        #expect(writer.bytes.count == JournalEntry.bytes)
        var reader = BinaryReader(writer.bytes[...])
        #expect(try JournalEntry(from: &reader) == entry)
    }

    @Test func `a frame is padded to sectors`() {
        #expect(Journal.frameSize(entries: 1, bytes: 1) == 512)
        let exact = 512 - FrameLayout.headerBytes - 4 - JournalEntry.bytes
        #expect(Journal.frameSize(entries: 1, bytes: exact) == 512)
        #expect(Journal.frameSize(entries: 1, bytes: exact + 1) == 1024)
    }

    @Test func `without a file there is no room, and one is wanted`() {
        var journal = journal(files: 0)
        #expect(journal.makeRoom(512) == nil)
        #expect(journal.isFileWanted)
    }

    @Test func `a full file is left for one that nobody needs`() {
        var journal = journal(files: 2)
        #expect(journal.makeRoom(4096) == true)
        journal.files[0].position = 4096
        journal.files[0].coverage = [7: 100]
        #expect(journal.makeRoom(512) == true && journal.current == 1)
        journal.files[1].position = 4096
        journal.files[1].coverage = [8: 50]
        #expect(journal.makeRoom(512) == nil && journal.isFileWanted)
        #expect(journal.holders == [7])
        journal.release(7, through: 99)
        #expect(journal.makeRoom(512) == nil)
        journal.release(7, through: 100)
        #expect(journal.makeRoom(512) == true && journal.current == 0)
        #expect(journal.files[0].position == 0)
    }

    @Test func `a partition that is gone needs nothing`() {
        var journal = journal(files: 1)
        journal.files[0].coverage = [7: 100, 8: 3]
        journal.forget(7)
        #expect(journal.files[0].coverage == [8: 3])
    }

    @Test func `a frame whose table is not ours to understand has no entries`() {
        let payload: [UInt8] = [0, 0, 0, 9, 1, 2, 3]
        let frame = Frame(sequence: 1, position: 0, payload: payload[...], end: 512)
        #expect(RecoveryPlanner.entries(of: frame).isEmpty)
    }

    @Test(arguments: [
        (0, 0, 0, Int64.max), (0, 0, 0, -1), (-1, 0, 0, 0), (5, 4, 6, 0), (0, 4, 3, 0),
    ])
    func `an entry that no log can have is malformed`(base: Int64, from: Int64, to: Int64, position: Int64) {
        let key = PartitionKey(topic: UniqueID(high: 1, low: 2), partition: 0)
        var writer = BinaryWriter()
        JournalEntry(
            key: key, segmentBase: base, baseOffset: from, nextOffset: to, position: position, length: 100
        ).encode(into: &writer)
        var reader = BinaryReader(writer.bytes[...])
        #expect(throws: MalformedRecord.self) { try JournalEntry(from: &reader) }
    }

    @Test func `the journal keeps what no sync has covered, however often it goes round`() throws {
        let store = TestStore {
            $0.journalBytes = 8 << 10
            $0.directBytes = 1 << 20
            $0.windowBytes = 4096
        }
        try store.open()
        try store.createTopic("t")
        try store.createTopic("u")
        let large = String(repeating: "x", count: 1200)
        #expect(try store.append([large], to: "t")?.offset == 0)
        // When the first file is full its partitions are synced; that this was done is recorded late.
        var record: IOJob?
        for _ in 0..<6 {
            let id = try store.submit([large], to: "u")
            while let job = store.take(.append) ?? store.take(.background) ?? store.take(.append) {
                if "\(job)".contains("point 0") { record = job } else { store.run(job) }
            }
            #expect(store.answers[id] != nil)
        }
        // Meanwhile something comes for the second file.
        #expect(try store.append(["small"], to: "t")?.offset == 1)
        store.run(try #require(record))
        store.drive()
        for _ in 0..<20 {
            #expect(try store.append([large], to: "u")?.offset != nil)
            store.drive()
        }
        #expect(store.done.count { $0.hasPrefix("commit") && $0.hasSuffix(" at 1:0") } > 1)
        store.opened = nil
        _ = store.files.powerLoss(keeping: 0)
        try store.open()
        #expect(try store.read("t") == [large, "small"])
        #expect(try store.read("u").count == 26)
    }
}
