// The small parts: moments, hashes, amounts, tables, arguments.

#if Tool
import Foundation
import Sluice
import SluiceLog
import Testing

@testable import sluice_tool

@Suite struct StartPositionTests {
    @Test(arguments: [
        ("start", Position.earliest), ("end", .latest), ("0", .offset(0)), ("17", .offset(17)),
        ("9223372036854775807", .offset(Offset(.max))),
        ("@0", .timestamp(Timestamp(millisecondsSince1970: 0))),
        ("@1385254800000", .timestamp(Timestamp(millisecondsSince1970: 1_385_254_800_000))),
        ("@2013-11-24T01:00:00Z", .timestamp(Timestamp(millisecondsSince1970: 1_385_254_800_000))),
        ("@2013-11-24T01:00:00.5Z", .timestamp(Timestamp(millisecondsSince1970: 1_385_254_800_500))),
        ("@1969-12-31T23:59:59.999Z", .timestamp(Timestamp(millisecondsSince1970: -1))),
    ])
    func `positions are read`(text: String, position: Position) {
        #expect(StartPosition.parse(text) == position)
    }

    @Test(arguments: [
        "", "-1", "+1", "1x", "@", "@-1", "Start", "9223372036854775808", "@2013-11-24",
        "@2013-11-24T01:00:00",
        "@2013-13-01T00:00:00Z", "@2013-02-29T00:00:00Z", "@2013-01-01T24:00:00Z", "@2013-01-01T00:00:60Z",
        "@2013-1-01T00:00:00Z", "@2013-01-01T00:00:00.Z", "@0000-01-01T00:00:00Z",
        "@2013-01-01T00:00:00+01:00",
    ])
    func `what is no position is refused`(text: String) {
        #expect(StartPosition.parse(text) == nil)
    }

    /// From 1583 on: before, Foundation counts by the Julian calendar, which ISO 8601 does not.
    @Test func `moments are those of Foundation`() throws {
        var random = TestRandom(seed: 12)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for _ in 0..<500 {
            let milliseconds = Int64.random(in: -12_200_000_000_000...250_000_000_000_000, using: &random)
            let text = Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(style)
            let found = try #require(StartPosition.milliseconds(ofISO: text), "\(text)")
            #expect(abs(found - milliseconds) <= 1, "\(text)")
        }
    }
}

@Suite struct SHA256Tests {
    /// FIPS 180-4's examples, and NIST's of a million letters.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func `the published examples`(text: String, hash: String) {
        var whole = SHA256()
        whole.update(ByteBuffer(text.utf8).bytes)
        #expect(whole.hexadecimal == hash)
    }

    @Test func `pieces hash as the whole does, and at every length`() {
        var random = TestRandom(seed: 13)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            var (whole, pieces) = (SHA256(), SHA256())
            whole.update(ByteBuffer(bytes).bytes)
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...70, using: &random))
                pieces.update(ByteBuffer(piece).bytes)
                _ = pieces.hexadecimal
                rest = rest.dropFirst(piece.count)
            }
            #expect(whole.hexadecimal == pieces.hexadecimal)
        }
    }
}

@Suite struct SmallPartsTests {
    @Test func `amounts are grouped and short`() {
        #expect(Amounts.grouped(0) == "0")
        #expect(Amounts.grouped(999) == "999")
        #expect(Amounts.grouped(1000) == "1,000")
        #expect(Amounts.grouped(-1_234_567) == "-1,234,567")
        #expect(Amounts.decimal(0) == "0.00")
        #expect(Amounts.decimal(9.994) == "9.99")
        #expect(Amounts.decimal(3.05) == "3.05")
        #expect(Amounts.decimal(10.04) == "10.0")
        #expect(Amounts.decimal(1234.56) == "1,234.6")
        #expect(Amounts.decimal(.infinity) == "–")
        #expect(Amounts.megabytes(101_250_000) == "101.3 MB")
    }

    @Test func `columns are as wide as their widest cell`() {
        var table = Table(["NAME", "N"])
        table.add(["a-long-name", "1"])
        table.add(["b", ""])
        #expect(table.text == "NAME         N\na-long-name  1\nb\n")
    }

    @Test func `a store may be named before the command`() {
        #expect(
            StoreOption.movedToTheEnd(["--store", "d", "topic", "list"]) == ["topic", "list", "--store", "d"])
        #expect(StoreOption.movedToTheEnd(["topic", "--store=d", "list"]) == ["topic", "list", "--store=d"])
        #expect(
            StoreOption.movedToTheEnd(["topic", "describe", "x", "--store", "d"])
                == ["topic", "describe", "x", "--store", "d"])
        #expect(StoreOption.movedToTheEnd(["--store"]) == ["--store"])
        #expect(StoreOption.movedToTheEnd([]) == [])
    }

    @Test func `a setting has a key and a value`() {
        #expect(ConfigurationArgument(argument: "a=b=c")?.value == "b=c")
        #expect(ConfigurationArgument(argument: "a=")?.value == "")
        #expect(ConfigurationArgument(argument: "=b") == nil)
        #expect(ConfigurationArgument(argument: "a") == nil)
    }

    @Test func `fingerprints tell order, keys and boundaries apart`() {
        func fingerprint(_ records: [(String, String)]) -> Fingerprint {
            var result = Fingerprint()
            for (key, value) in records {
                result.add(key: ByteBuffer(key.utf8).bytes, value: ByteBuffer(value.utf8).bytes)
            }
            return result
        }
        let base = fingerprint([("a", "1"), ("a", "2"), ("b", "3")])
        #expect(base == fingerprint([("b", "3"), ("a", "1"), ("a", "2")]))
        #expect(base != fingerprint([("a", "2"), ("a", "1"), ("b", "3")]))
        #expect(base != fingerprint([("a", "1"), ("a", "2"), ("c", "3")]))
        #expect(base != fingerprint([("a", "12"), ("a", ""), ("b", "3")]))
        #expect(base != fingerprint([("a", "1"), ("a", "2")]))
    }
}
#endif
