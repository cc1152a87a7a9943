// What is printed as JSON is read by another implementation, and is what it was.

#if Tool
import Foundation
import Sluice
import SluiceLog
import Testing

@testable import sluice_tool

@Suite struct JSONTests {
    @Test func `every ASCII byte survives, at every place of a word`() throws {
        for byte in UInt8(0)..<0x80 {
            for length in [0, 1, 7, 8, 9, 15, 16, 17] {
                let value = Array(repeating: UInt8(ascii: "a"), count: length) + [byte] + Array("b\"".utf8)
                #expect(try parsed(value).value == String(decoding: value, as: UTF8.self))
            }
        }
    }

    @Test func `text with quotes and other alphabets survives`() throws {
        var random = TestRandom(seed: 5)
        let alphabet = Array("\"\\\n\t\r\0\u{1}\u{1F}\u{7F}aé€𝄞\u{10FFFF}\u{FFFF}\u{2028} {}:,")
        for _ in 0..<500 {
            let text = String(
                (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    alphabet.randomElement(using: &random)!
                })
            let object = try parsed(Array(text.utf8))
            #expect(object.value.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
        }
    }

    @Test func `bytes that are not UTF-8 stand in base64`() throws {
        var random = TestRandom(seed: 6)
        for _ in 0..<300 {
            let value = random.bytes(upTo: 40) + [0xFF]
            let object = try parsed(value)
            #expect(object.value == nil)
            #expect(object.base64 == Data(value).base64EncodedString())
        }
    }

    @Test func `valid is what the standard library says is valid`() {
        var random = TestRandom(seed: 8)
        let edges: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
            0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF, 0x61, 0x22,
        ]
        for _ in 0..<40_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                edges.randomElement(using: &random)!
            }
            let kind = TextCheck.kind(of: ByteBuffer(bytes).bytes)
            #expect((kind != .binary) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
            let isPlain = bytes.allSatisfy { $0 < 0x80 && !TextCheck.isEscaped($0) }
            #expect((kind == .plain) == isPlain, "\(bytes)")
        }
    }

    @Test func `a record is one line with its fields in order`() throws {
        var text = TextBuffer()
        let headers = [
            RecordHeader(key: "a", value: Array("1".utf8)), RecordHeader(key: "a", value: nil),
            RecordHeader(key: "b\"", value: [0xFF]),
        ]
        let place = RecordPlace(topic: "t", partition: 2, offset: 17, timestamp: -1)
        JSONPrinter.print(place, key: nil, value: ByteBuffer([]).bytes, headers: headers, into: &text)
        #expect(
            text.string == """
                {"topic":"t","partition":2,"offset":17,"timestamp":-1,"key":null,"value":"","headers":[\
                {"key":"a","value":"1"},{"key":"a","value":null},{"key":"b\\"","value_base64":"/w=="}]}

                """)
    }

    @Test func `numbers are printed as the standard library prints them`() {
        var random = TestRandom(seed: 9)
        var numbers: [Int64] = [.min, .min + 1, -1, 0, 1, .max, .max - 1]
        var power: Int64 = 1
        for _ in 0..<18 {
            power *= 10
            numbers += [power - 1, power, power + 1, -power, -power + 1, -power - 1]
        }
        numbers += (0..<1000).map { _ in
            Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...63, using: &random)
        }
        for number in numbers {
            var text = TextBuffer(capacity: 1)
            text.append(decimal: number)
            #expect(text.string == String(number))
        }
    }

    @Test func `headers as text read back`() {
        var random = TestRandom(seed: 10)
        for _ in 0..<500 {
            let headers = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                RecordHeader(
                    key: "k" + random.letters(upTo: 4) + ["", "=", ",", "\\", "\n", "\0"].randomElement(
                        using: &random)!,
                    value: Bool.random(using: &random) ? nil : random.bytes(upTo: 8))
            }
            var text = TextBuffer()
            HeaderText.print(headers, into: &text)
            let bytes = [UInt8](copying: text.bytes)
            #expect(HeaderText.parse(bytes) == headers)
            #expect(!bytes.contains(10) && !bytes.contains(9) && !bytes.contains(0))
        }
    }

    private func parsed(_ value: [UInt8]) throws -> (value: String?, base64: String?) {
        var text = TextBuffer(capacity: 8)
        let place = RecordPlace(topic: "t", partition: 0, offset: 0, timestamp: 0)
        JSONPrinter.print(place, key: nil, value: ByteBuffer(value).bytes, headers: [], into: &text)
        let line = [UInt8](copying: text.bytes)
        #expect(line.count { $0 == 10 } == 1 && line.last == 10)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        return (object["value"] as? String, object["value_base64"] as? String)
    }
}
#endif
