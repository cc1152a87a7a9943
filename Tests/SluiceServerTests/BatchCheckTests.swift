// What of a batch is looked at before it goes to the log.

import KafkaWire
import SluiceCore
import SluiceLog
import SluiceTesting
import Testing

@testable import SluiceServer

struct BatchCheckTests {
    private func batch(_ codec: Codec = .lz4, keys: [String?] = ["a", "b"]) -> [UInt8] {
        TestBatch.bytes(keys: keys, codec: codec)
    }

    private func code(
        _ bytes: [UInt8], version: Int16 = 9, _ change: (inout TopicSettings) -> Void = { _ in }
    ) -> ErrorCode? {
        var check = BatchCheck()
        var settings = TopicSettings()
        change(&settings)
        do throws(ProduceRefusal) {
            _ = try check.check(ByteSlice(ByteBuffer(bytes)), settings, version: version)
            return nil
        } catch {
            return error.code
        }
    }

    /// The batch with a field changed, and the checksum made right again.
    private func changed(_ bytes: [UInt8], at place: Int, _ values: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes.replaceSubrange(place..<place + values.count, with: values)
        let crc = BatchHeader.checksum(of: bytes.span.bytes)
        for byte in 0..<4 { bytes[17 + byte] = UInt8(truncatingIfNeeded: crc >> (24 - 8 * UInt32(byte))) }
        return bytes
    }

    @Test(arguments: [Codec.none, .gzip, .snappy, .lz4, .zstd])
    func `a good batch passes in every codec`(_ codec: Codec) {
        #expect(code(batch(codec, keys: Array(repeating: "key", count: 500))) == nil)
    }

    @Test func `nothing half a batch and two batches are refused`() {
        let good = batch()
        #expect(code([]) == .invalidRecord)
        #expect(code(Array(good.dropLast())) == .corruptMessage)
        #expect(code(Array(good.prefix(60))) == .corruptMessage)
        #expect(code(good + good) == .invalidRecord)
    }

    @Test func `a batch of an older format is refused by its number`() {
        #expect(code(changed(batch(), at: 16, [1])) == .invalidRecord)
        #expect(code(changed(batch(), at: 16, [0])) == .invalidRecord)
    }

    @Test func `a wrong checksum is found with and without looking at records`() {
        var bytes = batch()
        bytes[bytes.count - 1] ^= 1
        #expect(code(bytes) == .corruptMessage)
        #expect(code(bytes) { $0.validation = .crc } == .corruptMessage)
    }

    @Test func `records that are wrong under a right checksum are found unless the topic trades that away`() {
        let bytes = batch(.none)
        let bad = changed(bytes, at: 61, [0x7F])
        #expect(code(bad) == .invalidRecord)
        #expect(code(bad) { $0.validation = .crc } == nil)
    }

    @Test func `a batch exactly as large as the topic allows passes and one byte more does not`() {
        let bytes = batch(.none, keys: Array(repeating: String(repeating: "k", count: 100), count: 20))
        #expect(code(bytes) { $0.maxMessageBytes = Int64(bytes.count) } == nil)
        #expect(code(bytes) { $0.maxMessageBytes = Int64(bytes.count - 1) } == .messageTooLarge)
    }

    @Test func `a client may not write markers transactions append times or negative sequences`() {
        let bytes = batch(.none)
        #expect(code(changed(bytes, at: 21, [0, 0x20])) == .invalidRecord)
        #expect(code(changed(bytes, at: 21, [0, 0x10])) == .invalidTxnState)
        #expect(code(changed(bytes, at: 21, [0, 0x08])) == .invalidTimestamp)
        let producer = changed(bytes, at: 43, [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(code(producer) == .invalidRecord)
        #expect(code(changed(producer, at: 53, [0, 0, 0, 0])) == .invalidRecord)
        #expect(code(changed(producer, at: 51, [0, 0])) == .invalidRecord)
        #expect(code(changed(producer, at: 51, [0, 0, 0, 0, 0, 0])) == nil)
    }

    @Test func `a count that does not match the offsets is refused`() {
        #expect(code(changed(batch(.none), at: 23, [0, 0, 0, 5])) == .invalidRecord)
        #expect(code(changed(batch(.none), at: 57, [0, 0, 0, 0])) == .invalidRecord)
    }

    @Test func `zstd is for clients that know it`() {
        #expect(code(batch(.zstd, keys: Array(repeating: "key", count: 500)), version: 7) == nil)
        #expect(
            code(batch(.zstd, keys: Array(repeating: "key", count: 500)), version: 6)
                == .unsupportedCompressionType)
    }

    @Test func `a compacted topic names the records that have no key`() {
        var check = BatchCheck()
        var settings = TopicSettings()
        settings.cleanupPolicy = .compact
        let bytes = ByteSlice(ByteBuffer(batch(keys: ["a", nil, "b", nil])))
        #expect {
            _ = try check.check(bytes, settings, version: 9)
        } throws: { error in
            (error as? ProduceRefusal)?.records == [1, 3]
        }
    }

    @Test func `bytes of any kind throw and do not trap`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<2000 {
            var bytes = batch(Bool.random(using: &random) ? .lz4 : .none)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            let end =
                Bool.random(using: &random) ? bytes.count : Int.random(in: 0...bytes.count, using: &random)
            _ = code(Array(bytes.prefix(end)))
        }
    }
}

/// Batches as clients make them.
enum TestBatch {
    static func bytes(
        keys: [String?], value: String = "value", codec: Codec = .lz4, producer: ProducerSequence = .none
    ) -> [UInt8] {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 20)
        for key in keys {
            let value = Array(value.utf8)
            if let key {
                let key = Array(key.utf8)
                _ = builder.append(
                    timestamp: 1_000, key: key.span.bytes, value: value.span.bytes, headers: [])
            } else {
                _ = builder.append(timestamp: 1_000, key: nil, value: value.span.bytes, headers: [])
            }
        }
        var context = CodecContext()
        return builder.seal(codec, with: &context, producer: producer).bytes.array
    }
}
