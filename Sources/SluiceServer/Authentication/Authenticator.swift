// What all connections of a server that asks who its clients are share: the users, the mechanisms, and what
// slows down those who guess.
//
// (1) Users are looked up at each attempt: who is made or deleted counts at once. (2) One password of PLAIN
// is hashed at a time: no flood of them takes the processors from who is admitted. (3) The store's secret
// answers for users that there are not; before there is one there are no users, and a random one does.

#if Server
import Logging
import Sluice
import SluiceCore
import SluiceLog

final class Authenticator: Sendable {
    private let served: ServedStore
    private let logger: Logger
    private let metrics: BrokerMetrics
    /// Under TLS or not.
    private let isSecure: Bool
    private let hashing = SharedBudget(limit: 1)
    private let failures = Locked(FailedLogins())
    private let ownSecret = ScramHash.random(32)

    init(_ served: ServedStore, isSecure: Bool, _ metrics: BrokerMetrics, logger: Logger) {
        self.served = served
        self.isSecure = isSecure
        self.metrics = metrics
        self.logger = logger
    }

    /// What there is to choose from: PLAIN shows the password to whoever listens, unless it is under TLS.
    var mechanisms: [SaslMechanism] {
        isSecure ? SaslMechanism.allCases : SaslMechanism.allCases.filter { $0 != .plain }
    }

    /// The mechanism of that name; nil, with a line in the log, when there is none.
    func mechanism(_ name: String, _ peer: String) -> SaslMechanism? {
        if let mechanism = SaslMechanism(rawValue: name), mechanisms.contains(mechanism) { return mechanism }
        let reason =
            name == SaslMechanism.plain.rawValue
            ? "PLAIN is refused without TLS: anybody on the way could read the password"
            : "there is no mechanism of that name"
        logger.warning(
            "a client cannot authenticate so",
            metadata: ["client": "\(peer)", "mechanism": "\(name.prefix(64))", "reason": "\(reason)"])
        metrics.authenticate(false)
        return nil
    }

    /// Takes a token of a connection. A refusal comes after a while.
    nonisolated(nonsending) func take(
        _ token: [UInt8], _ exchange: inout SaslExchange, _ peer: String
    ) async -> SaslExchange.Step {
        let users = SaslUsers(
            user: { [served] in served.user($0) }, secret: secret,
            nonce: { Base64.encode(ScramHash.random(24)) })
        let step: SaslExchange.Step
        if exchange.mechanism == .plain {
            guard await hashing.take(1) else { return .refused(name: nil, reason: "the server ends") }
            step = exchange.take(token, users)
            hashing.giveBack(1)
        } else {
            step = exchange.take(token, users)
        }
        switch step {
        case .challenge: break
        case .admitted(let user, _):
            metrics.authenticate(true)
            logger.debug(
                "a client has authenticated",
                metadata: [
                    "client": "\(peer)", "user": "\(user.name)",
                    "mechanism": "\(exchange.mechanism.rawValue)",
                ])
        case .refused(let name, let reason):
            metrics.authenticate(false)
            logger.warning(
                "a client was refused",
                metadata: [
                    "client": "\(peer)", "user": "\(name ?? "-")",
                    "mechanism": "\(exchange.mechanism.rawValue)", "reason": "\(reason)",
                ])
            let wait = failures.withLock { $0.failed(peer, now: Instant.monotonicNow) }
            try? await Task.sleep(for: .nanoseconds(wait))
        }
        return step
    }

    /// Another number after each change of users.
    var changes: Int { served.userChanges }

    /// Whether the user is what he was.
    func isCurrent(_ user: UserRecord) -> Bool { served.user(user.name) == user }

    private var secret: [UInt8] {
        let secret = served.userSecret
        return secret.isEmpty ? ownSecret : secret
    }
}
#endif
