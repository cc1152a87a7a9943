// The shell of one connection: bytes in, frames out. What may be read, and the order of what is written, is
// decided by ConnectionProtocol; what a request comes to, by Session.
//
// (1) Everything here runs on the connection's event loop. (2) A frame is put together in memory of the log's
// own kind, so that the batches in it need not be copied again. (3) Nothing here waits, reads a file, or
// decodes a record.

#if Server
import KafkaWire
import Logging
import NIOCore
import Sluice
import SluiceLog

final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = NIOCore.ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = NIOCore.ByteBuffer

    private let session: Session
    private let settings: ConnectionSettings
    private let requests: SharedBudget
    private var assembler: FrameAssembler
    private var order: ConnectionProtocol<OutgoingFrame>
    /// Bytes that have come and could not be taken yet.
    private var rest = NIOCore.ByteBuffer()
    private var context: ChannelHandlerContext?
    /// Bytes that were ever written.
    private var writtenBytes = 0
    /// NIO has asked for bytes, and has not been let.
    private var isReadHeld = false
    private var memory = Memory.none
    private var timer: RepeatedTask?
    /// What has come is no sequence of requests.
    private var isMalformed = false
    /// Ends it unless it is admitted before; nil once it is.
    private var admission: Scheduled<Void>?

    /// The memory of the frame that is coming in.
    private enum Memory {
        case none, waiting(UInt64), granted(Int)

        var mayRead: Bool { if case .waiting = self { false } else { true } }
    }

    init(_ session: Session, _ settings: ConnectionSettings, _ requests: SharedBudget) {
        self.session = session
        self.settings = settings
        self.requests = requests
        // Of a stranger no more is taken than needs no asking for memory.
        assembler = FrameAssembler(
            limit: session.isAdmitted
                ? settings.frameBytes : min(settings.frameBytes, FrameAssembler.firstBytes))
        order = ConnectionProtocol(settings.limits, now: Instant.monotonicNow)
    }

    // MARK: NIO

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        session.connected(bound, context.eventLoop)
        timer = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(5), delay: .seconds(5)) { _ in
            bound.value.tick()
        }
        if !session.isAdmitted {
            admission = context.eventLoop.scheduleTask(in: .nanoseconds(settings.admissionNanoseconds)) {
                if !bound.value.order.isClosed { bound.value.close(.unauthenticated, nil) }
            }
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The peer is gone, or the socket is.
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if rest.readableBytes == 0 { rest = bytes } else { rest.writeBuffer(&bytes) }
        take()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if rest.readableBytes == 0, order.mayRead(now: Instant.monotonicNow), memory.mayRead {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        order.writabilityChanged(context.channel.isWritable, taken: takenBytes, now: Instant.monotonicNow)
        goOn()
        context.fireChannelWritabilityChanged()
    }

    // MARK: In

    /// Takes as many frames out of what has come as may be taken now.
    private func take() {
        while rest.readableBytes > 0, order.mayRead(now: Instant.monotonicNow), memory.mayRead {
            switch assembler.want {
            case .size(let count):
                guard let bytes = rest.readBytes(length: min(count, rest.readableBytes)) else { return }
                do throws(WireError) {
                    try assembler.takeSize(bytes)
                } catch {
                    return close(.malformed, "\(error)")
                }
                order.receivedPart(0, now: Instant.monotonicNow)
                takeWhole()
            case .body(let count):
                guard let mayTake = mayTake(count) else { continue }
                takeBody(min(mayTake, rest.readableBytes))
                order.receivedPart(assembler.receivedBytes, now: Instant.monotonicNow)
                takeWhole()
            }
        }
        if rest.readableBytes == 0 { rest.clear(minimumCapacity: 0) }
        goOnReadingWhenUnmuted()
    }

    /// The peer will send no more: what it had sent whole is still done, since it may have been told that it
    /// was (acks 0).
    private func takeRest() {
        while rest.readableBytes > 0 {
            switch assembler.want {
            case .size(let count):
                guard let bytes = rest.readBytes(length: min(count, rest.readableBytes)) else { return }
                guard (try? assembler.takeSize(bytes)) != nil else { return }
            case .body(let count): takeBody(min(count, rest.readableBytes))
            }
            guard let frame = assembler.takeFrame() else { continue }
            session.received(frame, order.received(now: Instant.monotonicNow), release: {})
        }
    }

    private func takeBody(_ count: Int) {
        assembler.takeBody(count) { memory in
            rest.readWithUnsafeReadableBytes { bytes in
                memory.copyBytes(from: bytes.prefix(count))
                return (count, count)
            }
        }
    }

    /// How many bytes of the body may be taken now; nil when memory had to be asked for first.
    private func mayTake(_ count: Int) -> Int? {
        guard let announced = assembler.announced, announced > FrameAssembler.firstBytes,
            case .none = memory
        else { return count }
        // Not before it is known to come: who only announces a large frame gets no memory for it.
        let left = FrameAssembler.firstBytes - assembler.receivedBytes
        if left > 0 { return min(count, left) }
        reserve(announced)
        return nil
    }

    private func takeWhole() {
        guard memory.mayRead, let frame = assembler.takeFrame() else { return }
        let held = if case .granted(let bytes) = memory { bytes } else { 0 }
        memory = .none
        let slot = order.received(now: Instant.monotonicNow)
        let budget = requests
        session.received(frame, slot, release: { budget.giveBack(held) })
    }

    /// Memory for a frame of which the size is known.
    private func reserve(_ bytes: Int) {
        guard let loop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let held = bytes + Self.frameOverhead
        // What is granted later comes by way of the loop, behind this.
        let ticket = requests.take(
            held,
            orLater: { isGranted in
                if isGranted { loop.execute { bound.value.granted(held) } }
            })
        memory = ticket.map { .waiting($0) } ?? .granted(held)
    }

    private func granted(_ bytes: Int) {
        guard case .waiting = memory, !order.isClosed else { return requests.giveBack(bytes) }
        memory = .granted(bytes)
        goOn()
    }

    /// What a request takes beside its bytes, about.
    private static let frameOverhead = 512

    // MARK: Out

    /// A request has been dealt with.
    func answered(
        _ slot: Int, _ outcome: ConnectionProtocol<OutgoingFrame>.Outcome, muted nanoseconds: Int64
    ) {
        guard context != nil, !order.isClosed else {
            if case .frame(let frame) = outcome { frame.written?() }
            return
        }
        if nanoseconds > 0 { order.mute(until: Instant.monotonicNow.addingSaturated(nanoseconds)) }
        carryOut(order.answered(slot, outcome))
        goOn()
    }

    /// The client has said who it is.
    func admitted() {
        admission?.cancel()
        admission = nil
        assembler.limit = settings.frameBytes
    }

    /// The server ends.
    func drain() { carryOut(order.drain()) }

    /// The server does not wait any longer.
    func abort() { close(.shutdown, nil) }

    private func carryOut(_ effects: [ConnectionProtocol<OutgoingFrame>.Effect]) {
        guard let context else { return }
        var hasWritten = false
        for effect in effects {
            switch effect {
            case .write(let frame):
                hasWritten = true
                writtenBytes += frame.bytes.readableBytes
                let promise = frame.written.map { written in
                    let promise = context.eventLoop.makePromise(of: Void.self)
                    promise.futureResult.whenComplete { _ in written() }
                    return promise
                }
                context.write(wrapOutboundOut(frame.bytes), promise: promise)
            case .close(let reason):
                session.broker.metrics.close(reason)
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                context.writeAndFlush(wrapOutboundOut(NIOCore.ByteBuffer())).whenComplete { _ in
                    bound.value.close(promise: nil)
                }
            }
        }
        if hasWritten { context.flush() }
    }

    // MARK: Going on, and ending

    private func goOn() {
        guard let context, !order.isClosed else { return }
        if rest.readableBytes > 0 { take() }
        if isReadHeld, rest.readableBytes == 0, order.mayRead(now: Instant.monotonicNow), memory.mayRead {
            isReadHeld = false
            context.read()
        }
    }

    private func goOnReadingWhenUnmuted() {
        guard let context, let moment = order.readsAgain(now: Instant.monotonicNow) else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let wait = max(moment - Instant.monotonicNow, 0) + 1_000_000
        context.eventLoop.scheduleTask(in: .nanoseconds(wait)) { bound.value.goOn() }
    }

    /// How much of what was written the peer's side has; over TLS about.
    private var takenBytes: Int {
        let unsent = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return writtenBytes - (unsent ?? 0)
    }

    private func tick() {
        if let reason = order.tick(
            taken: takenBytes, mayRead: memory.mayRead, now: Instant.monotonicNow)
        {
            close(reason, nil)
        } else {
            goOn()
        }
    }

    private func close(_ reason: CloseReason, _ detail: String?) {
        isMalformed = reason == .malformed
        order.close()
        session.noteClosed(reason, detail)
        context?.close(promise: nil)
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        order.close()
        timer?.cancel()
        admission?.cancel()
        switch memory {
        case .none: break
        case .waiting(let ticket): requests.cancel(ticket)
        case .granted(let bytes): requests.giveBack(bytes)
        }
        memory = .none
        if !isMalformed { takeRest() }
        session.disconnected()
    }
}

