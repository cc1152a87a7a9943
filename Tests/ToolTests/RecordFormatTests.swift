// Formats: what is read, what is refused, and that printing and reading are each other's inverse.

#if Tool
import Foundation
import Sluice
import SluiceLog
import Testing

@testable import sluice_tool

@Suite struct RecordFormatTests {
    @Test func `fields, escapes and literals are told apart`() throws {
        #expect(try RecordFormat(#"%v\n"#).pieces == [.field(.value), .literal([10])])
        #expect(
            try RecordFormat(#"%t %p\t%o%%\0%k\\%d\r%h"#).pieces == [
                .field(.topic), .literal([32]), .field(.partition), .literal([9]), .field(.offset),
                .literal([37, 0]), .field(.key), .literal([92]), .field(.timestamp), .literal([13]),
                .field(.headers),
            ])
        #expect(try RecordFormat("").pieces == [])
        #expect(try RecordFormat("ü\n").pieces == [.literal([0xC3, 0xBC, 10])])
    }

    @Test(arguments: ["%", "%x", "a%", "\\", "\\x", "%v\\", "%ü", "%V", "%\n"])
    func `what is no field and no escape is refused`(text: String) throws {
        #expect(throws: ToolError.self) { try RecordFormat(text) }
    }

    @Test func `a literal is shown as it is written`() throws {
        let text = #"a b\n\t\r\0\\%%"#
        guard case .literal(let bytes) = try RecordFormat(text).pieces.first else {
            return #expect(Bool(false))
        }
        #expect(RecordFormat.shown(bytes) == text)
    }

    @Test(arguments: [#"%v\n"#, #"%k\t%v\n"#, #"%k\0%v\0"#, #"%k=%v;;\n"#, #"<%k|%v>\n"#, #"%p %d %k\t%v\n"#])
    func `what a format prints it reads back`(text: String) throws {
        let format = try RecordFormat(text)
        var random = TestRandom(seed: 7)
        for _ in 0..<50 {
            let records = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                (key: random.letters(upTo: 6), value: random.letters(upTo: 40))
            }
            var printed = TextBuffer(capacity: 16)
            for record in records {
                let (key, value) = (ByteBuffer(record.key.utf8), ByteBuffer(record.value.utf8))
                let place = RecordPlace(topic: "t", partition: 3, offset: 1, timestamp: 1_385_254_800_000)
                format.print(place, key: key.bytes, value: value.bytes, headers: [], into: &printed)
            }
            let found = try split(Array(printed.string.utf8), format, chunks: &random)
            #expect(found.map(\.value) == records.map(\.value))
            if format.contains(.key) { #expect(found.map(\.key) == records.map(\.key)) }
            if format.contains(.partition) { #expect(found.allSatisfy { $0.extras.partition == 3 }) }
        }
    }
}

@Suite struct RecordSplitterTests {
    /// The simple form: lines of a text, each cut at its first tab.
    @Test func `lines with keys are cut as String cuts them, wherever the chunks end`() throws {
        let format = try RecordFormat(#"%k\t%v\n"#)
        var random = TestRandom(seed: 11)
        for _ in 0..<200 {
            let lines = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                random.letters(upTo: 3) + "\t" + random.letters(upTo: 9)
                    + (Bool.random(using: &random) ? "\tx" : "")
            }
            let text = lines.joined(separator: "\n") + (Bool.random(using: &random) ? "\n" : "")
            let found = try split(Array(text.utf8), format, chunks: &random)
            let expected = lines.map {
                $0.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
            }
            #expect(found.map(\.key) == expected.map { String($0[0]) })
            #expect(found.map(\.value) == expected.map { String($0[1]) })
        }
    }

    @Test func `boundaries: empty input, empty records, a last record without its end`() throws {
        #expect(try values("", #"%v\n"#) == [])
        #expect(try values("\n", #"%v\n"#) == [""])
        #expect(try values("\n\na", #"%v\n"#) == ["", "", "a"])
        #expect(try values("a\nb", #"%v\n"#) == ["a", "b"])
        #expect(try values("a\r\nb\r", #"%v\r\n"#) == ["a", "b\r"])
        #expect(try values("a\0b\nc\0", #"%v\0"#) == ["a", "b\nc"])
        #expect(try values("a\nb\n", "%v") == ["a\nb\n"])
        #expect(try values("", "%v") == [])
        #expect(try values("a;b;;c;;", "%v;;") == ["a;b", "c"])
    }

    @Test func `an empty key is no missing key, and a key alone has no value`() throws {
        var random = TestRandom(seed: 1)
        let found = try split(Array("\ta\n\t\n".utf8), try RecordFormat(#"%k\t%v\n"#), chunks: &random)
        #expect(found.map(\.key) == ["", ""])
        #expect(found.map(\.value) == ["a", ""])
        let keys = try split(Array("a\nb\n".utf8), try RecordFormat(#"%k\n"#), chunks: &random)
        #expect(keys.map(\.key) == ["a", "b"])
        #expect(keys.allSatisfy { $0.value == nil })
    }

    @Test(arguments: [
        ("a\tb\nno tab\nc\td\n", 2), ("no tab", 1), ("no tab\n", 1), ("a\tb\n\n", 2), ("a\tb\nlast", 2),
    ])
    func `a line without its separator is an error that names the line`(text: String, line: Int) throws {
        for size in [1, 3, 100] {
            var error: ToolError?
            do throws(ToolError) {
                _ = try split(Array(text.utf8), try RecordFormat(#"%k\t%v\n"#), chunkBytes: { size })
            } catch let thrown {
                error = thrown
            }
            guard case .failed(let message) = error else {
                Issue.record("no error")
                continue
            }
            #expect(message.hasPrefix("Line \(line) "), "\(message)")
        }
    }

    @Test(arguments: ["%k%v", #"%t\t%v\n"#, #"%o %v\n"#, #"%v\n%v\n"#, #"\n"#, "", #"%h\n"#, #"%p\n"#])
    func `formats that cannot be read back are refused`(text: String) {
        #expect(throws: ToolError.self) { _ = try RecordSplitter(try RecordFormat(text)) }
    }

    @Test func `partition, timestamp and headers are read, and nonsense in them is refused`() throws {
        var random = TestRandom(seed: 3)
        let format = try RecordFormat(#"%p %d %h %v\n"#)
        let found = try split(Array("2 77 a=1,b v\n".utf8), format, chunks: &random)
        #expect(found.count == 1)
        #expect(found[0].extras.partition == 2)
        #expect(found[0].extras.timestamp?.millisecondsSince1970 == 77)
        #expect(
            found[0].extras.headers == [
                RecordHeader(key: "a", value: [0x31]), RecordHeader(key: "b", value: nil),
            ])
        for line in ["x 77 a=1 v\n", "2 x a=1 v\n", "2 77 a\\ v\n", "99999999999999999999 1 a v\n"] {
            #expect(throws: ToolError.self) { _ = try split(Array(line.utf8), format, chunkBytes: { 100 }) }
        }
    }

    private func values(_ text: String, _ format: String) throws -> [String?] {
        for size in 1...4 {
            let one = try split(Array(text.utf8), try RecordFormat(format), chunkBytes: { size }).map(\.value)
            let all = try split(Array(text.utf8), try RecordFormat(format), chunkBytes: { 1000 }).map(\.value)
            #expect(one == all)
        }
        return try split(Array(text.utf8), try RecordFormat(format), chunkBytes: { 1000 }).map(\.value)
    }
}

/// A record that was found.
struct FoundRecord {
    var key: String?
    var value: String?
    var extras: RecordExtras
}

/// All records of `input`, which comes in chunks of random sizes.
func split(
    _ input: [UInt8], _ format: RecordFormat, chunks random: inout TestRandom
) throws(ToolError) -> [FoundRecord] {
    var random = random
    defer { random.state &+= 1 }
    return try split(input, format) { Int.random(in: 1...17, using: &random) }
}

/// All records of `input`, as `ProduceSession` goes through it: the rest of one chunk comes again before the
/// next.
func split(
    _ input: [UInt8], _ format: RecordFormat, chunkBytes: () -> Int
) throws(ToolError) -> [FoundRecord] {
    var splitter = try RecordSplitter(format)
    var found: [FoundRecord] = []
    var (pending, rest): ([UInt8], ArraySlice<UInt8>) = ([], input[...])
    while true {
        let isLast = rest.isEmpty
        let chunk = rest.prefix(chunkBytes())
        pending += chunk
        rest = rest.dropFirst(chunk.count)
        let buffer = ByteBuffer(pending)
        let bytes = buffer.bytes
        var position = 0
        while let next = try splitter.next(in: bytes, from: position, isLast: isLast) {
            found.append(
                FoundRecord(
                    key: splitter.key.map { String(decoding: pending[$0], as: UTF8.self) },
                    value: splitter.value.map { String(decoding: pending[$0], as: UTF8.self) },
                    extras: try splitter.extras(in: bytes)))
            position = next
        }
        pending.removeFirst(position)
        if isLast { return found }
    }
}

/// A small generator with a seed.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func letters(upTo count: Int) -> String {
        String(
            (0..<Int.random(in: 0...count, using: &self)).map { _ in
                "abcü€ .".randomElement(using: &self)!
            })
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }
}
#endif
