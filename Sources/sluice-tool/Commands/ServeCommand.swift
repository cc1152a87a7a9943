// `sluice serve`: the store behind Kafka's protocol, until it is told to end.

#if Tool
import ArgumentParser
import Logging
import Metrics
import Sluice
import SluiceServer
import SluiceTasks

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the store to Kafka's clients.",
        discussion: """
            Makes the store when there is none. Listens on this machine alone unless told otherwise. \
            Ctrl-C or SIGTERM ends it: what is under way is answered, and the store is closed.

            With --tls-cert and --tls-key it speaks TLS and nothing else; the files are read again once a \
            minute, for those who connect from then on. With --sasl clients must say who \
            they are, with a name and a password of `sluice user create`: by SCRAM-SHA-256 or SCRAM-SHA-512, \
            and under TLS by PLAIN too. On an address that others reach, use both.
            """)

    @Option(help: ArgumentHelp("Where to listen.", valueName: "host:port"))
    var listen = HostAndPort(host: "127.0.0.1", port: 9092)

    @Option(
        help: ArgumentHelp(
            "Where clients are told to find the server; else where each has come to.", valueName: "host:port")
    )
    var advertise: HostAndPort?

    @Option(
        help: ArgumentHelp(
            "Speak TLS with this certificate, in PEM; those of its authorities behind it.", valueName: "file")
    )
    var tlsCert: String?

    @Option(
        help: ArgumentHelp("The certificate's key, in PEM, without a passphrase.", valueName: "file"))
    var tlsKey: String?

    @Flag(help: "Let in only users of `sluice user create`: SCRAM-SHA-256, SCRAM-SHA-512; PLAIN under TLS.")
    var sasl = false

    @Flag(help: "Make topics that clients ask for and that do not exist.")
    var autoCreate = false

    @Option(help: "Partitions of topics that are made without saying how many.")
    var partitions = 1

    @Option(help: ArgumentHelp("Serve metrics to Prometheus there, at /metrics.", valueName: "host:port"))
    var metrics: HostAndPort?

    @Option(
        name: .customLong("producer-byte-rate"),
        help: ArgumentHelp("Bytes a second that a client id may send.", valueName: "bytes"))
    var producerByteRate: Int64?

    @Option(
        name: .customLong("consumer-byte-rate"),
        help: ArgumentHelp("Bytes a second that a client id may take.", valueName: "bytes"))
    var consumerByteRate: Int64?

    @Option(help: "How much to log: trace, debug, info, notice, warning, error, critical.")
    var logLevel = LogLevel(level: .notice)

    @OptionGroup var store: StoreOption
    @OptionGroup var budget: DiskBudgetOption

    func run() async throws {
        var logger = Logger(label: "sluice", factory: StandardErrorLog.init)
        logger.logLevel = logLevel.level
        var configuration = budget.configuration
        configuration.logger = logger
        let tls = try readTLS()
        let numbers = PrometheusMetrics()
        if metrics != nil { MetricsSystem.bootstrap(numbers) }
        let exporter = metrics.map { MetricsServer(numbers, at: .init(host: $0.host, port: $0.port)) }
        try await store.withStore(configuration, mayMake: true) { [logger] store in
            let keeper = try await QueueKeeper.open(store)
            defer { withExtendedLifetime(keeper) {} }
            let exporting = Task { await export(exporter, logger) }
            let result = await serve(store, tls, logger)
            exporter?.shutdown()
            await exporting.value
            try result.get()
        }
    }

    /// Serves until the command is interrupted.
    private func serve(
        _ store: StreamStore, _ tls: KafkaServerTLS?, _ logger: Logger
    ) async -> Result<Void, any Error> {
        if sasl, (try? await store.admin.users().isEmpty) == true {
            logger.warning("there are no users yet: nobody is let in until `sluice user create` makes one")
        }
        let server = KafkaServer(
            store: store,
            configuration: .init {
                $0.host = listen.host
                $0.port = listen.port
                $0.advertised = advertise.map { .init(host: $0.host, port: $0.port) }
                $0.tls = tls
                $0.sasl = sasl
                $0.autoCreateTopics = autoCreate
                $0.partitions = partitions
                $0.defaultQuota = ClientQuota(
                    producerBytesPerSecond: producerByteRate, consumerBytesPerSecond: consumerByteRate)
                $0.logger = logger
            })
        // Not cancelled with this task: what is under way is to be answered.
        let running = Task { try await server.run() }
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            server.shutdown()
        }
        return result.mapError { ToolError.failed("The server cannot listen on \(listen): \($0)") }
    }

    func validate() throws {
        guard partitions >= 1 else { throw ValidationError("--partitions is 1 or more.") }
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("TLS takes both, --tls-cert and --tls-key.")
        }
    }

    /// What is wrong with it is said before the store is opened or made.
    private func readTLS() throws -> KafkaServerTLS? {
        guard let tlsCert, let tlsKey else { return nil }
        do throws(KafkaServerTLS.Problem) {
            return try KafkaServerTLS(certificateFile: tlsCert, keyFile: tlsKey)
        } catch {
            throw ToolError.failed(error.description)
        }
    }
}

/// Serves metrics until it is told to end; that it cannot is no reason to end the server.
private func export(_ exporter: MetricsServer?, _ logger: Logger) async {
    do {
        try await exporter?.run()
    } catch {
        logger.error("metrics are not served", metadata: ["error": "\(error)"])
    }
}

/// `127.0.0.1:9092`, `[::1]:9092`.
struct HostAndPort: ExpressibleByArgument, Hashable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"),
            let port = Int(argument[argument.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = argument[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var defaultValueDescription: String { description }
}

struct LogLevel: ExpressibleByArgument {
    var level: Logger.Level

    init(level: Logger.Level) { self.level = level }
    init?(argument: String) {
        guard let level = Logger.Level(rawValue: argument) else { return nil }
        self.level = level
    }
    var defaultValueDescription: String { level.rawValue }
}
#endif
