// `sluice topic consume`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceLog

struct TopicConsume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Print the records of topics, and wait for more.",
        discussion: """
            Without -f a record is a line of JSON: topic, partition, offset, timestamp (ms since 1970), key, \
            value and headers; bytes that are not UTF-8 stand in base64 under key_base64 and value_base64. A \
            format has the fields %t %p %o %k %v %d %h (topic, partition, offset, key, value, timestamp in \
            ms, headers as name=value,name=value) and the escapes \\n \\t \\0 \\r; %% is a percent sign.
            """)

    @Argument(help: "The topics' names.")
    var names: [String]

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Where to begin: start, end, an offset, or @ and ms since 1970 or such as 2013-11-24T01:00:00Z.",
            valueName: "where"))
    var offset = "start"

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        help: "Only this partition; may be given again. All of them unless given.")
    var partition: [Int] = []

    @Option(
        name: [.customShort("n", allowingJoined: true), .customLong("num")],
        help: "End after so many records.")
    var count: Int64?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "How to print a record.")
    var format: String?

    @Option(
        name: .shortAndLong,
        help: "Read as a member of this group, from where it has come to, and commit what was printed.")
    var group: String?

    @Flag(
        name: .shortAndLong, help: "End where the topics ended at the beginning, instead of waiting for more."
    )
    var exitAtEnd = false

    @OptionGroup var store: StoreOption

    func validate() throws {
        if names.isEmpty { throw ValidationError("Name at least one topic.") }
        if group != nil, exitAtEnd || !partition.isEmpty {
            throw ValidationError("-g does not go with -e or -p: the group gives out partitions.")
        }
        if let count, count < 0 { throw ValidationError("-n takes 0 or more records, not \(count).") }
        if StartPosition.parse(offset) == nil {
            throw ValidationError(
                """
                -o takes start, end, an offset from 0 on, or @ and a moment (ms since 1970, or such as \
                2013-11-24T01:00:00Z), not "\(offset)".
                """)
        }
    }

    func run() async throws {
        let start = StartPosition.parse(offset) ?? .earliest
        var output = RecordOutput(try RecordPrinter(format: format), limit: count)
        if count == 0 { return try store.checkExists() }
        if let group {
            do {
                try await store.withStore { try await join(group, start, $0, &output) }
            } catch let error as StreamError {
                guard case .locked = error else { throw error }
                guard let line = ControlLine.open(store.path) else { throw error }
                defer { line.close() }
                try await join(group, start, line, &output)
            }
            return output.finish()
        }
        let isWhole = try await store.withReader { store in
            let partitions = try await partitions(store, start)
            return exitAtEnd
                ? try await read(partitions, start, store, &output)
                : try await follow(partitions, start, store, &output)
        }
        output.finish()
        if !isWhole { throw ToolError.damaged }
    }

    /// Reads as a member of a group; what was printed is committed.
    private func join(
        _ group: String, _ start: Position, _ store: StreamStore, _ output: inout RecordOutput
    ) async throws {
        let configuration = ConsumerConfiguration {
            $0.start = start
            $0.commit = .manual
        }
        let consumer = try await store.consumer(
            group: group, topics: .names(names), configuration: configuration)
        for try await batch in consumer {
            let last = try output.print(batch)
            try await consumer.commit(next: [batch.topicPartition: last])
            if output.isFull { break }
        }
        try await consumer.close()
    }

    /// The same as a member in the process that has the store open: it gives out what is to be read, and the
    /// records are read in the files.
    private func join(
        _ group: String, _ start: Position, _ line: ControlLine, _ output: inout RecordOutput
    ) async throws {
        let topics = JSONValue.array(names.map { .string($0) })
        _ = try result(
            await line.ask("joinGroup", ["group": .string(group), "topics": topics, "start": start.json]))
        let store = try await StreamStore.openReadOnly(at: store.path, includingUnsynced: true)
        defer { store.close() }
        var commit: [String: JSONValue] = [:]
        while let json = try result(await line.ask(output.isFull ? "leaveGroup" : "nextRecords", commit)) {
            if output.isFull { return }
            guard let partition = json["partition"].flatMap(TopicPartition.init),
                let from = json["from"]?.integer, let end = json["to"]?.integer
            else {
                throw ToolError.failed("What the process answered that has the store open makes no sense.")
            }
            var next = Offset(from)
            for try await batch in try await store.consumer(of: [partition], from: .offset(next)) {
                next = try output.print(batch)
                if next >= Offset(end) || output.isFull { break }
            }
            commit = ["commit": ["partition": partition.json, "offset": .integer(next.rawValue)]]
        }
    }

    /// nil when the command was interrupted; what was printed before is committed.
    private func result(_ answer: ControlClient.Answer) throws -> JSONValue? {
        switch answer {
        case .result(let json): return json
        case .refused(_, let message): throw ToolError.failed(message)
        case .silent:
            if Task.isCancelled { return nil }
            throw ToolError.failed("The process that had the store open has ended, or closed the store.")
        }
    }

    /// What to read. Throws `unknownTopic`, `unknownPartition`, `offsetOutOfRange`.
    private func partitions(_ store: ReadOnlyStore, _ start: Position) async throws -> [TopicPartition] {
        var partitions: [TopicPartition] = []
        for name in names {
            let offsets = try await store.describeTopic(name).partitions
            for number in partition.isEmpty ? Array(offsets.indices) : partition {
                let place = TopicPartition(topic: name, partition: number)
                guard offsets.indices.contains(number) else { throw StreamError.unknownPartition(place) }
                if case .offset(let offset) = start,
                    offset < offsets[number].lowerBound || offset > offsets[number].upperBound
                {
                    throw StreamError.offsetOutOfRange(place, requested: offset, valid: offsets[number])
                }
                partitions.append(place)
            }
        }
        var seen: Set<TopicPartition> = []
        return partitions.filter { seen.insert($0).inserted }
    }

    /// Reads one partition after another to its end. What is wrong with one ends that one, not the others.
    ///
    /// Returns whether nothing was wrong; else it has been told.
    private func read(
        _ partitions: [TopicPartition], _ start: Position, _ store: ReadOnlyStore,
        _ output: inout RecordOutput
    ) async throws -> Bool {
        var isWhole = true
        for partition in partitions where !output.isFull && !Task.isCancelled {
            do {
                let consumer = try await store.consumer(of: [partition], from: start, until: .end)
                try await print(consumer, &output)
            } catch let error as StreamError where error.isOfOnePartition {
                isWhole = false
                _ = Exit.report(error)
            }
        }
        return isWhole
    }

    /// Reads all partitions, and waits for more, until it is interrupted. What is wrong with one ends that
    /// one.
    private func follow(
        _ partitions: [TopicPartition], _ start: Position, _ store: ReadOnlyStore,
        _ output: inout RecordOutput
    ) async throws -> Bool {
        let consumer = try await store.consumer(of: partitions, from: start)
        var told: Set<StreamError> = []
        while true {
            do {
                try await print(consumer, &output)
                return told.isEmpty
            } catch let error as StreamError where error.isOfOnePartition {
                // Told again: no partition is left that could give anything.
                guard told.insert(error).inserted else { return false }
                _ = Exit.report(error)
            }
        }
    }

    /// The loop. It ends at the end of a bounded consumer, with enough records, and on Ctrl-C.
    private func print(_ consumer: Consumer, _ output: inout RecordOutput) async throws {
        for try await batch in consumer {
            _ = try output.print(batch)
            if output.isFull { return }
        }
    }
}

extension StreamError {
    /// Whether it says nothing of other partitions: damage, a file that cannot be read.
    fileprivate var isOfOnePartition: Bool {
        switch self {
        case .offline, .corrupt, .io: true
        default: false
        }
    }
}
#endif
