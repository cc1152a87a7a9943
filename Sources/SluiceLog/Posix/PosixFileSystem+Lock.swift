// Who has the store, and on which boot of the machine.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import CSluiceSystem

extension PosixFileSystem {
    /// Takes flock(2) on the file: it belongs to the open file, so a second one in the same process is
    /// refused as well, and the kernel lets go of it however the process ends. fcntl(2) locks do neither.
    public func lock(_ path: String) throws(IOError) -> LockResult {
        let file = try open(path, .create)
        do throws(IOError) {
            do throws(IOError) {
                _ = try systemCall("flock", path) { sluice_lock_exclusive(file.rawValue) }
            } catch  where error.errno == EWOULDBLOCK {
                let processID = try firstNumber(of: file)
                close(file)
                return .held(processID: processID)
            }
            // Over the old line, not after a truncation: in place it takes no space, and so works on a full
            // disk.
            let line = ByteBuffer("\(getpid())\n".utf8)
            _ = try write(file, at: 0, [ByteSlice(line)])
            try truncate(file, to: Int64(line.count))
            return .locked(file)
        } catch {
            close(file)
            throw error
        }
    }

    /// flock(2), shared, and let go of at once. `lock` waits for as long as this may take.
    ///
    /// There is no call that only asks: /proc/locks does not show holders in another container, and a process
    /// id in a file may be another process's by now.
    public func lockState(_ path: String) throws(IOError) -> LockState {
        let file: FileID
        do throws(IOError) {
            file = try open(path, .read)
        } catch  where error.errno == ENOENT {
            return .free
        }
        defer { close(file) }
        do throws(IOError) {
            _ = try systemCall("flock", path) { sluice_lock_probe(file.rawValue) }
            return .free
        } catch  where error.errno == EWOULDBLOCK {
            return .held(processID: try firstNumber(of: file))
        }
    }

    /// The number in the first line; nil when there is none, as in the moment before the holder has written
    /// it.
    private func firstNumber(of file: FileID) throws(IOError) -> Int32? {
        let line = ByteBuffer(capacity: 16)
        _ = try read(file, at: 0, into: line, offset: 0, count: line.capacity)
        return Int32(String(decoding: line.array.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// The kernel's name for this boot.
    ///
    /// Where it cannot be read, every boot has the same name: recovery then never takes a hole for the work
    /// of a power loss, and cuts nothing that it would keep if it knew.
    static func readBootID() -> String {
        let name = ByteBuffer(capacity: 64)
        #if os(Linux)
        guard let file = try? systemOpen("/proc/sys/kernel/random/boot_id", O_RDONLY) else {
            return "unknown"
        }
        defer { systemClose(file) }
        let count = name.receive(at: 0, count: name.capacity) {
            pread(file, $0.baseAddress!, $0.count, 0)
        }
        #else
        let count = name.receive(at: 0, count: name.capacity) { memory in
            var count = memory.count
            guard sysctlbyname("kern.bootsessionuuid", memory.baseAddress, &count, nil, 0) == 0 else {
                return 0
            }
            return count
        }
        #endif
        guard count > 0 else { return "unknown" }
        return String(decoding: name.array.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
    }
}
