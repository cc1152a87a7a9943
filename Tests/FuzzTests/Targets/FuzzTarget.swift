// What is fuzzed: a target takes any bytes, gives them to decoders, and checks what these promise.
//
// (1) A target never traps and always ends: what a decoder makes of the bytes is a value or an
// error.
// (2) A promise that does not hold is a `FuzzFailure`. (3) The same input gives the same run.
//
// Two programs run them: Fuzzing/ under libFuzzer, and the tests over the corpus in Fuzzing/Corpus.

/// A decoder, or several of one kind.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// A stored batch: as it is, and with its length and CRC made right.
    case batch
    /// The records within a batch whose header, codec and CRC are right.
    case records
    /// Each codec alone, both ways.
    case codecs
    /// Offset and time index of a segment that is whole.
    case index
    /// A manifest, its bytes or its records in frames whose CRC is right, and the opening of such a store.
    case manifest
    /// A journal, the same way, and the recovery from it.
    case journal
    /// Records of the offsets topic, subscriptions, assignments.
    case offsets
    /// Records of a queue of tasks, and the queue that comes of them.
    case tasks
    /// Windows of messages in a commit, and the queue that comes of one.
    case messages
    /// JSON values.
    case json
    /// What back pressure keeps in the manifest.
    case pressure
    /// Requests and responses of the Kafka protocol.
    case wire
    /// A whole store, damaged.
    case store

    /// Throws when something that is promised does not hold.
    func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        switch self {
        case .batch, .records: for batch in batches(bytes) { try BatchTargets.check(batch) }
        case .codecs: try CodecTarget.run(bytes)
        case .index: try IndexTarget.run(bytes)
        case .manifest: try ManifestTarget.run(bytes)
        case .journal: try JournalTarget.run(bytes)
        case .offsets: try CoreTargets.offsets(bytes)
        case .tasks: try TasksTarget.run(bytes)
        case .messages: try MessagesTarget.run(bytes)
        case .json: try CoreTargets.json(bytes)
        case .pressure: try CoreTargets.pressure(bytes)
        case .wire: try WireTarget.run(bytes)
        case .store: try StoreTarget.run(bytes)
        }
    }

    /// The stored batches that an input of `batch` or `records` stands for.
    func batches(_ bytes: [UInt8]) -> [[UInt8]] {
        switch self {
        case .batch: [bytes] + BatchTargets.mended(bytes)
        case .records: [BatchTargets.batch(around: bytes)]
        default: []
        }
    }
}

/// A promise that did not hold.
struct FuzzFailure: Error, CustomStringConvertible {
    var description: String
}

/// Throws unless it holds.
func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(FuzzFailure) {
    if !holds { throw FuzzFailure(description: what()) }
}

/// Takes an input apart. Behind its end there are zeros.
struct FuzzInput {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// Two bytes, the greater first.
    mutating func number() -> Int {
        let high = Int(byte())
        return high << 8 | Int(byte())
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return [UInt8](taken)
    }

    /// Runs of bytes, each behind its length in two bytes, to the end.
    mutating func runs() -> [[UInt8]] {
        var runs: [[UInt8]] = []
        while !rest.isEmpty { runs.append(take(number())) }
        return runs
    }

    mutating func remainder() -> [UInt8] { take(rest.count) }
}
