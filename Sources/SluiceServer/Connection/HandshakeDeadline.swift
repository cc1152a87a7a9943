// How long a connection may take until it is encrypted, and what becomes of one that is not.
//
// (1) Runs on the connection's event loop, behind the handler of TLS. (2) It is gone once the handshake is
// over: what is slow then is ConnectionProtocol's to judge.

#if Server
import NIOCore
import NIOTLS
import Sluice
import SluiceLog

final class HandshakeDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOCore.ByteBuffer

    private let session: Session
    private let time: TimeAmount
    private var deadline: Scheduled<Void>?

    init(_ session: Session, nanoseconds: Int64) {
        self.session = session
        time = .nanoseconds(nanoseconds)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = bound.value
            handler.end(context, "it took too long")
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context, "\(error)") }

    private func end(_ context: ChannelHandlerContext, _ reason: String) {
        guard deadline != nil else { return }
        deadline?.cancel()
        deadline = nil
        session.noteClosed(.handshake, reason)
        context.close(mode: .all, promise: nil)
    }
}
#endif
