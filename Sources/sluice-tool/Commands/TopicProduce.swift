// `sluice topic produce`

#if Tool
import ArgumentParser
import Sluice

struct TopicProduce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Append records from standard input to a topic.",
        discussion: """
            A format says how records stand in the input: the fields %k %v %p %d %h (key, value, partition, \
            timestamp in ms, headers as name=value,name=value), each up to the text behind it, and the \
            escapes \\n \\t \\0 \\r. The last record needs no end. With -o one receipt a record is printed \
            after its acknowledgement, in the order of the input for each partition; its format has %t %p %o \
            %d.
            """)

    @Argument(help: "The topic's name.")
    var name: String

    @Option(name: .shortAndLong, parsing: .unconditional, help: "How records stand in the input.")
    var format = #"%v\n"#

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The key of every record.")
    var key: String?

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        help: "The partition of every record; else by the key, else one after another.")
    var partition: Int?

    @Option(
        name: [.customShort("z", allowingJoined: true), .long], help: "The codec; else the topic's, else lz4."
    )
    var compression: CodecArgument?

    @Option(help: "What is waited for: durable survives a loss of power, written the death of the process.")
    var acks = AcksArgument.durable

    @Option(
        name: [.customShort("o"), .long], parsing: .unconditional, help: "Print a receipt for each record.")
    var outputFormat: String?

    @OptionGroup var disk: DiskBudgetOption
    @OptionGroup var store: StoreOption

    func run() async throws {
        let layout = try InputLayout(format: format, key: key, partition: partition)
        let receiptFormat = try receiptFormat()
        let interrupter = try Interrupter()
        try await store.withStore(disk.configuration) { store in
            let partitions = try await store.admin.describeTopic(name).partitions.count
            if let partition, !(0..<partitions).contains(partition) {
                throw StreamError.unknownPartition(TopicPartition(topic: name, partition: partition))
            }
            let producer = try await store.producer(
                for: name,
                configuration: ProducerConfiguration {
                    $0.acknowledgement = acks.level
                    $0.compression = compression?.codec
                })
            let session = ProduceSession(
                producer: producer, partitions: partitions, layout: layout, receiptFormat: receiptFormat,
                files: TopicFiles(store: store.path, topic: name, partitions: partitions))
            // Cancelling ends the input. The work itself is not cancelled: what was read is appended and
            // acknowledged.
            try await withTaskCancellationHandler {
                try await Task.detached { try await session.run(ByteInput(0, interrupter)) }.value
            } onCancel: {
                interrupter.interrupt()
            }
        }
    }

    private func receiptFormat() throws -> RecordFormat? {
        guard let outputFormat else { return nil }
        let format = try RecordFormat(outputFormat)
        for field in [RecordField.key, .value, .headers] where format.contains(field) {
            throw ToolError.usage("A receipt has the fields %t %p %o %d: \(field.name) is in the input.")
        }
        return format
    }
}
#endif
