// The engine's decoder against the naive one: both accept and say the same, or both refuse.
//
// Where the format leaves freedom, or a library takes it:
// (1) gzip: zlib refuses some streams that ISA-L takes (incomplete Huffman codes, reserved flags, a header's
//     CRC). What the engine accepts has the right CRC-32; what zlib accepts the engine must.
// (2) zstd: the naive decoder streams, and refuses windows above 128 MiB; it reads formats before 1.0, which
//     the engine does not.
// (3) LZ4: a frame may name a dictionary, which LZ4F takes and never looks for; the engine refuses it. LZ4F
//     reads the legacy frame not at all, as the engine.
// (4) The limit on decompressed bytes: whoever finds out first that there are too many says so; both must
// refuse.

@testable import SluiceLog

enum Differential {
    static func check(batch bytes: [UInt8]) throws(FuzzFailure) {
        let naive: Result<[FuzzedRecord], NaiveFault>
        do throws(NaiveFault) {
            naive = .success(try NaiveBatch(bytes, maxBytes: BatchTargets.maxBytes).records)
        } catch {
            naive = .failure(error)
        }
        let ours: (header: BatchHeader, records: [FuzzedRecord])
        do throws(BatchError) {
            ours = try BatchTargets.decode(bytes)
        } catch {
            guard case .success(let records) = naive else { return }
            if case .decompression(let codec, _) = error, hasFreedom(codec, bytes) { return }
            throw FuzzFailure(description: "the engine refuses (\(error)) what has \(records.count) records")
        }
        switch naive {
        case .success(let records):
            try require(ours.records == records, "the records differ: \(ours.records) and \(records)")
        case .failure(let fault):
            try require(isFree(ours.header.codec, fault), "the engine accepts what is refused: \(fault)")
        }
    }

    static func check(codec bytes: [UInt8]) throws(FuzzFailure) {
        let (codec, limit, source) = CodecTarget.parts(bytes)
        let naive: Result<[UInt8], NaiveFault>
        do throws(NaiveFault) {
            naive = .success(try Decompressors.decompress(source, Int(codec.rawValue), limit))
        } catch {
            naive = .failure(error)
        }
        let ours: [UInt8]
        do throws(BatchError) {
            ours = try CodecTarget.decompress(source, codec, limit)
        } catch {
            guard case .success(let plain) = naive, !hasFreedom(codec, source) else { return }
            throw FuzzFailure(
                description: "\(codec): the engine refuses (\(error)) what makes \(plain.count) bytes")
        }
        switch naive {
        case .success(let plain):
            try require(plain == ours, "\(codec): \(ours.count) bytes differ from \(plain.count)")
        case .failure(let fault):
            try require(isFree(codec, fault), "\(codec): the engine accepts what is refused: \(fault)")
        }
    }

    /// Whether the naive decoder may refuse what the engine accepts.
    private static func isFree(_ codec: Codec, _ fault: NaiveFault) -> Bool {
        switch fault {
        case .freedom: true
        case .compression: codec == .gzip
        case .header, .checksum, .tooLarge, .records: false
        }
    }

    /// Whether the engine may refuse what the naive decoder accepts.
    private static func hasFreedom(_ codec: Codec, _ source: [UInt8]) -> Bool {
        switch codec {
        case .none, .gzip, .snappy: return false
        case .lz4: return follows(source, [0x04, 0x22, 0x4D, 0x18]) { $0 & 1 != 0 }
        // Formats before 1.0 have another first byte.
        case .zstd:
            return source.indices.contains {
                source[$0] != 0x28 && source[$0...].dropFirst().starts(with: [0xB5, 0x2F, 0xFD])
            }
        }
    }

    /// Whether somewhere behind `magic` there is a byte like this.
    private static func follows(_ source: [UInt8], _ magic: [UInt8], _ byte: (UInt8) -> Bool) -> Bool {
        source.indices.contains { place in
            let rest = source[place...]
            return rest.starts(with: magic) && rest.dropFirst(magic.count).first.map(byte) ?? false
        }
    }
}
