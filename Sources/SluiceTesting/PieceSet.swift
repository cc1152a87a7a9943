// Which 512-byte pieces of a file the medium has not been given yet.

/// A set of piece numbers: a bitmap, since files are small and their un-synced pieces lie together.
struct PieceSet: Sendable, Hashable {
    /// What a disk writes as a whole or not at all, in bytes.
    static let pieceBytes = 512

    private var words: [UInt64] = []

    var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// Adds every piece that holds one of `bytes`.
    mutating func insert(bytes: Range<Int>) {
        guard !bytes.isEmpty else { return }
        let first = bytes.lowerBound / Self.pieceBytes
        let last = (bytes.upperBound - 1) / Self.pieceBytes
        while words.count <= last / 64 { words.append(0) }
        var piece = first
        while piece <= last {
            words[piece / 64] |= 1 << UInt64(piece % 64)
            piece += 1
        }
    }

    /// Drops the pieces that lie wholly at or beyond byte `size`.
    mutating func remove(beyond size: Int) {
        let first = (size + Self.pieceBytes - 1) / Self.pieceBytes
        let word = first / 64
        guard word < words.count else { return }
        words.removeLast(words.count - word - 1)
        words[word] &= (1 << UInt64(first % 64)) &- 1
    }

    mutating func removeAll() { words.removeAll(keepingCapacity: true) }

    /// The pieces, ascending, each as the bytes it covers, cut to the first `size` bytes; empty ones are left
    /// out.
    func forEach(within size: Int, _ body: (Range<Int>) -> Void) {
        var index = 0
        while index < words.count {
            var word = words[index]
            while word != 0 {
                let piece = index * 64 + word.trailingZeroBitCount
                word &= word &- 1
                let start = piece * Self.pieceBytes
                if start < size { body(start..<min(start + Self.pieceBytes, size)) }
            }
            index += 1
        }
    }
}
