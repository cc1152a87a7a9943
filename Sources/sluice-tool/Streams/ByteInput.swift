// An input that is read to its end: standard input, or a file; in large reads.
//
// (1) Bytes that are not yet a whole record stay at the front of the buffer; it grows when a record fills it,
// up to `maxRecordBytes`. (2) Reading waits on the calling thread, on purpose: before it waits, all that was
// read has been acknowledged, and nothing else of the process needs the thread. (3) `interrupt` ends a wait,
// from any thread.

#if Tool
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import SluiceLog

struct ByteInput: ~Copyable {
    /// What has been read and not been dropped.
    private(set) var buffer = ByteBuffer(capacity: ByteInput.readBytes)
    /// Bytes read so far.
    private(set) var bytesRead: Int64 = 0
    /// Nothing follows what is in the buffer.
    private(set) var isAtEnd = false
    /// Ended by `interrupt`: what is in the buffer may go on in what was not read.
    private(set) var isInterrupted = false
    private let descriptor: Int32
    private let interrupter: Interrupter

    /// Half of a second-level cache: what is read is encoded while it is still there.
    static let readBytes = 256 << 10
    /// A record above this is an error: perhaps the separator is not in the input at all.
    static let maxRecordBytes = 64 << 20

    /// - Parameter descriptor: where it is read from; standard input unless given. It is not closed.
    init(_ descriptor: Int32 = 0, _ interrupter: Interrupter) {
        self.descriptor = descriptor
        self.interrupter = interrupter
    }

    /// Whether `fill` would not have to wait.
    func isReady() -> Bool {
        let ready = System.readable(descriptor, or: interrupter.readEnd, wait: false)
        return ready.first || ready.other
    }

    /// Drops the first `count` bytes and reads more behind the rest; waits for it.
    ///
    /// Returns false when nothing came since the input has ended or was interrupted.
    mutating func fill(dropping count: Int) throws(ToolError) -> Bool {
        try makeRoom(dropping: count)
        if isAtEnd || isInterrupted { return false }
        if System.readable(descriptor, or: interrupter.readEnd, wait: true).other {
            isInterrupted = true
            return false
        }
        let received = System.readSome(descriptor, into: buffer)
        guard received >= 0 else {
            throw .failed(
                "The input cannot be read: \(System.text(ofErrno: Int32(-received))). See where it is from."
            )
        }
        bytesRead += Int64(received)
        if received == 0 { isAtEnd = true }
        return received > 0
    }

    /// Drops the first `count` bytes.
    mutating func drop(_ count: Int) throws(ToolError) { try makeRoom(dropping: count) }

    private mutating func makeRoom(dropping count: Int) throws(ToolError) {
        let rest = buffer.count - count
        if count > 0 {
            memmove(buffer.base, buffer.base + count, rest)
            buffer.count = rest
        }
        if buffer.capacity - rest >= Self.readBytes / 2 { return }
        guard rest < Self.maxRecordBytes else {
            throw .failed(
                """
                A record of the input is longer than \(Self.maxRecordBytes >> 20) MiB, or what ends it never \
                comes. Check that the format (-f) fits the input.
                """)
        }
        let larger = ByteBuffer(capacity: buffer.capacity * 2)
        larger.append(buffer.bytes)
        buffer = larger
    }
}

/// Ends a wait for input, from any thread: a pipe, since what ends a wait for a descriptor is a descriptor.
struct Interrupter: Sendable {
    fileprivate let readEnd: Int32
    private let writeEnd: Int32

    /// Throws `failed` when no file can be opened.
    init() throws(ToolError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .failed(
                "No pipe could be made: \(System.text(ofErrno: errno)). Raise the limit of open files.")
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    /// Ends the input where it is.
    func interrupt() {
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }
}
#endif
