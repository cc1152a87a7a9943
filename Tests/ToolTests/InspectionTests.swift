// `segment dump` and `verify` on what is whole, torn and damaged. Neither changes a byte.

#if Tool
import Foundation
import Testing

@Suite struct InspectionTests {
    /// A store with one partition of some twenty batches of ten records, its segment, and where the batches
    /// begin.
    private func made() throws -> (Tool, segment: String, batches: [Int]) {
        let tool = try Tool()
        try tool.create("a", "-c", "max.message.bytes=1024", "-c", "index.interval.bytes=1000")
        let input = (0..<200).map { "record \($0) " + String(repeating: "x", count: 60) + "\n" }.joined()
        try tool.expect("topic", "produce", "a", "-k", "key", "-z", "none", input: input)
        let segment = try #require(try tool.segments("a-0").first)
        let lines = try tool.expect("segment", "dump", segment).lines.dropLast()
        return (tool, segment, lines.compactMap { Int($0.split(separator: " ")[1]) })
    }

    @Test func `a whole segment is dumped batch by batch, with its records`() throws {
        let (tool, segment, batches) = try made()
        #expect(batches.count > 15 && batches[0] == 0)
        let lines = try tool.expect("segment", "dump", segment).lines
        #expect(lines[0].hasPrefix("position: 0 offsets: 0-") && lines[0].hasSuffix(" ok"))
        #expect(lines.last?.hasPrefix("\(batches.count) batches, 200 records, next offset 200, ") == true)
        let records = try tool.expect("segment", "dump", segment, "--records").lines
        #expect(records.count == batches.count + 200 + 1)
        #expect(
            records[4].contains(#""offset":3,"#) && records[4].contains(#""key":"key","value":"record 3 x"#))
        #expect(try tool.expect("verify", "--deep").text.contains("ok: nothing acknowledged is damaged"))
    }

    @Test func `manifest, journal and indexes are dumped`() throws {
        let (tool, segment, _) = try made()
        try tool.expect("topic", "create", "durable")
        try tool.expect("topic", "produce", "durable", input: "x\n")
        for folder in ["manifest", "journal"] {
            let directory = tool.scratch.store + "/" + folder
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            let dumps = try names.map { try tool.expect("segment", "dump", directory + "/" + $0).text }
            #expect(
                dumps.contains { $0.contains(folder == "manifest" ? "topicCreated" : "offsets 0-0 at 0") })
        }
        let stem = segment.dropLast(4)
        let offsets = try tool.expect("segment", "dump", stem + ".index").lines
        #expect(offsets.count > 5 && offsets.dropLast().allSatisfy { $0.hasPrefix("offset: ") })
        #expect(try tool.expect("segment", "dump", stem + ".timeindex").text.contains(" entries"))
    }

    @Test func `a torn tail is a note`() throws {
        let (tool, segment, _) = try made()
        let whole = try Data(contentsOf: URL(filePath: segment))
        try (whole + whole.prefix(30)).write(to: URL(filePath: segment))
        let dump = try tool.run("segment", "dump", segment)
        #expect(dump.status == 0)
        #expect(dump.text.contains("note: 30 bytes at \(whole.count) are not a whole batch"))
        let verified = try tool.run("verify", "--deep")
        #expect(verified.status == 0 && verified.text.contains("note: torn"), "\(verified.text)")
        #expect(try Data(contentsOf: URL(filePath: segment)).count == whole.count + 30)
    }

    @Test func `a flipped bit is damage, wherever it is`() throws {
        let (tool, segment, batches) = try made()
        let whole = try Data(contentsOf: URL(filePath: segment))
        // The fields of a header, bytes of the records, of a batch within and of the last.
        for batch in [batches[7], batches[batches.count - 1]] {
            for inside in [0, 7, 8, 11, 16, 17, 20, 21, 22, 23, 27, 35, 43, 51, 53, 57, 60, 61, 70, 200] {
                var changed = whole
                changed[batch + inside] ^= 0x04
                try changed.write(to: URL(filePath: segment))
                // A file alone does not show that an offset is wrong, nor that its last batch was once
                // acknowledged.
                if inside >= 8, batch == batches[7] {
                    let dump = try tool.run("segment", "dump", segment)
                    #expect(dump.status == 1, "\(batch) \(inside)")
                }
                let verified = try tool.run("verify", "--deep")
                #expect(verified.status == 1, "\(batch) \(inside): \(verified.text)")
                #expect(try Data(contentsOf: URL(filePath: segment)) == changed)
            }
        }
    }
}
#endif
