// One connection's requests: begun in their order by one task, answered whenever they are done.
//
//   handler (event loop) ─► requests ─► this task: Produce is handed to the log, the rest is answered here
//                                        └─► a task each for what may be held: Fetch, JoinGroup, SyncGroup
//
// (1) The task lives as long as the connection, and ends those that it began. (2) One fetch at a time: its
// answer may be large. (3) A request behind a fetch that waits ends the wait: answers go out in order.

#if Server
import KafkaWire
import Logging
import NIOCore
import Sluice
import SluiceLog

/// What a connection may take, and for how long.
struct ConnectionSettings: Sendable {
    var limits = ConnectionLimits()
    /// Kafka: socket.request.max.bytes.
    var frameBytes = WireLimits.frameBytes
    /// What clients are told of where the broker is; nil: where they have come to.
    var advertised: Endpoint?
    /// Asks clients who they are; nil: nobody does.
    var authenticator: Authenticator?
    /// How long that may take.
    var admissionNanoseconds: Int64 = 30_000_000_000
}

final class Session: Sendable {
    let broker: Broker
    private let settings: ConnectionSettings
    private let peer: String
    private let endpoint: Endpoint
    private let topics: KnownTopics
    private let fetches: FetchSession
    private let state = Locked(State())
    private let incoming: AsyncStream<Request>
    private let input: AsyncStream<Request>.Continuation

    private struct State: ~Copyable {
        var handler: NIOLoopBound<ConnectionHandler>?
        var loop: (any EventLoop)?
        var isOver = false
    }

    /// A frame that has arrived.
    private struct Request: Sendable {
        var frame: SluiceLog.ByteBuffer
        var slot: Int
        /// Gives back the memory of the frame.
        var release: @Sendable () -> Void
    }

    init(_ broker: Broker, _ settings: ConnectionSettings, peer: String, local: Endpoint) {
        self.broker = broker
        self.settings = settings
        self.peer = peer
        endpoint = settings.advertised ?? local
        topics = KnownTopics(broker.served)
        fetches = FetchSession(topics)
        // Bounded by `requestsInFlight`: the handler takes no more.
        (incoming, input) = AsyncStream.makeStream()
    }

    // MARK: From the event loop

    func connected(_ handler: NIOLoopBound<ConnectionHandler>, _ loop: any EventLoop) {
        state.withLock { state in
            state.handler = handler
            state.loop = loop
        }
    }

    func received(_ frame: SluiceLog.ByteBuffer, _ slot: Int, release: @escaping @Sendable () -> Void) {
        let request = Request(frame: frame, slot: slot, release: release)
        if case .enqueued = input.yield(request) { return }
        release()
    }

    func disconnected() {
        state.withLock { state in
            state.handler = nil
            state.isOver = true
        }
        input.finish()
    }

    func noteClosed(_ reason: CloseReason, _ detail: String?) {
        broker.metrics.close(reason)
        var metadata: Logger.Metadata = ["client": "\(peer)", "reason": "\(reason.rawValue)"]
        if let detail { metadata["detail"] = "\(detail)" }
        broker.logger.log(
            level: reason == .malformed ? .warning : .debug, "a connection was closed", metadata: metadata)
    }

    /// Whether a client needs not say who it is.
    var isAdmitted: Bool { settings.authenticator == nil }

    /// The server ends: what is under way is answered, then the connection closes.
    func drain() {
        fetches.hurry()
        onLoop { $0.drain() }
    }

    /// It has had its time.
    func abort() { onLoop { $0.abort() } }

    /// False when the connection is over.
    @discardableResult
    private func onLoop(_ body: @escaping @Sendable (ConnectionHandler) -> Void) -> Bool {
        let (handler, loop) = state.withLock { ($0.handler, $0.loop) }
        guard let handler, let loop else { return false }
        loop.execute { body(handler.value) }
        return true
    }

    // MARK: The task

