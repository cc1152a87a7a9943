// JSON: what is written is read again, and what is no JSON is refused.

import SluiceCore
import Testing

@Suite struct JSONValueTests {
    private func parse(_ text: String) -> JSONValue? { try? JSONValue(parsing: Array(text.utf8)) }

    private static let values: [(String, JSONValue)] = [
        ("null", JSONValue.null), (" true ", true), ("[]", []), ("{}", [:]), ("-0", 0), ("12", 12),
        ("9223372036854775807", .integer(.max)), ("1.5", .number(1.5)), ("1e3", .number(1000)),
        (#""a\"\\\/\b\f\n\r\té😀""#, "a\"\\/\u{8}\u{c}\n\r\té😀"),
        (#"{"a":[1,{"b":null}],"a":2}"#, ["a": 2]),
        ("[ 1 , \"x\" ]", [1, "x"]),
    ]

    @Test(arguments: values)
    func `values are read`(text: String, value: JSONValue) {
        #expect(parse(text) == value)
        #expect(try! JSONValue(parsing: value.encoded) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\n\"", "01", "+1", "1.", ".5", "-", "1e999", "--1", "1 2", "[1}", "\u{feff}1",
        "tru e",
    ])
    func `what is no JSON is refused`(text: String) { #expect(parse(text) == nil) }

    @Test func `depth is bounded, and broken UTF-8 is no string`() {
        #expect(parse(String(repeating: "[", count: 32) + String(repeating: "]", count: 32)) != nil)
        #expect(parse(String(repeating: "[", count: 100_000)) == nil)
        #expect((try? JSONValue(parsing: [0x22, 0xFF, 0x22])) == nil)
    }

    @Test func `what is written is in one form`() {
        let value: JSONValue = ["b": [.null, true, 1, .number(0.5)], "a": "x\u{1}\"\n"]
        #expect(
            String(decoding: value.encoded, as: UTF8.self) == #"{"a":"x\u0001\"\n","b":[null,true,1,0.5]}"#)
    }
}
