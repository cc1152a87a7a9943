// `sluice demo backpressure`: a fast producer, a consumer that slows, stops and comes back, a small disk.

#if Tool
import ArgumentParser
import Foundation
import Logging
import Sluice

struct DemoPressureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backpressure",
        abstract: "Watch a producer being slowed by a consumer that slows, stops and comes back.",
        discussion: """
            A real store in a directory of its own, with a disk budget of 128 MiB; records are kept until \
            the consumer, which commits every 5 s, has read them. On a terminal the run is drawn as it \
            goes; elsewhere a line a second is printed. The directory is removed at the end.
            """)

    @Option(help: "How long the run takes, seconds, 10 to 600.")
    var seconds = 60

    @Option(help: ArgumentHelp("Where to write a plot of the run.", valueName: "file"))
    var svg: String?

    @Option(help: ArgumentHelp("Where to make the store's directory.", valueName: "dir"))
    var directory = NSTemporaryDirectory()

    func validate() throws {
        if !(10...600).contains(seconds) { throw ValidationError("--seconds takes 10 to 600.") }
    }

    func run() async throws {
        let path = directory + "/sluice-demo-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try await StreamStore.open(
            at: path,
            configuration: StoreConfiguration {
                $0.diskBytes = 128 << 20
                // What it says would be drawn over.
                $0.logger.logLevel = .error
            })
        var samples: [PressureSample] = []
        do {
            samples = try await watch(store)
        } catch {
            try? await store.close()
            throw error
        }
        try await store.close()
        if let svg {
            try PressurePlot(samples).text.write(toFile: svg, atomically: true, encoding: .utf8)
            try StandardOutput.print("wrote \(svg)")
        }
    }

    private func watch(_ store: StreamStore) async throws -> [PressureSample] {
        try await store.admin.createTopic(
            Self.topic,
            configuration: TopicConfiguration {
                $0.retention = .untilConsumed(by: [Self.group])
                $0.lagTarget = .seconds(3)
                $0.compression = .uncompressed
            })
        let counts = PressureCounts()
        let end = ContinuousClock.now + .seconds(seconds)
        return try await withThrowingTaskGroup(of: [PressureSample]?.self) { tasks in
            tasks.addTask { try await Self.produce(store, counts, until: end) }
            tasks.addTask { try await Self.consume(store, counts, seconds: Double(seconds), until: end) }
            tasks.addTask { try await Self.sample(store, counts, seconds: Double(seconds), until: end) }
            var samples: [PressureSample] = []
            while let result = try await tasks.next() {
                guard let result else { continue }
                samples = result
                // The run is over; the producer may be waiting.
                tasks.cancelAll()
            }
            return samples
        }
    }

    private static let topic = "events"
    private static let group = "reader"

    /// As fast as it is let.
    private static func produce(
        _ store: StreamStore, _ counts: PressureCounts, until end: ContinuousClock.Instant
    ) async throws -> [PressureSample]? {
        let value = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000)
        var lane = try await store.producer(for: topic).appender()
        do throws(StreamError) {
            while ContinuousClock.now < end {
                for _ in 0..<64 { try await lane.append(value: value) }
                counts.sent(64 * value.count)
            }
            try await lane.flush()
        } catch {
            guard case .cancelled = error else { throw error }
        }
        return nil
    }

    /// How fast the consumer reads, bytes per second, in each part of the run.
    static func pace(_ part: Double) -> Double {
        switch part {
        case ..<0.25: 24e6
        case ..<0.5: 6e6
        case ..<0.65: 0
        default: 40e6
        }
    }

    /// Reads at a pace that changes, and commits every 5 s.
    private static func consume(
        _ store: StreamStore, _ counts: PressureCounts, seconds: Double, until end: ContinuousClock.Instant
    ) async throws -> [PressureSample]? {
        let consumer = try await store.consumer(
            group: group, topics: .names([topic]),
            configuration: ConsumerConfiguration {
                $0.commit = .processed(every: .seconds(5))
                $0.maxBatchBytes = 256 << 10
            })
        let begun = ContinuousClock.now
        var credit = 0.0
        var last = begun
        do {
            for try await batch in consumer {
                credit -= Double(batch.byteCount)
                while credit < 0, ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(10))
                    let now = ContinuousClock.now
                    let part = Self.seconds(now - begun) / seconds
                    credit = min(credit + pace(part) * Self.seconds(now - last), 1e6)
                    last = now
                }
                counts.read(batch.byteCount)
                if ContinuousClock.now >= end { break }
            }
        } catch is CancellationError {
            // The run is over.
        }
        try? await consumer.close()
        return nil
    }

    private static func sample(
        _ store: StreamStore, _ counts: PressureCounts, seconds: Double, until end: ContinuousClock.Instant
    ) async throws -> [PressureSample]? {
        let begun = ContinuousClock.now
        var samples: [PressureSample] = []
        var chart = PressureChart(seconds: seconds)
        var last = (moment: begun, sent: Int64(0), read: Int64(0))
        while ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(250))
            let report = try await store.pressure(on: topic)
            let now = ContinuousClock.now
            let (sent, read) = counts.now
            let passed = max(Self.seconds(now - last.moment), 1e-3)
            samples.append(
                PressureSample(
                    seconds: Self.seconds(now - begun), sentRate: Double(sent - last.sent) / passed,
                    readRate: Double(read - last.read) / passed, report: report))
            last = (now, sent, read)
            try chart.show(samples)
        }
        try chart.finish(samples)
        return samples
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

/// What was seen of a run at one moment.
struct PressureSample: Sendable {
    var seconds: Double
    /// Bytes per second since the sample before.
    var sentRate: Double
    var readRate: Double
    var report: PressureReport
}

/// What producer and consumer have done so far.
final class PressureCounts: @unchecked Sendable {
    private let lock = NSLock()
    // Guarded by `lock`.
    private var sentBytes: Int64 = 0
    private var readBytes: Int64 = 0

    func sent(_ bytes: Int) { lock.withLock { sentBytes += Int64(bytes) } }
    func read(_ bytes: Int) { lock.withLock { readBytes += Int64(bytes) } }
    var now: (sent: Int64, read: Int64) { lock.withLock { (sentBytes, readBytes) } }
}
#endif