    /// Serves the connection until it is over.
    func run() async {
        let produces = ProduceSession(broker, topics)
        var admission = Admission(settings.authenticator, peer: peer)
        await withDiscardingTaskGroup { group in
            var lastFetch: PendingAnswer<Void>?
            for await request in incoming {
                guard admission.isAdmitted, admission.isCurrent() else {
                    await admit(request, &admission)
                    continue
                }
                guard let (asked, context) = read(request) else { continue }
                let answer = { @Sendable [self] (answer: Answer) in
                    reply(request, answer, context.version, context.header.correlationID)
                }
                if case .fetch(let fetch) = asked {
                    // Of two the second one waits: the first ends by itself, soon enough.
                    _ = await lastFetch?.value()
                    let done = PendingAnswer<Void>()
                    lastFetch = done
                    fetches.begin()
                    group.addTask { [broker, fetches] in
                        answer(await broker.fetch(fetch, context, fetches))
                        done.give(())
                    }
                    continue
                }
                fetches.hurry()
                switch asked {
                case .produce(let produce): produces.produce(produce, in: request.frame, context, answer)
                case .joinGroup(let join):
                    finish(await broker.joinGroup(join, context), answer, &group)
                case .syncGroup(let sync):
                    finish(await broker.syncGroup(sync, context), answer, &group)
                default: answer(await broker.answer(asked, context))
                }
            }
            group.cancelAll()
        }
    }

    /// Answers what comes before the connection is admitted.
    private func admit(_ request: Request, _ admission: inout Admission) async {
        if admission.takesBareToken {
            let answer = await admission.answer(bare: [UInt8](copying: request.frame.bytes))
            if admission.isAdmitted { onLoop { $0.admitted() } }
            return reply(request, answer, 0, 0)
        }
        guard let (asked, context) = read(request) else { return }
        let answer =
            if let answer = await admission.answer(asked, version: context.version) { answer } else {
                await broker.answer(asked, context)
            }
        if admission.isAdmitted { onLoop { $0.admitted() } }
        if case .close = answer { noteClosed(.refused, "\(asked.api.name) of a client that is not admitted") }
        reply(request, answer, context.version, context.header.correlationID)
    }

    /// The request in a frame; nil when it has been dealt with.
    private func read(_ request: Request) -> (KafkaRequest, RequestContext)? {
        let received: ReceivedRequest
        do throws(WireError) {
            received = try KafkaRequest.read(request.frame.bytes)
        } catch {
            noteClosed(.malformed, "\(error)")
            reply(request, .close, 0, 0)
            return nil
        }
        let header = received.header
        guard let asked = received.request else {
            if header.apiKey == ApiKey.apiVersions.rawValue {
                reply(
                    request, .response(.apiVersions(Broker.unsupportedApiVersions)), 0, header.correlationID)
            } else {
                noteClosed(.refused, "request \(header.apiKey) in version \(header.apiVersion) is not served")
                reply(request, .close, 0, 0)
            }
            return nil
        }
        broker.metrics.request(asked.api)
        return (asked, RequestContext(header: header, endpoint: endpoint, clientHost: "/" + peer))
    }

    private func finish(
        _ held: HeldAnswer, _ answer: @escaping @Sendable (Answer) -> Void, _ group: inout DiscardingTaskGroup
    ) {
        switch held {
        case .now(let now): answer(now)
        case .later(let later): group.addTask { answer(await later()) }
        }
    }

    /// Sends an answer, in its turn.
    private func reply(_ request: Request, _ answer: Answer, _ version: Int16, _ correlationID: Int32) {
        request.release()
        var throttle: Int64 = 0
        let outcome: ConnectionProtocol<OutgoingFrame>.Outcome
        var written: (@Sendable () -> Void)?
        switch answer {
        case .close: outcome = .close
        case .token(let bytes): outcome = .frame(OutgoingFrame(bare: bytes))
        case .refusal(let response):
            let frame = try? response.frame(version: version, correlationID: correlationID)
            outcome = frame.map { .last(OutgoingFrame($0, records: [], written: nil)) } ?? .close
        case .nothing(let nanoseconds):
            throttle = nanoseconds
            outcome = .nothing
        case .response(let response, let records, let nanoseconds, let whenWritten):
            throttle = nanoseconds
            written = whenWritten
            do throws(WireError) {
                let frame = try response.frame(version: version, correlationID: correlationID)
                outcome = .frame(OutgoingFrame(frame, records: records, written: whenWritten))
            } catch {
                broker.logger.error(
                    "an answer cannot be written",
                    metadata: ["request": "\(response.api.name)", "error": "\(error)"])
                outcome = .close
            }
        }
        let isSent = onLoop { [throttle] in $0.answered(request.slot, outcome, muted: throttle) }
        if !isSent { written?() }
    }
}
#endif
