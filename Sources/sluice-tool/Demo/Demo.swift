// Real input through a store: append it, replay it from offset 0 and from a moment, compare; close, reopen,
// and again.
//
// (1) The comparison is made by hashes of the input file, taken before. (2) The moment is when half of the
// input had been appended and acknowledged: what came after it must come back, and nothing else.

#if Tool
import Sluice

/// One topic of the demo: what went in.
struct DemoRun: Sendable {
    let input: DemoInput
    /// Where the second half of the input begins, in bytes of the file.
    let half: Int64
    private(set) var whole = Fingerprint()
    private(set) var secondHalf = Fingerprint()
    private(set) var moment = Timestamp(millisecondsSince1970: 0)

    /// Reads the input once and takes its fingerprints.
    init(_ input: DemoInput) async throws {
        self.input = input
        half = input.size() / 2
        let half = half
        var (whole, second) = (Fingerprint(), Fingerprint())
        try await input.read { key, value, position in
            whole.add(key: key, value: value)
            if position >= half { second.add(key: key, value: value) }
        }
        (self.whole, secondHalf) = (whole, second)
    }

    /// Makes the topic and appends the input. Returns the seconds that the appending took.
    mutating func append(to store: StreamStore) async throws -> Double {
        try await store.admin.createTopic(input.topic, partitions: input.partitions)
        let half = half
        var lane = try await store.producer(for: input.topic).appender()
        var moment: Timestamp?
        var nanoseconds: Int64 = 0
        var begun = System.monotonicNanoseconds
        try await input.read { key, value, position in
            if moment == nil, position >= half {
                try await lane.flush()
                nanoseconds += System.monotonicNanoseconds - begun
                moment = try await Self.momentBetween()
                begun = System.monotonicNanoseconds
            }
            try await lane.append(key: key, value: value)
        }
        try await lane.close()
        nanoseconds += System.monotonicNanoseconds - begun
        self.moment = moment ?? .now
        return Double(nanoseconds) / 1e9
    }

    /// A moment later than every timestamp given out before the call, and earlier than every one after it.
    ///
    /// Records are stamped by a clock that moves every few milliseconds: it must have moved on both sides.
    private static func momentBetween() async throws -> Timestamp {
        try await Task.sleep(for: .milliseconds(20))
        let moment = Timestamp.now
        try await Task.sleep(for: .milliseconds(20))
        return moment
    }

    /// Reads the topic from a position to its end. Returns what came, and the seconds it took, with and
    /// without hashing.
    func replay(_ store: StreamStore, from position: Position, hashing: Bool) async throws -> (
        Fingerprint, Double
    ) {
        let begun = System.monotonicNanoseconds
        var fingerprint = Fingerprint()
        for try await batch in try await store.consumer(of: input.topic, from: position, until: .end) {
            var records = batch.records
            if hashing {
                while let record = records.next() { fingerprint.add(key: record.key, value: record.value) }
            } else {
                while let record = records.next() { fingerprint.count(key: record.key, value: record.value) }
            }
        }
        try Task.checkCancellation()
        return (fingerprint, Double(System.monotonicNanoseconds - begun) / 1e9)
    }
}
#endif
