// `sluice topic consume`

#if Tool
import ArgumentParser
import Sluice
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

    @Flag(
        name: .shortAndLong, help: "End where the topics ended at the beginning, instead of waiting for more."
    )
    var exitAtEnd = false

    @OptionGroup var store: StoreOption

    func validate() throws {
        if names.isEmpty { throw ValidationError("Name at least one topic.") }
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
        let printer = try RecordPrinter(format: format)
        let start = StartPosition.parse(offset) ?? .earliest
        if count == 0 { return try store.checkExists() }
        try await store.withStore { store in
            let partitions = try await partitions(store.admin)
            let consumer = try await store.consumer(
                of: partitions, from: start, until: exitAtEnd ? .end : .never)
            try await print(consumer, printer)
        }
    }

    /// What to read. Throws `unknownTopic`, `unknownPartition`.
    private func partitions(_ admin: Admin) async throws -> [TopicPartition] {
        var partitions: [TopicPartition] = []
        for (index, name) in names.enumerated() where !names[..<index].contains(name) {
            let count = try await admin.describeTopic(name).partitions.count
            for number in partition.isEmpty ? Array(0..<count) : partition {
                let place = TopicPartition(topic: name, partition: number)
                guard (0..<count).contains(number) else { throw StreamError.unknownPartition(place) }
                if !partitions.contains(place) || partition.isEmpty { partitions.append(place) }
            }
        }
        return partitions
    }

    /// The loop. It ends by itself at the end, with -e, and on Ctrl-C.
    private func print(_ consumer: Consumer, _ printer: RecordPrinter) async throws {
        var output = StandardOutput()
        var progress = Progress(isShown: !System.isTerminal(1))
        var (records, bytes, storedBytes): (Int64, Int64, Int64) = (0, 0, 0)
        for try await batch in consumer {
            records += try print(batch, printer, most: (count ?? .max) - records, to: &output)
            // A batch is a large write already, and the loop may have to wait for the next one.
            try output.flush()
            bytes += Int64(batch.byteCount)
            storedBytes += Int64(batch.storedByteCount)
            progress.update(records: records, bytes: bytes, storedBytes: storedBytes)
            if let count, records >= count { break }
        }
        progress.finish(records: records, bytes: bytes, storedBytes: storedBytes)
    }

    /// Prints the batch's records, at most so many, and returns how many.
    private func print(
        _ batch: RecordBatch, _ printer: RecordPrinter, most: Int64, to output: inout StandardOutput
    ) throws(ToolError) -> Int64 {
        let (topic, partition) = (batch.topicPartition.topic, batch.topicPartition.partition)
        var place = RecordPlace(topic: topic, partition: partition, offset: 0, timestamp: 0)
        var printed: Int64 = 0
        var records = batch.records
        while printed < most, let record = records.next() {
            place.offset = record.offset.rawValue
            place.timestamp = record.timestamp.millisecondsSince1970
            printer.print(
                place, key: record.key, value: record.value,
                headers: printer.usesHeaders ? record.headers : [],
                into: &output.text)
            try output.recordEnded()
            printed += 1
        }
        return printed
    }
}
#endif
