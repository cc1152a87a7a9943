// A server on a free port of this machine, and a client that sends frames as they are.

#if Server
import Foundation
import KafkaWire
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Sluice
import SluiceLog
import SluiceServer
import Testing

/// Runs `body` with a store in memory and a server in front of it, and ends both.
func withServer<R: Sendable>(
    _ change: (inout KafkaServerConfiguration) -> Void = { _ in },
    store changeStore: (inout StoreConfiguration) -> Void = { _ in },
    _ body: (StreamStore, KafkaServer.Address) async throws -> R
) async throws -> R {
    try await withStorePath { path in
        let store = try await openStore(at: path, changeStore)
        let result: Result<R, any Error>
        do {
            result = .success(try await withServer(of: store, change) { try await body(store, $0) })
        } catch {
            result = .failure(error)
        }
        try await store.close()
        return try result.get()
    }
}

/// Runs `body` with a place in memory for a store, and removes what is there then.
func withStorePath<R>(_ body: (String) async throws -> R) async throws -> R {
    let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    let path = "\(base)/sluice-server-test-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func openStore(
    at path: String, _ change: (inout StoreConfiguration) -> Void = { _ in }
) async throws -> StreamStore {
    try await StreamStore.open(
        at: path,
        configuration: StoreConfiguration {
            $0.logger = silent
            $0.volume.journalBytes = 2 << 20
            $0.controlSocket = false
            change(&$0)
        })
}

/// Runs `body` with a server in front of a store, and ends it.
func withServer<R: Sendable>(
    of store: StreamStore, _ change: (inout KafkaServerConfiguration) -> Void = { _ in },
    _ body: (KafkaServer.Address) async throws -> R
) async throws -> R {
    let server = KafkaServer(
        store: store,
        configuration: .init {
            $0.port = 0
            $0.logger = silent
            change(&$0)
        })
    let running = Task { try await server.run() }
    let result: Result<R, any Error>
    do {
        let address = try #require(await server.address())
        result = .success(try await body(address))
    } catch {
        result = .failure(error)
    }
    server.shutdown()
    try await running.value
    return try result.get()
}

/// A connection that sends and receives frames.
final class WireClient {
    private let inbound: NIOAsyncChannelInboundStream<NIOCore.ByteBuffer>
    // One task uses a client; NIO asks more of whom it hands the iterator to.
    nonisolated(unsafe) private var frames: NIOAsyncChannelInboundStream<NIOCore.ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<NIOCore.ByteBuffer>
    private var received = NIOCore.ByteBuffer()
    private var lastID: Int32 = 0

    private init(
        _ inbound: NIOAsyncChannelInboundStream<NIOCore.ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<NIOCore.ByteBuffer>
    ) {
        self.inbound = inbound
        self.outbound = outbound
        frames = inbound.makeAsyncIterator()
    }

    /// Runs `body` with a connection; over TLS with a context.
    static func connected<R: Sendable>(
        to address: KafkaServer.Address, tls: NIOSSLContext? = nil, _ body: (WireClient) async throws -> R
    ) async throws -> R {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try NIOAsyncChannel<NIOCore.ByteBuffer, NIOCore.ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(WireClient(inbound, outbound))
        }
    }

    /// Sends bytes as they are.
    func send(bytes: [UInt8]) async throws { try await outbound.write(NIOCore.ByteBuffer(bytes: bytes)) }

    /// Sends a request; `records` are what its ranges point into.
    func send(_ request: KafkaRequest, version: Int16, records: [UInt8] = []) async throws {
        lastID += 1
        let frame = try request.frame(version: version, correlationID: lastID, clientID: "test")
        try await send(bytes: frame.joined(with: records))
    }

    /// The next frame; nil at the end of the connection.
    func nextFrame() async throws -> [UInt8]? {
        while true {
            let bytes =
                received.getBytes(at: received.readerIndex, length: min(4, received.readableBytes)) ?? []
            if let size = try WireFrame.size(bytes.span.bytes), received.readableBytes >= 4 + size {
                received.moveReaderIndex(forwardBy: 4)
                return received.readBytes(length: size)
            }
            let more: NIOCore.ByteBuffer?
            do {
                more = try await frames.next()
            } catch is NIOCore.IOError {
                return nil
            } catch NIOSSLError.uncleanShutdown {
                return nil
            }
            guard var more else { return nil }
            received.writeBuffer(&more)
        }
    }

    /// The next response, to a request for `api`.
    func receive(_ api: ApiKey, version: Int16) async throws -> (id: Int32, KafkaResponse, frame: [UInt8]) {
        let frame = try #require(try await nextFrame())
        let (id, response) = try KafkaResponse.read(frame.span.bytes, api, version: version)
        return (id, response, frame)
    }

    /// Sends a request and waits for its response.
    func ask(_ request: KafkaRequest, version: Int16, records: [UInt8] = []) async throws -> KafkaResponse {
        try await send(request, version: version, records: records)
        let (id, response, _) = try await receive(request.api, version: version)
        #expect(id == lastID)
        return response
    }
}

extension KafkaRequest {
    /// Appends one batch to a partition.
    static func produce(
        _ topic: String, _ partition: Int32 = 0, bytes: Int, acks: Int16 = -1
    ) -> KafkaRequest {
        .produce(
            .with {
                $0.acks = acks
                $0.timeoutMs = 10_000
                $0.topicData = [
                    .with {
                        $0.name = topic
                        $0.partitionData = [
                            .with {
                                $0.index = partition
                                $0.records = 0..<bytes
                            }
                        ]
                    }
                ]
            })
    }

    /// Reads a partition by name.
    static func fetch(
        _ topic: String, _ partition: Int32 = 0, from offset: Int64, waiting milliseconds: Int32 = 0,
        minBytes: Int32 = 1, maxBytes: Int32 = 1 << 20
    ) -> KafkaRequest {
        .fetch(
            .with {
                $0.maxWaitMs = milliseconds
                $0.minBytes = minBytes
                $0.maxBytes = maxBytes
                $0.topics = [
                    .with {
                        $0.topic = topic
                        $0.partitions = [
                            .with {
                                $0.partition = partition
                                $0.fetchOffset = offset
                                $0.partitionMaxBytes = maxBytes
                            }
                        ]
                    }
                ]
            })
    }
}

extension KafkaResponse {
    /// What became of the one batch of a Produce request.
    var produced: ProduceResponse.Partition? {
        if case .produce(let response) = self {
            response.responses.first?.partitionResponses.first
        } else {
            nil
        }
    }

    /// What was read of the one partition of a Fetch request.
    var fetched: FetchResponse.Partition? {
        if case .fetch(let response) = self { response.responses.first?.partitions.first } else { nil }
    }
}
#endif
