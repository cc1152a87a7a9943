// A coder that neither reads nor writes: it fills the fields of a version with random values, mostly at the
// boundaries of their types.

@testable import KafkaWire
import SluiceTesting

struct RandomCoder: WireCoder {
    var random: SeededRandom
    /// The records that were drawn; the fields say where they are.
    private(set) var source: [UInt8] = []
    private(set) var version: Int16 = 0
    private(set) var isFlexible = false

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func begin(_ api: ApiKey, _ version: Int16) {
        self.version = version
        isFlexible = api.isFlexible(version)
    }

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ value: inout Value) {
        value = random.pick([0, 1, ~0, .min, .max, .max - 1, Value(truncatingIfNeeded: random.next())])
    }

    mutating func string(_ value: inout String?, isNullable: Bool) {
        if isNullable, random.chance(0.25) { return value = nil }
        let lengths = [0, 1, 5, 126, 127, 128, random.chance(0.05) ? WireLimits.stringBytes : 9]
        value = String(repeating: "x", count: random.pick(lengths))
        if random.chance(0.2) { value = "日本-größer" }
    }

    mutating func bytes(_ value: inout [UInt8]) { value = run() }

    mutating func records(_ value: inout Range<Int>?) {
        if random.chance(0.25) { return value = nil }
        let start = source.count
        source += run()
        value = start..<source.count
    }

    mutating func array<Value: WireValue>(_ value: inout [Value]?, isNullable: Bool) throws(WireError) {
        if isNullable, random.chance(0.25) { return value = nil }
        var elements: [Value] = []
        for _ in 0..<random.pick([0, 1, 1, 1, 2, Value.self == Int32.self ? 130 : 3]) {
            var element = Value()
            try element.code(&self)
            elements.append(element)
        }
        value = elements
    }

    func beginTags() {}
    mutating func tag(_ number: UInt32, if differs: Bool) -> Bool { random.chance(0.5) }
    func endTags(_ outer: Void) {}

    private mutating func run() -> [UInt8] {
        let count = random.pick([0, 1, 7, 126, 127, 128, 20_000])
        return (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    }
}
