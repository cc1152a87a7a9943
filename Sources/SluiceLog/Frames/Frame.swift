// A frame: how the manifest and the journal wrap what they write, so that a reader knows a whole one from a
// torn one.
//
//   off  field      type  note
//     0  magic      u32   which log it belongs to: "SlMf" the manifest, "SlJr" the journal
//     4  length     u32   bytes of the payload
//     8  sequence   u64   one more than the frame before it; never used again, not even after a reopening
//    16  store id   16    frames of another store, copied here or left on reused blocks, are not ours
//    32  crc        u32   CRC-32C of bytes 0 to 31 and the payload
//    36  payload
//
// Valid iff: magic and store id are ours; the length fits what is left of the file; the CRC is right.
//
// (1) Nothing is believed of a frame whose CRC is wrong, its length least of all. (2) A reader that meets an
// invalid frame looks for a whole one behind it: with one it was damage, without one it was a torn write, the
// end of the log.
// (3) Frames begin at multiples of the log's alignment: 1 in the manifest; 512 in the journal, whose file is
// written in place, so that a write never touches a sector of a frame that has been acknowledged.

/// Which log a frame belongs to.
package enum FrameKind: UInt32, Sendable {
    case manifest = 0x536c_4d66
    case journal = 0x536c_4a72

    package var alignment: Int { self == .manifest ? 1 : 512 }
}

package enum FrameLayout {
    package static let magic = 0
    package static let length = magic + 4
    package static let sequence = length + 4
    package static let storeID = sequence + 8
    package static let crc = storeID + 16
    package static let headerBytes = crc + 4
}

/// A whole frame that was found in a file.
package struct Frame {
    package var sequence: UInt64
    /// Where it begins in the file.
    package var position: Int
    package var payload: ArraySlice<UInt8>
    /// The first byte behind it, alignment included.
    package var end: Int
}

/// What a file of frames holds.
package struct FrameScan {
    /// Every whole frame, in the order of the file.
    package var frames: [Frame] = []
    /// Frames of this store that are not whole: where they begin, and the sequence that they claim.
    package var broken: [(position: Int, sequence: UInt64)] = []
    /// Positions where something that is not a whole frame lies *before* a whole one of a higher sequence.
    package var gaps: [Int] = []
    /// The first byte behind the last whole frame.
    package var end = 0
    /// Bytes behind the end that are not zero: the rest of a torn write, or of an earlier lap.
    package var torn = 0
}

extension Frame {
    /// The header of a frame whose payload is `pieces`, one after another.
    package static func header(
        _ kind: FrameKind, sequence: UInt64, storeID: UniqueID, payload pieces: [ByteSlice]
    ) -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(kind.rawValue)
        writer.put(UInt32(pieces.reduce(0) { $0 + $1.count }))
        writer.put(sequence)
        writer.put(storeID)
        var crc = CRC32C.extend(0, writer.bytes.span.bytes)
        for piece in pieces { crc = CRC32C.extend(crc, piece.bytes) }
        writer.put(crc)
        return writer.bytes
    }

    /// A frame in one piece, for small payloads.
    package static func encode(
        _ kind: FrameKind, sequence: UInt64, storeID: UniqueID, payload: [UInt8]
    ) -> [UInt8] {
        header(kind, sequence: sequence, storeID: storeID, payload: [ByteSlice(ByteBuffer(payload))])
            + payload
    }

    /// What a header at `position` says, whole frame or not; nil when there is none of this log and store.
    private static func header(
        _ kind: FrameKind, storeID: UniqueID?, in bytes: [UInt8], at position: Int
    ) -> (length: UInt32, sequence: UInt64, crc: UInt32)? {
        guard position + FrameLayout.headerBytes <= bytes.count else { return nil }
        // Compared first and as bytes: this runs at every position behind the end of a log.
        guard bytes[position] == UInt8(truncatingIfNeeded: kind.rawValue >> 24),
            bytes[position + 1] == UInt8(truncatingIfNeeded: kind.rawValue >> 16),
            bytes[position + 2] == UInt8(truncatingIfNeeded: kind.rawValue >> 8),
            bytes[position + 3] == UInt8(truncatingIfNeeded: kind.rawValue)
        else { return nil }
        var reader = BinaryReader(
            bytes[(position + FrameLayout.length)..<(position + FrameLayout.headerBytes)])
        guard let length = try? reader.integer(UInt32.self), let sequence = try? reader.integer(UInt64.self),
            let id = try? reader.id(), let crc = try? reader.integer(UInt32.self),
            storeID == nil || id == storeID
        else { return nil }
        return (length, sequence, crc)
    }

    /// The whole frame that begins at `position`, or nil.
    package static func decode(_ kind: FrameKind, storeID: UniqueID?, in bytes: [UInt8], at position: Int)
        -> Frame?
    {
        guard let (length, sequence, stored) = header(kind, storeID: storeID, in: bytes, at: position) else {
            return nil
        }
        let start = position + FrameLayout.headerBytes
        guard Int(length) <= bytes.count - start else { return nil }
        let covered = bytes.span.bytes
        var crc = CRC32C.extend(0, covered.extracting(position..<(position + FrameLayout.crc)))
        crc = CRC32C.extend(crc, covered.extracting(start..<(start + Int(length))))
        guard crc == stored else { return nil }
        let end = start + Int(length)
        let aligned = (end + kind.alignment - 1) / kind.alignment * kind.alignment
        return Frame(sequence: sequence, position: position, payload: bytes[start..<end], end: aligned)
    }

    /// Every whole frame in `bytes` from `start` on, whatever lies between them.
    ///
    /// - Complexity: O(n); behind the last frame one comparison for each position.
    package static func scan(
        _ kind: FrameKind, storeID: UniqueID?, in bytes: [UInt8], from start: Int = 0
    ) -> FrameScan {
        var scan = FrameScan()
        var position = start
        var gap: Int?
        var highest: UInt64?
        scan.end = start
        while position + FrameLayout.headerBytes <= bytes.count {
            guard let frame = decode(kind, storeID: storeID, in: bytes, at: position) else {
                if let claimed = header(kind, storeID: storeID, in: bytes, at: position) {
                    scan.broken.append((position, claimed.sequence))
                }
                if gap == nil { gap = position }
                position += kind.alignment
                continue
            }
            // A lower sequence behind a higher one is left over from an earlier lap of the journal.
            if let highest, frame.sequence <= highest {
                scan.frames.append(frame)
                position = frame.end
                continue
            }
            if let found = gap { scan.gaps.append(found) }
            gap = nil
            highest = frame.sequence
            scan.frames.append(frame)
            scan.end = min(frame.end, bytes.count)
            position = frame.end
        }
        scan.torn = bytes[min(scan.end, bytes.count)...].lastIndex { $0 != 0 }.map { $0 + 1 - scan.end } ?? 0
        return scan
    }
}
