// Records in through the command line and out again: every form, every offset, every timestamp.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct StreamingTests {
    @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func `bytes come back as they went in, with every codec`(codec: String) throws {
        let tool = try Tool()
        try tool.create("a", "-p", "3")
        var random = TestRandom(seed: 21)
        let records = (0..<2000).map { _ in random.bytes(upTo: 300).map { $0 == 0 ? 1 : $0 } }
        let input = Data(records.joined(separator: [0]))
        let produced = try tool.run(
            "topic", "produce", "a", "-f", "%v\\0", "-p", "1", "-z", codec, input: input)
        #expect(produced.status == 0, "\(produced.errors)")
        let output = try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\0").output
        #expect(output == input + [0])
    }

    @Test func `json has bytes in base64, null as null, and headers`() throws {
        let tool = try Tool()
        try tool.create("a")
        try tool.expect("topic", "produce", "a", input: "no key\n")
        #expect(
            try tool.run("topic", "produce", "a", "-k", "", "-f", "%v\\n", input: Data([0xFF, 10])).status
                == 0)
        try tool.expect("topic", "produce", "a", "-f", "%k %h %v\\n", input: "k h=1,n v\n")
        try tool.expect("topic", "produce", "a", "-f", "%k\\n", input: "tombstone\n")
        try tool.expect("topic", "produce", "a", "-f", "%d %v\\n", input: "77 timed\n")
        let lines = try tool.expect("topic", "consume", "a", "-e").lines
        let objects = try lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(objects.count == 5)
        #expect(objects[0]["key"] is NSNull && objects[0]["value"] as? String == "no key")
        #expect(objects[1]["key"] as? String == "" && objects[1]["value_base64"] as? String == "/w==")
        #expect(objects[1]["value"] == nil)
        let headers = try #require(objects[2]["headers"] as? [[String: Any]])
        #expect(headers.map { $0["key"] as? String } == ["h", "n"])
        #expect(headers[0]["value"] as? String == "1" && headers[1]["value"] is NSNull)
        #expect(objects[3]["value"] is NSNull && objects[3]["key"] as? String == "tombstone")
        #expect(objects[4]["timestamp"] as? Int == 77)
        #expect(objects.map { $0["offset"] as? Int } == [0, 1, 2, 3, 4])
        #expect(lines[0].hasPrefix("{\"topic\":\"a\",\"partition\":0,\"offset\":0,\"timestamp\":"))
    }

    @Test func `reading begins at every offset and timestamp`() throws {
        let tool = try Tool()
        try tool.create("a", "-c", "segment.bytes=4096", "-c", "index.interval.bytes=100")
        // Ten appends, so that there are several batches; times rise by ten.
        for part in 0..<10 {
            let lines = (0..<30).map {
                "\(1000 + 10 * (part * 30 + $0)) record-\(part * 30 + $0)-"
                    + String(repeating: "x", count: 40)
            }
            try tool.expect(
                "topic", "produce", "a", "-z", "none", "-f", "%d %v\\n", input: lines.joined(separator: "\n"))
        }
        #expect(try tool.segments("a-0").count > 2)
        for first in stride(from: 0, through: 300, by: 23) + [299, 300] {
            let offsets = try tool.expect("topic", "consume", "a", "-e", "-o", "\(first)", "-f", "%o\\n")
                .lines
            #expect(offsets == (first..<300).map(String.init))
            let time = 1000 + 10 * first - 3
            let timed = try tool.expect("topic", "consume", "a", "-e", "-o", "@\(time)", "-f", "%o\\n").lines
            #expect(timed == (first..<300).map(String.init))
        }
        #expect(
            try tool.expect("topic", "consume", "a", "-o", "17", "-n", "3", "-f", "%o %d\\n").text
                == "17 1170\n18 1180\n19 1190\n")
        #expect(try tool.expect("topic", "consume", "a", "-e", "-o", "end").text == "")
        #expect(
            try tool.expect("topic", "consume", "a", "-e", "-o", "@1970-01-01T00:00:03.990Z", "-f", "%o\\n")
                .text == "299\n")
        #expect(try tool.expect("topic", "consume", "a", "-n", "0").text == "")
    }

    @Test func `keys keep to their partition and their order, over several topics`() throws {
        let tool = try Tool()
        for topic in ["a", "b"] {
            try tool.create(topic, "-p", "4")
            let lines = (0..<3000).map { "key-\($0 % 7)\t\($0)" }
            let receipts = try tool.expect(
                "topic", "produce", topic, "-f", "%k\\t%v\\n", "-o", "%p %o\\n",
                input: lines.joined(separator: "\n"))
            // For each partition the offsets of the receipts rise by one.
            var next: [String: Int] = [:]
            for receipt in receipts.lines {
                let parts = receipt.split(separator: " ")
                #expect(next[String(parts[0]), default: 0] == Int(parts[1]))
                next[String(parts[0]), default: 0] += 1
            }
            #expect(receipts.lines.count == 3000)
        }
        let lines = try tool.expect("topic", "consume", "a", "b", "-e", "-f", "%t %p %k %v\\n").lines
        #expect(lines.count == 6000)
        var partitions: [String: Set<String>] = [:]
        var last: [String: Int] = [:]
        for line in lines {
            let parts = line.split(separator: " ").map(String.init)
            partitions[parts[0] + parts[2], default: []].insert(parts[1])
            let value = try #require(Int(parts[3]))
            #expect(last[parts[0] + parts[2], default: -1] < value)
            last[parts[0] + parts[2]] = value
        }
        #expect(partitions.count == 14 && partitions.values.allSatisfy { $0.count == 1 })
        #expect(
            try tool.expect("topic", "consume", "a", "-p", "0", "-e", "-f", "%p\\n").lines.allSatisfy {
                $0 == "0"
            })
    }

    @Test(arguments: ["durable", "written", "none"])
    func `every level of acknowledgement keeps everything`(acks: String) throws {
        let tool = try Tool()
        try tool.create("a")
        let input = (0..<5000).map { "line \($0)\n" }.joined()
        try tool.expect("topic", "produce", "a", "--acks", acks, input: input)
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == input)
    }

    @Test func `a record larger than the buffer, and one of nothing`() throws {
        let tool = try Tool()
        try tool.create("a", "-c", "max.message.bytes=8388608")
        let large = String(repeating: "abcdefgh", count: 400_000)
        try tool.expect("topic", "produce", "a", "-z", "lz4", input: "small\n\(large)\n\nlast")
        let output = try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text
        #expect(output == "small\n\(large)\n\nlast\n")
        try tool.expect("topic", "produce", "a", "-f", "%v", input: "the\nwhole\ninput\n")
        #expect(
            try tool.expect("topic", "consume", "a", "-o", "4", "-e", "-f", "%v;").text
                == "the\nwhole\ninput\n;")
        try tool.expect("topic", "produce", "a", input: "")
    }

    @Test func `a receipt shows topic, partition, offset and time`() throws {
        let tool = try Tool()
        try tool.create("a")
        let given = try tool.expect(
            "topic", "produce", "a", "-f", "%d %v\\n", "-o", "%t/%p/%o/%d\\n", input: "5 x\n6 y\n")
        #expect(given.text == "a/0/0/5\na/0/1/6\n")
        let receipt = try tool.expect("topic", "produce", "a", "-o", "%d", input: "z").text
        #expect(try tool.expect("topic", "consume", "a", "-o", "2", "-e", "-f", "%d").text == receipt)
    }
}
#endif
