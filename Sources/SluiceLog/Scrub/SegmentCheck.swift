// Holds a sealed segment against its seal: each batch against its CRC and its place, and the whole file
// against its checksum, which covers the offsets too. Goes on from slice to slice.

/// A check under way: a value, without a file of its own.
struct SegmentCheck: Sendable {
    enum Step: Sendable {
        case more
        /// Every byte is as it was sealed.
        case sound
        case damaged(SegmentDamage)
        /// The medium does not give the bytes: another time it may.
        case unreadable(SegmentDamage)
        /// Perhaps it was removed, or has another name.
        case missing
        /// Nothing can be said of it now, for want of descriptors or memory.
        case failed
    }

    let sealed: SealedSegment
    private var position: Int64 = 0
    private var crc: UInt32 = 0
    private var batches: Int64 = 0
    private var offset: Int64

    init(_ sealed: SealedSegment) {
        self.sealed = sealed
        offset = sealed.baseOffset
    }

    /// Reads about so many bytes more, whole batches, at least one. The second value: how many were read.
    mutating func run(_ path: String, _ files: any FileSystem, bytes: Int64) -> (Step, bytesRead: Int64) {
        var bytesRead: Int64 = 0
        do throws(IOError) {
            var scanner = try TailScanner(path: path, files: files)
            defer {
                bytesRead = scanner.bytesRead
                scanner.close()
            }
            guard scanner.file != nil else { return (.missing, 0) }
            let step = try run(&scanner, bytes: bytes)
            return (step, scanner.bytesRead)
        } catch {
            if error.isShortage { return (.failed, bytesRead) }
            if error.errno == IOError.notFound { return (.missing, bytesRead) }
            let reason = "reading failed with error \(error.errno)"
            return (.unreadable(SegmentDamage(position: position, reason: reason)), bytesRead)
        }
    }

    private mutating func run(_ scanner: inout TailScanner, bytes: Int64) throws(IOError) -> Step {
        func damaged(_ reason: String) -> Step {
            .damaged(SegmentDamage(position: position, reason: reason))
        }
        guard scanner.size >= sealed.size else {
            return damaged("the file has \(scanner.size) bytes, \(sealed.size) were sealed")
        }
        let end = position.addingReportingOverflow(bytes)
        while position < sealed.size {
            if !end.overflow, position >= end.partialValue { return .more }
            // Compaction leaves gaps, but nothing goes back.
            let due = sealed.generation == 0 ? offset : nil
            switch try scanner.batch(at: position, expecting: due) {
            case .invalid(let reason): return damaged(reason)
            case .valid(let header, let bytes):
                guard position + Int64(header.totalBytes) <= sealed.size, header.baseOffset >= offset else {
                    return damaged("a batch runs beyond the end, or its offset goes back")
                }
                crc = CRC32C.extend(crc, bytes.bytes)
                position += Int64(header.totalBytes)
                offset = header.nextOffset
                batches += 1
            }
        }
        guard crc == sealed.crc else { return damaged("the file's checksum differs from the seal's") }
        guard batches == sealed.batches, offset == sealed.endOffset else {
            return damaged(
                "the file holds \(batches) batches up to offset \(offset), the seal says "
                    + "\(sealed.batches) and \(sealed.endOffset)")
        }
        guard scanner.size == sealed.size else {
            return damaged("the file has \(scanner.size) bytes, \(sealed.size) were sealed")
        }
        return .sound
    }
}
