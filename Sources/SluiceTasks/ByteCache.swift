// Payloads that are still to be given out, and results that are still to be asked for: as many bytes as it
// may hold, the oldest go first.

/// What the cache has of a task.
enum CachedBytes: UInt8 { case payload, result }

/// Bytes by task.
struct ByteCache: Sendable {
    private struct Key: Hashable {
        var sequence: UInt64
        var kind: CachedBytes
    }
    private let limit: Int
    private var bytes: [Key: [UInt8]] = [:]
    private var order: [Key] = []
    private var head = 0
    private var used = 0
    /// What an entry takes beside its bytes, about.
    private static let overhead = 96

    init(limit: Int) { self.limit = limit }

    mutating func put(_ value: [UInt8], _ sequence: UInt64, _ kind: CachedBytes) {
        let key = Key(sequence: sequence, kind: kind)
        guard value.count + Self.overhead <= limit, bytes[key] == nil else { return }
        bytes[key] = value
        order.append(key)
        used += value.count + Self.overhead
        // Keys of what was taken are still in the order: they go with the oldest, too.
        while used > limit || order.count - head > max(1024, 2 * bytes.count), head < order.count {
            drop(order[head])
            head += 1
        }
        guard head > 1024, head * 2 > order.count else { return }
        order.removeFirst(head)
        head = 0
    }

    func get(_ sequence: UInt64, _ kind: CachedBytes) -> [UInt8]? {
        bytes[Key(sequence: sequence, kind: kind)]
    }

    mutating func take(_ sequence: UInt64, _ kind: CachedBytes) -> [UInt8]? {
        let key = Key(sequence: sequence, kind: kind)
        defer { drop(key) }
        return bytes[key]
    }

    private mutating func drop(_ key: Key) {
        guard let value = bytes.removeValue(forKey: key) else { return }
        used -= value.count + Self.overhead
    }
}
