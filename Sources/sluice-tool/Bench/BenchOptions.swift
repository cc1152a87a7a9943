// What the commands of `sluice bench` have in common: the workload, the store, what is printed.

#if Tool
import ArgumentParser
import Foundation
import Logging
import Sluice
import SluiceCore

/// What is appended.
struct WorkloadOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("How many records; of --input, its lines, unless given.", valueName: "n"))
    var records: Int?

    @Option(help: ArgumentHelp("Bytes of a record's value, 1 to 1,000,000.", valueName: "bytes"))
    var size = 124

    @Option(help: "What a value is: json, which compresses like events, or random, which does not.")
    var payload = Payload.json

    @Option(help: ArgumentHelp("A record per line of this file, instead.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("How many different keys there are; 0: none.", valueName: "n"))
    var keys = 0

    @Option(help: ArgumentHelp("How many headers a record has, of 16 bytes.", valueName: "n"))
    var headers = 0

    enum Payload: String, ExpressibleByArgument, CaseIterable { case json, random }

    mutating func validate() throws {
        if !(1...1_000_000).contains(size) { throw ValidationError("--size takes 1 to 1000000.") }
        if let records, !(1...100_000_000_000).contains(records) {
            throw ValidationError("--records takes 1 or more.")
        }
        if !(0...100_000_000).contains(keys) { throw ValidationError("--keys takes 0 to 100000000.") }
        if !(0...100).contains(headers) { throw ValidationError("--headers takes 0 to 100.") }
    }

    func make() throws -> BenchWorkload {
        try input.map { try BenchWorkload(linesOf: $0) } ?? BenchWorkload(payload: payload, size: size)
    }

    /// How many records a run has that was not told: about so many bytes.
    func count(of workload: BenchWorkload, bytes: Int = 300_000_000) -> Int {
        if let records { return records }
        if input != nil { return workload.count }
        return max(1_000, min(10_000_000, bytes / max(workload.meanBytes, 40)))
    }
}

/// Where, and how it is written.
struct TargetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the store is made, and removed at the end. /dev/shm measures the program, a disk the disk.",
            valueName: "dir"))
    var directory = NSTemporaryDirectory()

    @Option(help: "The codec: lz4, none, zstd, gzip, snappy.")
    var codec = Codec.lz4

    @Option(help: "When an append counts as done: durable, written, none.")
    var acks = Acks.durable

    @Option(help: ArgumentHelp("Tasks that append, 1 to 1,024.", valueName: "n"))
    var producers = 1

    @Option(help: ArgumentHelp("Partitions of the topic, 1 to 100,000.", valueName: "n"))
    var partitions = 1

    @Option(help: ArgumentHelp("Raw bytes of a batch.", valueName: "bytes"))
    var batch = 64 << 10

    @Option(help: ArgumentHelp("How long a batch waits for more, milliseconds.", valueName: "ms"))
    var linger = 0.0

    @Option(help: ArgumentHelp("Bytes that are accepted and not acknowledged.", valueName: "bytes"))
    var buffer = 32 << 20

    @Flag(help: "Print the line of JSON alone.")
    var json = false

    @Flag(help: "Do not read back and compare what was written.")
    var noVerify = false

    enum Codec: String, ExpressibleByArgument, CaseIterable {
        case lz4, none, zstd, gzip, snappy

        var compression: Compression {
            switch self {
            case .lz4: .lz4
            case .none: .uncompressed
            case .zstd: .zstd
            case .gzip: .gzip
            case .snappy: .snappy
            }
        }
    }

    enum Acks: String, ExpressibleByArgument, CaseIterable {
        case durable, written, none

        var acknowledgement: Acknowledgement {
            switch self {
            case .durable: .durable
            case .written: .written
            case .none: .none
            }
        }
    }

    mutating func validate() throws {
        if !(1...1_024).contains(producers) { throw ValidationError("--producers takes 1 to 1024.") }
        if !(1...100_000).contains(partitions) { throw ValidationError("--partitions takes 1 to 100000.") }
        if !(1_024...1 << 20).contains(batch) { throw ValidationError("--batch takes 1024 to 1048576.") }
        if !(1_024...1 << 40).contains(buffer) { throw ValidationError("--buffer takes 1024 or more.") }
        if !linger.isFinite || linger < 0 || linger > 60_000 {
            throw ValidationError("--linger takes 0 to 60000.")
        }
    }

    var topic: TopicConfiguration {
        TopicConfiguration {
            $0.durability = acks == .durable ? .durable : .written
            $0.compression = codec.compression
            // What is measured is not to go meanwhile.
            $0.retentionTime = nil
        }
    }

    var producer: ProducerConfiguration {
        var configuration = ProducerConfiguration()
        configuration.acknowledgement = acks.acknowledgement
        configuration.compression = codec.compression
        configuration.batchBytes = batch
        configuration.linger = .nanoseconds(Int64(linger * 1e6))
        configuration.bufferBytes = buffer
        return configuration
    }

    /// Makes the topic of a run.
    func makeTopic(in store: StreamStore) async throws {
        try await store.admin.createTopic(BenchAppend.topic, partitions: partitions, configuration: topic)
    }

    /// The figures of a run, begun with the machine and what tells it from another.
    func figures(
        of bench: String, _ workload: BenchWorkload, _ options: WorkloadOptions, in directory: BenchDirectory
    ) -> BenchFigures {
        var figures = BenchFigures()
        figures.add("bench", .string(bench))
        figures.addMachine(directory.path)
        figures.add("workload", .string(workload.name))
        figures.add("record_bytes", .integer(Int64(workload.meanBytes)))
        figures.add("keys", .integer(Int64(options.keys)))
        figures.add("headers", .integer(Int64(options.headers)))
        figures.add("codec", .string(codec.rawValue))
        figures.add("acks", .string(acks.rawValue))
        figures.add("producers", .integer(Int64(producers)))
        figures.add("partitions", .integer(Int64(partitions)))
        figures.add("batch_bytes", .integer(Int64(batch)))
        figures.add("linger_ms", .number(linger))
        figures.add("buffer_bytes", .integer(Int64(buffer)))
        return figures
    }
}

/// A directory of a run's own, gone with it.
struct BenchDirectory {
    let path: String

    init(in directory: String) throws {
        path = directory + "/sluice-bench-\(ProcessInfo.processInfo.processIdentifier)"
        do {
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        } catch {
            throw ToolError.failed(
                "\(path) cannot be made: \(error.localizedDescription). Give another --directory.")
        }
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Opens a store in it that says nothing.
    func openStore(_ name: String = "store") async throws -> StreamStore {
        try await StreamStore.open(
            at: path + "/" + name, configuration: StoreConfiguration { $0.logger.logLevel = .error })
    }
}
#endif
