// The records of a benchmark: their values lie side by side in memory, and are appended from there, so that
// neither side of a comparison copies or counts anything to get at them.

#if Tool
import CSluiceBench
import Foundation
import SluiceCore
import SluiceLog

final class BenchWorkload: @unchecked Sendable {
    /// What they are, in words.
    let name: String
    let count: Int
    let totalBytes: Int
    /// Filled once, in `init`.
    private let storage: UnsafeMutableRawPointer
    private let pointers: UnsafeMutablePointer<UnsafePointer<UInt8>?>
    private let lengths: UnsafeMutablePointer<UInt32>

    var meanBytes: Int { totalBytes / count }

    /// The bytes of a record's value; `index` below `count`.
    @inline(__always)
    subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: pointers[index], count: Int(lengths[index]))
    }

    var records: bench_records { bench_records(values: pointers, lengths: lengths, count: count) }

    private init(_ name: String, _ bytes: [UInt8], ends: [Int]) {
        self.name = name
        count = ends.count
        totalBytes = bytes.count
        storage = .allocate(byteCount: max(bytes.count, 1), alignment: 16)
        pointers = .allocate(capacity: ends.count)
        lengths = .allocate(capacity: ends.count)
        bytes.withUnsafeBytes {
            storage.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(storage), byteCount: $0.count)
        }
        var start = 0
        for (index, end) in ends.enumerated() {
            pointers[index] = UnsafePointer((storage + start).assumingMemoryBound(to: UInt8.self))
            lengths[index] = UInt32(end - start)
            start = end
        }
    }

    deinit {
        storage.deallocate()
        pointers.deallocate()
        lengths.deallocate()
    }

    /// A record for each line, without what ends it.
    convenience init(linesOf path: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw ToolError.failed("\(path) cannot be read: \(error.localizedDescription)")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count)
        var ends: [Int] = []
        for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            bytes += line
            ends.append(bytes.count)
        }
        // Behind the last end of a line there is no line.
        if data.last == UInt8(ascii: "\n") || data.isEmpty { ends.removeLast() }
        guard !ends.isEmpty else {
            throw ToolError.failed("\(path) has no lines; there is nothing to append.")
        }
        self.init("lines of \(URL(fileURLWithPath: path).lastPathComponent)", bytes, ends: ends)
    }

    /// Values of `size` bytes each, 10,007 of them or 64 MB.
    convenience init(payload: WorkloadOptions.Payload, size: Int) {
        let count = max(16, min(10_007, (64 << 20) / size))
        var random = SplitMix64(state: 42)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * size)
        var ends: [Int] = []
        for index in 0..<count {
            switch payload {
            case .json: Self.appendEvent(index, size, &random, to: &bytes)
            case .random: for _ in 0..<size { bytes.append(UInt8(truncatingIfNeeded: random.next() >> 24)) }
            }
            ends.append(bytes.count)
        }
        self.init("\(payload.rawValue), \(size) bytes", bytes, ends: ends)
    }

    /// An event as programs log them, cut or filled up to the size with a note in words.
    private static func appendEvent(
        _ index: Int, _ size: Int, _ random: inout SplitMix64, to bytes: inout [UInt8]
    ) {
        let user = index * 7919 % 100_003
        var text =
            #"{"id":\#(index * 31),"user":"u-\#(user)","event":"\#(["click", "view", "buy"][index % 3])""#
            + #","page":"/item/\#(index * 17 % 4999)","ms":\#(index * 13 % 977),"ok":\#(index % 7 != 0)"#
            + #","session":"s\#(index * 104_729 % 99_991)","note":""#
        while text.utf8.count < size - 2 {
            text += words[Int(random.next() % UInt64(words.count))]
            text += " "
        }
        let closed = size > 110 ? String(decoding: text.utf8.prefix(size - 2), as: UTF8.self) + "\"}" : text
        bytes += closed.utf8.prefix(size)
    }

    private static let words: [String] = {
        var random = SplitMix64(state: 7)
        return (0..<2_000).map { _ in
            String(
                (0..<(3 + random.next() % 8)).map { _ in
                    Character(UnicodeScalar(UInt8(ascii: "a") + UInt8(random.next() % 26)))
                })
        }
    }()

    // MARK: What was appended

    /// The sums over `n` records from `start` on, the first again behind the last.
    func summary(from start: Int, _ n: Int) -> BenchSummary {
        var whole = BenchSummary()
        if n >= count { for index in 0..<count { whole.add(self[index]) } }
        var sum = BenchSummary()
        let rounds = n / count
        sum.records = whole.records * rounds
        sum.bytes = whole.bytes * rounds
        sum.checksums = whole.checksums &* UInt64(rounds)
        for index in 0..<(n % count) { sum.add(self[(start + index) % count]) }
        return sum
    }
}

/// Goes through the records from one on, and with them through the keys.
struct BenchCursor {
    private let records: BenchWorkload
    private let keys: [[UInt8]]
    private var at: Int
    private var keyAt: Int

    init(_ records: BenchWorkload, _ keys: BenchKeys, from start: Int) {
        (self.records, self.keys) = (records, keys.keys)
        at = start % records.count
        keyAt = keys.keys.isEmpty ? 0 : start % keys.keys.count
    }

    @inline(__always)
    mutating func next() -> (key: [UInt8]?, value: UnsafeRawBufferPointer) {
        let value = records[at]
        at = at + 1 == records.count ? 0 : at + 1
        guard !keys.isEmpty else { return (nil, value) }
        let key = keys[keyAt]
        keyAt = keyAt + 1 == keys.count ? 0 : keyAt + 1
        return (key, value)
    }
}

/// How many records, of how many bytes; and the sum of their checksums, so that the order does not matter.
struct BenchSummary: Equatable {
    var records = 0
    var bytes = 0
    var checksums: UInt64 = 0

    mutating func add(_ value: UnsafeRawBufferPointer) {
        records += 1
        bytes += value.count
        checksums &+= UInt64(CRC32C.checksum(RawSpan(_unsafeBytes: value)))
    }

    static func + (a: BenchSummary, b: BenchSummary) -> BenchSummary {
        BenchSummary(
            records: a.records + b.records, bytes: a.bytes + b.bytes, checksums: a.checksums &+ b.checksums)
    }
}
#endif
