// The reserve file: bytes that nobody needs, given up when the file system is full and the manifest needs
// room.
//
// (1) `reserve` in the store's root, at most 16 MiB and a 64th of the budget. It counts as used. (2) Who
// writes the manifest removes it on ENOSPC, and tries again at once: then what may go can be recorded, and
// goes. (3) It is made when there is something to save, and again when there is room; without room it is left
// out. (4) Nothing is lost with it: an opening that finds one of another size makes it anew.

/// Makes the reserve file.
public struct ReserveJob: Sendable {
    var path: String
    var root: String
    var bytes: Int64
    var claim: Int64
}

public struct ReserveResult: Sendable {
    var error: IOError?
    /// What the file takes of the disk now.
    var bytes: Int64
}

/// What there is of it.
struct ReserveFile: Sendable {
    /// What it takes of the disk.
    var bytes: Int64 = 0
    var isOut = false
    /// Not before, monotonic ns.
    var retryAt: Int64?
}

extension Volume {
    /// Whether the file is missing, and there are records that it may have to save.
    var wantsReserve: Bool {
        reserveFile.bytes == 0 && !reserveFile.isOut && configuration.reserveFileBytes > 0 && closing == .open
            && failure == nil && (activeCount > 0 || !journal.files.isEmpty)
            && disk.fits(configuration.reserveFileBytes, .append)
    }

    mutating func takeReserve(now: Instant) -> ReserveJob? {
        guard wantsReserve, now.monotonicNanoseconds >= reserveFile.retryAt ?? .min else { return nil }
        let bytes = configuration.reserveFileBytes
        reserveFile.isOut = true
        disk.claim(bytes)
        return ReserveJob(path: paths.reserve, root: paths.root, bytes: bytes, claim: bytes)
    }

    mutating func finishedReserve(_ job: ReserveJob, _ result: ReserveResult, now: Instant) {
        reserveFile.isOut = false
        reserveFile.bytes = result.error == nil ? job.bytes : result.bytes
        disk.settle(job.claim, kept: reserveFile.bytes)
        if result.error != nil { lostReserve(now: now) }
    }

    /// It has been given up, or could not be made.
    mutating func lostReserve(now: Instant) {
        reserveFile.retryAt = now.monotonicNanoseconds + Self.reserveRetryNanoseconds
    }

    private static var reserveRetryNanoseconds: Int64 { 10_000_000_000 }
}

extension JobRunner {
    func makeReserve(_ job: ReserveJob) -> ReserveResult {
        do throws(IOError) {
            let file = try files.open(job.path, .replace)
            defer { files.close(file) }
            do throws(IOError) {
                try files.allocate(file, bytes: job.bytes)
            } catch {
                guard error.isUnsupported else { throw error }
                try writeZeros(file, count: Int(job.bytes))
            }
            try files.sync(file)
            try files.syncDirectory(job.root)
            return ReserveResult(bytes: job.bytes)
        } catch {
            // Half of it would be of no use, and in the way.
            try? files.remove(job.path)
            return ReserveResult(error: error, bytes: files.remaining(job.path) ?? job.bytes)
        }
    }

    func writeZeros(_ file: FileID, count: Int) throws(IOError) {
        let zeros = ByteBuffer([UInt8](repeating: 0, count: min(count, 1 << 20)))
        var position = 0
        while position < count {
            let piece = ByteSlice(zeros, start: 0, count: min(zeros.count, count - position))
            if let error = files.writeFully(file, at: Int64(position), [piece]).error { throw error }
            position += piece.count
        }
    }

    /// Does what needs room for the manifest; when there is none, once more without the reserve file. Returns
    /// also what has been freed by that.
    func withReserve<R>(
        _ path: String, _ body: () throws(IOError) -> R
    ) -> (result: Result<R, IOError>, freed: Int64) {
        do throws(IOError) {
            return (.success(try body()), 0)
        } catch {
            let bytes = error.isNoSpace && error.operation != "fdatasync" ? files.removable(path) : 0
            guard bytes > 0, (try? files.remove(path)) != nil else { return (.failure(error), 0) }
            do throws(IOError) {
                return (.success(try body()), bytes)
            } catch {
                return (.failure(error), bytes)
            }
        }
    }
}
