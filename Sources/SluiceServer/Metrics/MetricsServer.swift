// Metrics over HTTP, for Prometheus: GET /metrics, and nothing else.
//
// (1) One request at a time per connection, without a body; what is slow or too large is closed. (2) Its
// failure is not the broker's.

#if Server
import CoreMetrics
import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
import Sluice

/// Serves `PrometheusMetrics` at `http://host:port/metrics`.
public final class MetricsServer: Service {
    private let metrics: PrometheusMetrics
    private let wanted: KafkaServer.Address
    private let state = Locked(State())

    private struct State: ~Copyable {
        var listener: (any Channel)?
        var isEnding = false
    }

    /// - Parameter address: where to listen.
    public init(_ metrics: PrometheusMetrics, at address: KafkaServer.Address) {
        self.metrics = metrics
        wanted = address
    }

    /// Service: listens until graceful shutdown or `shutdown`. Throws what the system says when it cannot.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await serve()
        } onGracefulShutdown: {
            self.shutdown()
        }
    }

    /// Ends it.
    public func shutdown() {
        let listener = state.withLock { state in
            state.isEnding = true
            return state.listener
        }
        listener?.close(promise: nil)
    }

    private func serve() async throws {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            let listener = try await ServerBootstrap(group: loop)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { [metrics] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        try channel.pipeline.syncOperations.addHandler(MetricsHandler(metrics))
                    }
                }
                .bind(host: wanted.host, port: wanted.port).get()
            let isEnding = state.withLock { state in
                state.listener = listener
                return state.isEnding
            }
            if isEnding { listener.close(promise: nil) }
            try await listener.closeFuture.get()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try? await loop.shutdownGracefully()
        try result.get()
    }
}

/// Answers one request, and closes.
private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let metrics: PrometheusMetrics
    private var head: HTTPRequestHead?

    init(_ metrics: PrometheusMetrics) { self.metrics = metrics }

    func channelActive(context: ChannelHandlerContext) {
        // Whoever has not asked by then will not.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(10)) { bound.value.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: context.close(promise: nil)
        case .end:
            guard let head else { return }
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let isThere = head.uri == "/metrics" || head.uri == "/"
        let isRead = head.method == .GET
        let status: HTTPResponseStatus = !isThere ? .notFound : isRead ? .ok : .methodNotAllowed
        let text = status == .ok ? metrics.text() : "\(status.code) \(status.reasonPhrase)\n"
        let body = NIOCore.ByteBuffer(string: text)
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: "text/plain; version=0.0.4; charset=utf-8")
        headers.add(name: "content-length", value: "\(body.readableBytes)")
        headers.add(name: "connection", value: "close")
        context.write(
            wrapOutboundOut(.head(.init(version: head.version, status: status, headers: headers))),
            promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }
}
#endif
