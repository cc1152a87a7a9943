// A Kafka broker in this process: Kafka's protocol over TCP, in front of a store.
//
// (1) `run` owns everything that it starts, and comes back when all of it has ended. (2) A graceful shutdown
// takes no new connections and no new requests, answers what is under way, then closes; it does not close the
// store. (3) One connection's failure is nobody else's.

#if Server
import Logging
import NIOCore
import NIOPosix
import NIOSSL
public import ServiceLifecycle
public import Sluice
import SluiceLog

/// A server that Kafka's clients can use as they are, in front of a store of this process.
///
/// ```swift
/// let store = try await StreamStore.open(at: "data")
/// let server = KafkaServer(store: store)
/// // Services end in reverse order: the store last.
/// let services = ServiceGroup(
///     services: [store, server], gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await services.run()
/// ```
public final class KafkaServer: Service {
    /// How a server behaves.
    public typealias Configuration = KafkaServerConfiguration

    private let configuration: Configuration
    private let connection: ConnectionSettings
    private let broker: Broker
    private let requests: SharedBudget
    private let state = Locked(State())

    private struct State: ~Copyable {
        var sessions: [ObjectIdentifier: Session] = [:]
        var address: Address?
        var waiting: [PendingAnswer<Address?>] = []
        var listener: (any Channel)?
        var isEnding = false
        /// What is shown to those who connect.
        var tls: KafkaServerTLS?
    }

    /// A place that a server listens at.
    public struct Address: Sendable, Hashable, CustomStringConvertible {
        /// A name or an address.
        public var host: String
        /// The port.
        public var port: Int

        /// A place.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// `host:port`; an address of IPv6 is put into brackets.
        public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// A server for a store. Nothing happens before `run`.
    public init(store: StreamStore, configuration: Configuration = .init()) {
        self.configuration = configuration
        broker = Broker(ServedStore(store), configuration.broker, logger: configuration.logger)
        requests = SharedBudget(limit: configuration.requestMemoryBytes)
        var connection = configuration.connection
        if configuration.sasl {
            connection.authenticator = Authenticator(
                broker.served, isSecure: configuration.tls != nil, broker.metrics,
                logger: configuration.logger)
        }
        self.connection = connection
        state.withLock { $0.tls = configuration.tls }
    }

    /// Where it listens, once it does: of use with port 0. nil when it has ended before.
    public nonisolated(nonsending) func address() async -> Address? {
        let pending = PendingAnswer<Address?>()
        state.withLock { state in
            if let address = state.address {
                pending.give(address)
            } else if state.isEnding {
                pending.give(nil)
            } else {
                state.waiting.append(pending)
            }
        }
        return await pending.value() ?? nil
    }

    /// Service: listens, and serves until graceful shutdown or `shutdown`.
    ///
    /// Throws what the system says when it cannot listen there.
    public func run() async throws {
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoops)
        let result: Result<Void, any Error>
        do {
            try await withGracefulShutdownHandler {
                try await serve(loops)
            } onGracefulShutdown: {
                self.shutdown()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        let waiting = state.withLock { state in
            state.isEnding = true
            state.listener = nil
            defer { state.waiting = [] }
            return state.waiting
        }
        for pending in waiting { pending.give(nil) }
        try? await loops.shutdownGracefully()
        try result.get()
    }

    /// Begins the end: `run` returns when what is under way has been answered, or after ten seconds.
    public func shutdown() {
        let (listener, sessions) = state.withLock { state in
            state.isEnding = true
            // Under the lock: `run` ends the loops, and takes the listener away before.
            state.listener?.eventLoop.scheduleTask(in: .seconds(Self.drainSeconds)) { [self] in
                for session in self.state.withLock({ Array($0.sessions.values) }) { session.abort() }
            }
            return (state.listener, Array(state.sessions.values))
        }
        listener?.close(promise: nil)
        for session in sessions { session.drain() }
    }

    private static let drainSeconds: Int64 = 10

    private func serve(_ loops: MultiThreadedEventLoopGroup) async throws {
        let listener = try await ServerBootstrap(group: loops)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .bind(host: configuration.host, port: configuration.port) { [self] channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel) }
            }
        let address = Address(
            host: configuration.host, port: listener.channel.localAddress?.port ?? configuration.port)
        let (waiting, isEnding) = state.withLock { state in
            state.address = address
            state.listener = listener.channel
            defer { state.waiting = [] }
            return (state.waiting, state.isEnding)
        }
        for pending in waiting { pending.give(address) }
        broker.logger.notice(
            "listening",
            metadata: [
                "address": "\(address)", "advertised": "\(configuration.advertised?.description ?? "-")",
                "store": "\(broker.served.store.path)",
            ])
        if isEnding { listener.channel.close(promise: nil) }
        let renewing = Task { await renewTLS() }
        defer { renewing.cancel() }
        try await listener.executeThenClose { inbound in
            await withDiscardingTaskGroup { group in
                do {
                    for try await session in inbound {
                        guard let session else { continue }
                        group.addTask { [self] in
                            await session.run()
                            forget(session)
                        }
                    }
                } catch {
                    broker.logger.error("no more connections are taken", metadata: ["error": "\(error)"])
                }
            }
        }
        broker.logger.notice("the server has ended")
    }

    /// A connection has come; nil when there are too many.
    private func accept(_ channel: any Channel) throws -> Session? {
        let peer = channel.remoteAddress?.ipAddress ?? "unknown"
        let local = channel.localAddress
        let session = Session(
            broker, connection, peer: peer,
            local: Endpoint(
                host: local?.ipAddress ?? configuration.host, port: local?.port ?? configuration.port))
        let count = state.withLock { state -> Int? in
            guard state.sessions.count < configuration.maxConnections, !state.isEnding else { return nil }
            state.sessions[ObjectIdentifier(session)] = session
            return state.sessions.count
        }
        guard let count else {
            broker.logger.warning(
                "a connection was refused: there are too many, or the server ends",
                metadata: ["client": "\(peer)"])
            channel.close(promise: nil)
            return nil
        }
        broker.metrics.connected(count)
        broker.metrics.accept()
        let pipeline = channel.pipeline.syncOperations
        if let tls = state.withLock({ $0.tls }) {
            try pipeline.addHandler(NIOSSLServerHandler(context: tls.context))
            try pipeline.addHandler(
                HandshakeDeadline(session, nanoseconds: configuration.handshakeTimeout.nanoseconds))
        }
        try pipeline.addHandler(ConnectionHandler(session, connection, requests))
        return session
    }

    /// Reads the certificate again now and then, until it is cancelled. Files that cannot be used change
    /// nothing.
    private func renewTLS() async {
        var lastProblem: KafkaServerTLS.Problem?
        while let tls = state.withLock({ $0.tls }) {
            guard (try? await Task.sleep(for: configuration.tlsRenewal)) != nil else { return }
            do throws(KafkaServerTLS.Problem) {
                let renewed = try tls.renewed()
                lastProblem = nil
                guard let renewed else { continue }
                state.withLock { $0.tls = renewed }
                broker.logger.notice("a new certificate is shown from now on")
            } catch {
                if error != lastProblem {
                    broker.logger.error(
                        "the certificate cannot be read again; the one before is shown",
                        metadata: ["error": "\(error)"])
                }
                lastProblem = error
            }
        }
    }

    private func forget(_ session: Session) {
        let count = state.withLock { state in
            state.sessions[ObjectIdentifier(session)] = nil
            return state.sessions.count
        }
        broker.metrics.connected(count)
    }
}
#endif
