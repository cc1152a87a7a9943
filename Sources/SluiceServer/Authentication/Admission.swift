// Whether a connection may ask for anything but to be let in: its requests up to then, in their order.
//
//   opened ─ ApiVersions* ─► SaslHandshake ─► SaslAuthenticate, or tokens without a header* ─► admitted
//
// (1) Before it is admitted a connection gets answers to these three alone; after any other request, and
// after any error, it is closed. (2) Tokens without a header follow a SaslHandshake of version 0: a size and
// a token each way, as in Kafka 0.10. (3) A connection whose user has been deleted, or has another password,
// is closed at its next request. (4) Where nobody has to authenticate, every connection is admitted.

#if Server
import KafkaWire
import SluiceLog

/// The state of one connection.
struct Admission {
    private enum State {
        case admitted
        case user(UserRecord, changes: Int)
        case handshake
        case exchange(SaslExchange, isBare: Bool)
        case refused
    }

    private let authenticator: Authenticator?
    private let peer: String
    private var state: State

    init(_ authenticator: Authenticator?, peer: String) {
        self.authenticator = authenticator
        self.peer = peer
        state = authenticator == nil ? .admitted : .handshake
    }

    /// Whether requests are answered.
    var isAdmitted: Bool {
        switch state {
        case .admitted, .user: true
        case .handshake, .exchange, .refused: false
        }
    }

    /// Whether the next frame is a token without a header.
    var takesBareToken: Bool { if case .exchange(_, isBare: true) = state { true } else { false } }

    /// Whether the user is still the one who was admitted.
    mutating func isCurrent() -> Bool {
        guard case .user(let user, let seen) = state, let authenticator else { return true }
        let changes = authenticator.changes
        if changes == seen { return true }
        guard authenticator.isCurrent(user) else {
            state = .refused
            return false
        }
        state = .user(user, changes: changes)
        return true
    }

    /// The answer to a token without a header.
    nonisolated(nonsending) mutating func answer(bare token: [UInt8]) async -> Answer {
        switch await take(token) {
        case .challenge(let bytes), .admitted(_, let bytes): .token(bytes)
        case .refused: .close
        }
    }

    /// The answer to a request; nil: to ApiVersions, which the broker answers.
    nonisolated(nonsending) mutating func answer(_ request: KafkaRequest, version: Int16) async -> Answer? {
        switch (request, state) {
        case (.apiVersions, .handshake): return nil
        case (.saslHandshake(let handshake), .handshake):
            return self.handshake(handshake.mechanism, version: version)
        case (.saslAuthenticate(let request), .exchange(_, isBare: false)):
            var response = SaslAuthenticateResponse()
            switch await take(request.authBytes) {
            case .challenge(let bytes), .admitted(_, let bytes):
                response.authBytes = bytes
                return .response(.saslAuthenticate(response))
            case .refused:
                response.errorCode = .saslAuthenticationFailed
                response.errorMessage = "Authentication failed: wrong name or password, or a malformed token."
                return .refusal(.saslAuthenticate(response))
            }
        case (.saslAuthenticate, _):
            state = .refused
            var response = SaslAuthenticateResponse()
            response.errorCode = .illegalSaslState
            response.errorMessage = "SaslAuthenticate comes after a SaslHandshake of version 1."
            return .refusal(.saslAuthenticate(response))
        default:
            state = .refused
            return .close
        }
    }

    private mutating func handshake(_ name: String, version: Int16) -> Answer {
        var response = SaslHandshakeResponse()
        response.mechanisms = authenticator?.mechanisms.map(\.rawValue) ?? []
        guard let mechanism = authenticator?.mechanism(name, peer) else {
            state = .refused
            response.errorCode = .unsupportedSaslMechanism
            return .refusal(.saslHandshake(response))
        }
        state = .exchange(SaslExchange(mechanism), isBare: version == 0)
        return .response(.saslHandshake(response))
    }

    private nonisolated(nonsending) mutating func take(_ token: [UInt8]) async -> SaslExchange.Step {
        guard let authenticator, case .exchange(var exchange, let isBare) = state else {
            return .refused(name: nil, reason: "no mechanism was chosen")
        }
        // Before the look: who is deleted in between is found out at the next request.
        let changes = authenticator.changes
        let step = await authenticator.take(token, &exchange, peer)
        switch step {
        case .challenge: state = .exchange(exchange, isBare: isBare)
        case .admitted(let user, _): state = .user(user, changes: changes)
        case .refused: state = .refused
        }
        return step
    }
}
#endif
