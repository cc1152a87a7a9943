// Whole files and whole writes, made of the calls of the protocol.

extension FileSystem {
    /// The bytes of a file from `position` on, at most `limit` of them.
    package func readAll(_ path: String, from position: Int64 = 0, limit: Int64 = .max) throws(IOError)
        -> [UInt8]
    {
        let file = try open(path, .read)
        defer { close(file) }
        let wanted = min(max(0, try size(file) - position), limit)
        if wanted == 0 { return [] }
        let buffer = ByteBuffer(capacity: Int(wanted))
        let count = try read(file, at: position, into: buffer, offset: 0, count: buffer.capacity)
        return count == buffer.count ? buffer.array : Array(buffer.array.prefix(count))
    }

    /// Writes all slices, in as many calls as it takes, and returns what was written before an error.
    package func writeFully(
        _ file: FileID, at position: Int64, _ slices: [ByteSlice]
    ) -> (written: Int, error: IOError?) {
        var left = slices[...]
        var written = 0
        while !left.isEmpty {
            do throws(IOError) {
                var count = try write(file, at: position + Int64(written), Array(left))
                written += count
                while let first = left.first, count >= first.count {
                    count -= first.count
                    left.removeFirst()
                }
                if count > 0 {
                    left[left.startIndex].start += count
                    left[left.startIndex].count -= count
                }
            } catch {
                return (written, error)
            }
        }
        return (written, nil)
    }

    /// Writes all bytes or throws.
    package func writeAll(_ file: FileID, at position: Int64, _ bytes: [UInt8], path: String) throws(IOError)
    {
        guard !bytes.isEmpty else { return }
        if let error = writeFully(file, at: position, [ByteSlice(ByteBuffer(bytes))]).error { throw error }
    }

    /// A small file that is there whole or as before: written beside, synced, renamed, and the name synced.
    package func replaceFile(_ path: String, in directory: String, with bytes: [UInt8]) throws(IOError) {
        let beside = path + ".tmp"
        let file = try open(beside, .replace)
        do {
            defer { close(file) }
            try writeAll(file, at: 0, bytes, path: beside)
            try sync(file)
        }
        try rename(beside, to: path)
        try syncDirectory(directory)
    }
}
