// The codecs on their own: sizes at the edges of blocks, foreign frames, hostile input.

import Testing

@testable import SluiceLog

@Suite struct CodecTests {
    static let compressing: [Codec] = [.gzip, .snappy, .lz4, .zstd]

    func compress(_ bytes: [UInt8], _ codec: Codec) -> [UInt8]? {
        var context = CodecContext()
        return bytes.withUnsafeBytes { context.compress($0, codec).map { [UInt8]($0) } }
    }

    func decompress(_ bytes: [UInt8], _ codec: Codec, maxBytes: Int = 1 << 20) throws(BatchError) -> [UInt8] {
        var context = CodecContext()
        return try context.decompress(ByteSlice(ByteBuffer(bytes)), codec, maxBytes: maxBytes).array
    }

    @Test(arguments: compressing, [513, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000])
    func `sizes around a block's come back`(codec: Codec, count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 97 ^ $0 / 1000) }
        let packed = try #require(compress(bytes, codec))
        #expect(packed.count < count)
        #expect(try decompress(packed, codec, maxBytes: count) == bytes)
        #expect {
            try decompress(packed, codec, maxBytes: count - 1)
        } throws: {
            if case .tooLarge(_, limit: count - 1)? = $0 as? BatchError { true } else { false }
        }
    }

    @Test func `a context serves one batch after another`() throws {
        var context = CodecContext()
        for round in 1...3 {
            for codec in Self.compressing {
                let bytes = [UInt8](repeating: UInt8(round), count: 3000 * round)
                let packed = bytes.withUnsafeBytes { context.compress($0, codec).map { [UInt8]($0) } }
                let slice = ByteSlice(ByteBuffer(try #require(packed)))
                #expect(try context.decompress(slice, codec, maxBytes: 9000).array == bytes)
            }
        }
    }

    @Test(arguments: [
        Golden.frameLinked, Golden.frameChecksums, Golden.frameLinkedChecksums, Golden.frameBlock5,
        Golden.frameBlock6, Golden.frameBlock7,
    ])
    func `LZ4 frames of other writers are read`(frame: [UInt8]) throws {
        #expect(try decompress(frame, .lz4) == Golden.frameContent)
        #expect(throws: BatchError.self) { try decompress(frame, .lz4, maxBytes: 149_999) }
    }

    @Test func `several LZ4 frames follow one another, and skippable ones are skipped`() throws {
        let skippable: [UInt8] = [0x5F, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let frames = Golden.frameLinked + skippable + Golden.frameChecksums
        #expect(try decompress(frames, .lz4) == Golden.frameContent + Golden.frameContent)
        #expect(try decompress(skippable, .lz4) == [])
        #expect(throws: BatchError.self) { try decompress(Array(skippable.dropLast()), .lz4) }
    }

    @Test func `blocks that do not shrink are stored plain within the frame`() throws {
        var random = SeededGenerator(state: 4)
        var bytes = (0..<65_536).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        bytes += [UInt8](repeating: 0, count: 65_536)
        let packed = try #require(compress(bytes, .lz4))
        #expect(Array(packed[..<7]) == LZ4FrameHeader.written)
        #expect(Array(packed[7..<11]) == [0, 0, 1, 0x80])
        #expect(try decompress(packed, .lz4) == bytes)
    }

    @Test func `the LZ4 header is checked`() {
        let frame = Golden.lz4[61...]
        for (position, value) in [(4, 0x28), (4, 0x6A), (4, 0x69), (5, 0x30), (5, 0xC0), (5, 0x41)] {
            var bad = Array(frame)
            bad[position] = UInt8(value)
            #expect(throws: BatchError.self, "byte \(position)") { try decompress(bad, .lz4) }
        }
        let wrongHash: [UInt8] = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x83, 0, 0, 0, 0]
        #expect(throws: BatchError.decompression(.lz4, reason: "the frame header has a wrong checksum")) {
            try decompress(wrongHash, .lz4)
        }
        #expect(throws: Never.self) { try decompress(LZ4FrameHeader.written + [0, 0, 0, 0], .lz4) }
    }

    @Test func `raw snappy, streamed zstd and concatenated gzip are read`() throws {
        let area = Array(Golden.plain[61...])
        #expect(try decompress(Golden.snappyRawArea, .snappy) == area)
        #expect(try decompress(Golden.zstdStreamedArea, .zstd) == area)
        #expect(try decompress(Golden.gzipMembersArea, .gzip) == area)
        for (codec, bytes) in [
            (Codec.snappy, Golden.snappyRawArea), (.zstd, Golden.zstdStreamedArea),
            (.gzip, Golden.gzipMembersArea),
        ] {
            #expect(throws: BatchError.self, "\(codec)") {
                try decompress(bytes, codec, maxBytes: area.count - 1)
            }
            #expect(try decompress(bytes, codec, maxBytes: area.count) == area)
        }
    }

    @Test(arguments: compressing)
    func `a bomb is stopped at the limit`(codec: Codec) throws {
        let packed = try #require(compress([UInt8](repeating: 0, count: 4 << 20), codec))
        #expect {
            try decompress(packed, codec, maxBytes: 100_000)
        } throws: {
            if case .tooLarge(_, limit: 100_000)? = $0 as? BatchError { true } else { false }
        }
    }

    @Test(arguments: compressing)
    func `damaged and cut input throws or decodes, and never traps`(codec: Codec) throws {
        var random = SeededGenerator(state: 9)
        let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 % 50) } + random.bytes(500)
        let packed = try #require(compress(bytes, codec))
        for count in 0..<packed.count where count != 0 || codec != .lz4 {
            if let found = try? decompress(Array(packed.prefix(count)), codec) { #expect(found != bytes) }
        }
        for _ in 0..<500 {
            var damaged = packed
            damaged[Int(random.next() % UInt64(packed.count))] = UInt8(truncatingIfNeeded: random.next())
            _ = try? decompress(damaged, codec, maxBytes: 10_000)
        }
        for count in 0..<60 { _ = try? decompress(random.bytes(count), codec, maxBytes: 10_000) }
    }
}

