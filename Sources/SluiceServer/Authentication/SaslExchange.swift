// What a client and the server say to each other until it is known who the client is: a state machine
// without I/O.
//
//   PLAIN    the one token: [name to be taken for] NUL name NUL password              ─► admitted
//   SCRAM    first message ─► challenge                  last message, with a proof   ─► admitted
//
// (1) After a refusal, or once somebody was admitted, every token is refused. (2) A name that nobody has is
// answered as one that somebody has, in as much time, up to the refusal, which is the same for both. (3)
// Whoever asks to be taken for another is refused. (4) Users, randomness and the secret are parameters.

#if Server
import SluiceCore
import SluiceLog

/// How a client can say who he is. Kafka: sasl.mechanism.
enum SaslMechanism: String, CaseIterable, Sendable {
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"

    /// The hash function; nil of PLAIN.
    var hash: ScramHash? {
        switch self {
        case .plain: nil
        case .scramSHA256: .sha256
        case .scramSHA512: .sha512
        }
    }
}

/// Whom there is, and what makes up for those that there are not.
struct SaslUsers {
    /// The user of a name.
    var user: (String) -> UserRecord?
    /// Bytes that nobody outside knows, always the same.
    var secret: [UInt8]
    /// What the server adds to a nonce: printable, without a comma.
    var nonce: () -> [UInt8]
}

/// One client's attempt.
struct SaslExchange {
    /// What comes of a token.
    enum Step: Equatable {
        /// It goes on with what the client answers to this.
        case challenge([UInt8])
        /// The client is this user, and is told so.
        case admitted(UserRecord, [UInt8])
        /// It is over. The reason is for the log; the client is told less.
        case refused(name: String?, reason: String)
    }

    private enum State {
        case begun
        case challenged(Challenge)
        case over
    }

    private struct Challenge {
        var user: UserRecord
        /// False: nobody has the name.
        var isThere: Bool
        var credential: UserCredential
        var header: [UInt8]
        /// The client's part of it.
        var ownNonce: [UInt8]
        var nonce: [UInt8]
        /// Both messages so far, and a comma behind each.
        var transcript: [UInt8]
    }

    /// Bytes of a token: names and passwords are short, no certificates come in one.
    static let tokenBytes = 4 << 10

    let mechanism: SaslMechanism
    private var state = State.begun

    init(_ mechanism: SaslMechanism) { self.mechanism = mechanism }

    /// Takes what the client says. PLAIN takes some milliseconds.
    mutating func take(_ token: [UInt8], _ users: SaslUsers) -> Step {
        let before = state
        state = .over
        guard token.count <= Self.tokenBytes else {
            return .refused(name: nil, reason: "a token of \(token.count) bytes")
        }
        do {
            switch (before, mechanism.hash) {
            case (.begun, nil): return try plain(token, users)
            case (.begun, let hash?): return try begin(token, users, hash)
            case (.challenged(let challenge), let hash?): return try end(token, challenge, hash)
            case (.challenged, nil), (.over, _): return .refused(name: nil, reason: "a token after the end")
            }
        } catch let error as MalformedToken {
            return .refused(name: nil, reason: "a malformed token: \(error.reason)")
        } catch {
            return .refused(name: nil, reason: "\(error)")
        }
    }

    // MARK: PLAIN, RFC 4616

    private func plain(_ token: [UInt8], _ users: SaslUsers) throws -> Step {
        let parts = token.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw MalformedToken(reason: "not a name and a password") }
        guard let authorization = String(validating: parts[0], as: UTF8.self),
            let name = String(validating: parts[1], as: UTF8.self), !name.isEmpty, !parts[2].isEmpty
        else { throw MalformedToken(reason: "an empty name or password, or one that is not UTF-8") }
        let user = users.user(name)
        let known = user?.credential(.sha256) ?? user?.credential(.sha512)
        let imagined = try UserCredential.imagined(.sha256, name: name, secret: users.secret)
        let isRight = try (known ?? imagined).accepts(password: Array(parts[2]))
        guard isRight, known != nil, let user, authorization.isEmpty || authorization == name else {
            return .refused(name: name, reason: "wrong name or password")
        }
        return .admitted(user, [])
    }

    // MARK: SCRAM, RFC 5802

    private mutating func begin(_ token: [UInt8], _ users: SaslUsers, _ hash: ScramHash) throws -> Step {
        let first = try ScramClientFirst(token)
        guard first.authorization.isEmpty || first.authorization == first.name else {
            return .refused(name: first.name, reason: "asks to be taken for another")
        }
        let user = users.user(first.name)
        let known = user?.credential(hash)
        // Made for those that there are too: it takes its time.
        let imagined = try UserCredential.imagined(hash, name: first.name, secret: users.secret)
        let credential = known ?? imagined
        let nonce = first.nonce + users.nonce()
        var answer = Array("r=".utf8) + nonce + Array(",s=".utf8) + Base64.encode(credential.salt)
        answer += Array(",i=\(credential.iterations)".utf8)
        let comma = UInt8(ascii: ",")
        state = .challenged(
            Challenge(
                user: user ?? UserRecord(name: first.name, credentials: []), isThere: known != nil,
                credential: credential, header: first.header, ownNonce: first.nonce, nonce: nonce,
                transcript: first.bare + [comma] + answer + [comma]))
        return .challenge(answer)
    }

    private func end(_ token: [UInt8], _ challenge: Challenge, _ hash: ScramHash) throws -> Step {
        let name = challenge.user.name
        let last = try ScramClientFinal(token)
        // librdkafka before 2.6.1 sends its own part twice. The proof is over what it sends.
        let isSame = last.nonce == challenge.nonce || last.nonce == challenge.ownNonce + challenge.nonce
        guard last.header == challenge.header, isSame, last.proof.count == hash.count else {
            return .refused(name: name, reason: "a last message that does not belong to the first")
        }
        let transcript = challenge.transcript + last.withoutProof
        let signature = try hash.authenticate(transcript, key: challenge.credential.storedKey)
        let clientKey = zip(last.proof, signature).map { $0 ^ $1 }
        let isRight = ScramHash.isEqual(try hash.digest(clientKey), challenge.credential.storedKey)
        guard isRight, challenge.isThere else {
            return .refused(name: name, reason: "wrong name or password")
        }
        let proof = try hash.authenticate(transcript, key: challenge.credential.serverKey)
        return .admitted(challenge.user, Array("v=".utf8) + Base64.encode(proof))
    }
}
#endif
