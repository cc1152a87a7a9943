// Everything that can be a key or a value lends the bytes it should, and its body's result and error come
// back.

import Sluice
import Testing

@Suite struct RecordBytesTests {
    @Test func `strings lend their UTF-8`() {
        #expect(bytes("") == [])
        #expect(bytes("grüße") == Array("grüße".utf8))
        let long = String(repeating: "long enough for the heap, ", count: 40)
        #expect(bytes(long) == Array(long.utf8))
        #expect(
            bytes(long.dropFirst(3).dropLast(5)) == Array(long.utf8)[3..<(long.utf8.count - 5)].map { $0 })
        #expect(bytes("é".dropFirst()) == [])
    }

    @Test func `arrays, slices and spans lend their elements`() {
        let array: [UInt8] = [1, 2, 3, 4]
        #expect(bytes(array) == array)
        #expect(bytes([UInt8]()) == [])
        #expect(bytes(array[1..<3]) == [2, 3])
        #expect(bytes(array[4...]) == [])
        let span = array.span
        #expect(bytes(span) == array)
        #expect(bytes(span.bytes.extracting(last: 1)) == [4])
    }

    @Test func `null is not the same as no bytes`() {
        #expect(bytes(.null) == nil)
        #expect(bytes(NullBytes()) == nil)
        #expect(bytes(String?.none) == nil)
        #expect(bytes(String?.some("")) == [])
        #expect(bytes([UInt8]?.some([7])) == [7])
        let noSpan: RawSpan? = nil
        #expect(bytes(noSpan) == nil)
        let array: [UInt8] = [5]
        let span: RawSpan? = array.span.bytes
        #expect(bytes(span) == [5])
    }

    @Test func `a type of one's own conforms in one line`() {
        #expect(bytes(OrderID(text: "o-1")) == Array("o-1".utf8))
    }

    @Test func `the body's error comes out with its type`() {
        let strings: [String] = ["", "small", String(repeating: "x", count: 100)]
        for string in strings {
            #expect(throws: StreamError.closed) { try string.withRecordBytes(refuse) }
            #expect(throws: StreamError.closed) { try string.dropFirst().withRecordBytes(refuse) }
        }
        #expect(throws: StreamError.closed) { try [UInt8](repeating: 1, count: 9).withRecordBytes(refuse) }
        #expect(throws: StreamError.closed) { try String?.none.withRecordBytes(refuse) }
    }

    @Test func `lent bytes become values of one's own`() {
        let array = Array("añ".utf8) + [0xFF]
        #expect([UInt8](copying: array.span.bytes) == array)
        #expect(String(decoding: array.span.bytes) == "añ\u{FFFD}")
        #expect([UInt8](copying: [UInt8]().span.bytes) == [] && String(decoding: [UInt8]().span.bytes) == "")
    }

    private func bytes<B: RecordBytes & ~Copyable & ~Escapable>(_ source: borrowing B) -> [UInt8]? {
        source.withRecordBytes { span in
            guard let span else { return nil }
            return [UInt8](copying: span)
        }
    }

    private func refuse(_: RawSpan?) throws(StreamError) { throw .closed }

    private struct OrderID: RecordBytes {
        var text: String
        func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
            try text.withRecordBytes(body)
        }
    }
}