@Suite struct CodecChecksumTests {
    @Test func `CRC-32C has its known values, in one piece or running`() {
        let digits = Array("123456789".utf8)
        #expect(crc32c(digits) == 0xE306_9283)
        #expect(crc32c([]) == 0)
        #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        for cut in 0...9 {
            let head = crc32c(Array(digits[..<cut]))
            #expect(crc32c(Array(digits[cut...]), extending: head) == 0xE306_9283)
        }
    }

    @Test func `XXH32 has its known values`() {
        func hash(_ text: String) -> UInt32 { Array(text.utf8).withUnsafeBytes { XXH32.hash($0) } }
        #expect(hash("") == 0x02CC_5D05)
        #expect(hash("abc") == 0x32D1_53FF)
        #expect(hash("Nobody inspects the spammish repetition") == 0xE229_3B2F)
    }
}

@Suite struct CodecVarintTests {
    func encode(_ value: Int) -> [UInt8] {
        let buffer = ByteBuffer(capacity: 32)
        buffer.count = Varint.store(value, at: buffer.base) - buffer.base
        return buffer.array
    }

    func read(_ bytes: [UInt8], as width: Int = 64) -> (value: Int64, count: Int)? {
        bytes.withUnsafeBytes { area in
            guard let start = area.baseAddress else { return nil }
            var position = start
            let limit = start + area.count
            let value =
                width == 64
                ? Varint.read64(&position, limit: limit)
                : Varint.read32(&position, limit: limit).map(Int64.init)
            guard let value else {
                #expect(position == start, "a failed read stays")
                return nil
            }
            return (value, position - start)
        }
    }

    @Test func `known forms`() {
        let known: [(Int, [UInt8])] = [
            (0, [0]), (-1, [1]), (1, [2]), (63, [0x7E]), (-64, [0x7F]), (64, [0x80, 1]),
            (8191, [0xFE, 0x7F]),
            (8192, [0x80, 0x80, 1]), (Int(Int32.max), [0xFE, 0xFF, 0xFF, 0xFF, 0x0F]),
            (Int(Int32.min), [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
            (.max, [0xFE] + [UInt8](repeating: 0xFF, count: 8) + [1]),
            (.min, [UInt8](repeating: 0xFF, count: 9) + [1]),
        ]
        for (value, bytes) in known {
            #expect(encode(value) == bytes && Varint.size(value) == bytes.count)
            #expect(read(bytes)?.value == Int64(value) && read(bytes)?.count == bytes.count)
            #expect(read(Array(bytes.dropLast())) == nil)
        }
    }

    @Test func `each power of two and its neighbours come back at the right size`() {
        for bit in 0..<63 {
            for value in [1 << bit, (1 << bit) - 1, -(1 << bit), -(1 << bit) - 1] {
                let bytes = encode(value)
                #expect(bytes.count == Varint.size(value))
                #expect(read(bytes)?.value == Int64(value))
                #expect((read(bytes, as: 32) != nil) == (Int32(exactly: value) != nil), "\(value)")
            }
        }
    }

    @Test func `too long and too large values are refused`() {
        let tenth = [UInt8](repeating: 0xFF, count: 9)
        #expect(read(tenth + [2]) == nil)
        #expect(read(tenth + [0x81, 0]) == nil)
        #expect(read([0xFF, 0xFF, 0xFF, 0xFF, 0x10], as: 32) == nil)
        #expect(read([0x80, 0x80, 0x80, 0x80, 0x80, 0], as: 32) == nil)
        #expect(read([0x80, 0x00])?.value == 0, "a longer form is legal")
    }
}