/// An answer as bytes, and who is to know that they are gone.
struct OutgoingFrame: Sendable {
    var bytes: NIOCore.ByteBuffer
    var written: (@Sendable () -> Void)?

    /// Bytes behind their size.
    init(bare token: [UInt8]) {
        bytes = ByteBufferAllocator().buffer(capacity: WireFrame.sizeBytes + token.count)
        bytes.writeInteger(Int32(token.count))
        bytes.writeBytes(token)
    }

    /// Puts the records into the places that the frame has for them.
    init(_ frame: WireFrame, records: [ByteSlice], written: (@Sendable () -> Void)?) {
        self.written = written
        guard !frame.gaps.isEmpty else {
            bytes = NIOCore.ByteBuffer(bytes: frame.bytes)
            return
        }
        let total = frame.gaps.reduce(frame.bytes.count) { $0 + $1.records.count }
        bytes = ByteBufferAllocator().buffer(capacity: total)
        var position = 0
        var next = records.makeIterator()
        for gap in frame.gaps where !gap.records.isEmpty {
            bytes.writeBytes(frame.bytes[position..<gap.position])
            position = gap.position
            guard let slice = next.next() else { continue }
            withExtendedLifetime(slice) { _ = bytes.writeBytes(slice.pointer) }
        }
        bytes.writeBytes(frame.bytes[position...])
    }
}
#endif
