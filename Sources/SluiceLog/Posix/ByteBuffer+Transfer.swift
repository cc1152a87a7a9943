// Bytes between buffers and what lies outside the engine: system calls, and the arrays of the simulated disk.
//
// (1) The only way that a file system writes into a `ByteBuffer`. (2) It keeps the buffer's promise that
//     every byte below `count` is initialised. (3) Not synchronised: the caller owns the buffer.

extension ByteBuffer {
    /// Lets `body` put up to `count` bytes at `offset`, and counts what it put there as in use.
    ///
    /// `body` returns the number of bytes that it wrote from the start of the memory it is lent; 0 or less
    /// leaves the buffer as it was. Bytes between `self.count` and `offset`, if any, become zeros.
    /// - Precondition: `offset + count <= capacity`.
    package func receive<Failure: Error>(
        at offset: Int, count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        precondition(
            offset >= 0 && count >= 0 && count <= capacity - offset, "a read past the buffer's capacity")
        let received = try body(UnsafeMutableRawBufferPointer(start: base + offset, count: count))
        guard received > 0 else { return received }
        assert(received <= count)
        if offset > self.count {
            (base + self.count).initializeMemory(as: UInt8.self, repeating: 0, count: offset - self.count)
        }
        self.count = max(self.count, offset + received)
        return received
    }

    /// Copies `range` of `source` to `offset`, and counts it as in use.
    package func receive(at offset: Int, _ range: Range<Int>, of source: [UInt8]) {
        _ = receive(at: offset, count: range.count) { memory in
            source.withUnsafeBytes { memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
            return range.count
        }
    }
}

extension [UInt8] {
    /// Appends zeros until there are `count` elements.
    ///
    /// From an array of them: `repeatElement` is generic code per element in an unoptimised build. Measured
    /// in November 2026, a simulated step took 240 µs with it there, and 7 µs without.
    package mutating func lengthen(to count: Int) {
        while self.count < count { append(contentsOf: zeros.prefix(count - self.count)) }
    }

    /// Overwrites the elements from `index` with the first `count` bytes of `slice`; both must be there.
    package mutating func overwrite(at index: Int, with slice: ByteSlice, count: Int) {
        precondition(count <= slice.count && index + count <= self.count)
        withExtendedLifetime(slice.buffer) {
            withUnsafeMutableBytes { memory in
                UnsafeMutableRawBufferPointer(rebasing: memory[index..<index + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: slice.pointer[..<count]))
            }
        }
    }

    /// Overwrites the elements of `range` with those of `source` at the same indices; both must be there.
    package mutating func overwrite(_ range: Range<Int>, from source: [UInt8]) {
        precondition(range.upperBound <= count && range.upperBound <= source.count)
        withUnsafeMutableBytes { memory in
            source.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: memory[range])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range]))
            }
        }
    }
}

private let zeros = [UInt8](repeating: 0, count: 1 << 16)
