// Frames out of a stream of bytes, each in memory of its own, so that the batches in it go to the log without
// another copy.
//
// (1) A size is looked at before anything is allocated for it. (2) Memory comes in steps: a frame has at most
// twice what has arrived of it, or `firstBytes`. (3) After an error nothing more is taken.

import KafkaWire
import SluiceLog

/// Puts the bytes of a connection together to frames.
struct FrameAssembler {
    /// Of a frame that has not begun.
    var limit: Int
    private var head: [UInt8] = []
    private var frame: ByteBuffer?
    private var size = 0

    /// Allocated for a frame that has just begun: more than most requests have. So much of each connection is
    /// not counted against the memory that all share: small requests never wait for those who announce large
    /// ones.
    static let firstBytes = 64 << 10

    /// - Parameter limit: bytes of a frame behind its size. Kafka: socket.request.max.bytes.
    init(limit: Int) { self.limit = limit }

    /// Whether the next byte begins a frame.
    var isBetweenFrames: Bool { head.isEmpty && frame == nil }

    /// The bytes that the frame that has begun will have, once that is known and until it is whole.
    private(set) var announced: Int?

    /// The bytes of the body that have come.
    var receivedBytes: Int { frame?.count ?? 0 }

    /// The memory that the frame has so far.
    var allocatedBytes: Int { frame?.capacity ?? 0 }

    /// What is wanted next.
    enum Want: Equatable {
        /// So many bytes of the size.
        case size(Int)
        /// So many bytes at most, to be put into the frame.
        case body(Int)
    }

    var want: Want {
        frame == nil ? .size(WireFrame.sizeBytes - head.count) : .body(size - (frame?.count ?? 0))
    }

    /// Takes bytes of the size. Throws what `WireFrame.size` says of it.
    mutating func takeSize(_ bytes: some Collection<UInt8>) throws(WireError) {
        head += bytes
        guard let size = try WireFrame.size(head.span.bytes, limit: limit) else { return }
        self.size = size
        announced = size
        frame = ByteBuffer(capacity: min(size, Self.firstBytes))
        head = []
    }

    /// Takes `count` bytes of the body from whoever writes them into the memory that he is lent.
    mutating func takeBody(
        _ count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        guard var current = frame, count <= size - current.count else { return }
        if current.count + count > current.capacity {
            current = current.grown(to: min(size, max(2 * current.capacity, current.count + count)))
            frame = current
        }
        _ = current.receive(at: current.count, count: count, write)
    }

    /// The frame, when it is whole.
    mutating func takeFrame() -> ByteBuffer? {
        guard let whole = frame, whole.count == size else { return nil }
        frame = nil
        announced = nil
        return whole
    }
}
