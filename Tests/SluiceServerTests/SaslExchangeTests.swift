// What a client says to be let in: the vectors of the RFCs, and everything that is none.

#if Server
import SluiceCore
import SluiceLog
import SluiceTesting
import Testing

@testable import SluiceServer

/// A user `user` with the password `pencil`, and the salt and nonce of RFC 7677.
private struct Vector {
    var hash: ScramHash
    var mechanism: SaslMechanism
    var storedKey: String
    var serverKey: String
    var proof: String
    var signature: String

    static let clientNonce = "rOprNGfwEbeRWgbNEkqO"
    static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    static let first = Array("n,,n=user,r=\(clientNonce)".utf8)
    static let challenge = Array("r=\(clientNonce)\(serverNonce),s=\(salt),i=4096".utf8)
    var last: [UInt8] { Array("c=biws,r=\(Self.clientNonce)\(Self.serverNonce),p=\(proof)".utf8) }

    /// RFC 7677 section 3; the keys, and all of SHA-512, by Python's hashlib of the same messages.
    static let all = [
        Vector(
            hash: .sha256, mechanism: .scramSHA256,
            storedKey: "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6",
            serverKey: "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5",
            proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
        Vector(
            hash: .sha512, mechanism: .scramSHA512,
            storedKey: """
                e8002e6f7d3ae446119b216933644dc2a2be7869eb918b8459b5e7d7d2ec1260\
                6aceef106825cd735170a675fd3611f684affad1dce3f43a0ee43bd590e1dbbe
                """,
            serverKey: """
                8d91db6230b5687874fe129bc7206e1858c3ae08e02934f57ac03b6b05a229c4\
                59d28ff46f5c9611e6c179256490215ec1ff759cb0df285db89af0f99e613aac
                """,
            proof: "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            signature:
                "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="),
    ]

    static func user() throws -> UserRecord {
        let salt = try #require(Base64.decode(salt.utf8))
        return UserRecord(
            name: "user",
            credentials: try ScramHash.allCases.map {
                try UserCredential($0, password: Array("pencil".utf8), salt: salt, iterations: 4096)
            })
    }

    static func users() throws -> SaslUsers {
        let user = try user()
        return SaslUsers(
            user: { $0 == "user" ? user : nil }, secret: [7], nonce: { Array(serverNonce.utf8) })
    }
}

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0) >> 4], digits[Int($0) & 15]] })
}

@Suite struct SaslExchangeTests {
    // MARK: Hashes

    @Test func `PBKDF2 and HMAC give what RFC 7914 and RFC 4231 say`() throws {
        let salted = try ScramHash.sha256.salted(
            Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1)
        #expect(hex(salted) == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
        let key = [UInt8](repeating: 0x0B, count: 20)
        let hash = try ScramHash.sha256.authenticate(Array("Hi There".utf8), key: key)
        #expect(hex(hash) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let long = try ScramHash.sha512.authenticate(Array("Hi There".utf8), key: key)
        #expect(
            hex(long) == """
                87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854
                """)
        #expect(ScramHash.isEqual([1, 2], [1, 2]) && ScramHash.isEqual([], []))
        #expect(!ScramHash.isEqual([1, 2], [1, 3]) && !ScramHash.isEqual([1, 2], [1, 2, 3]))
    }

    // MARK: SCRAM

    @Test func `the exchange of RFC 7677 goes as it is printed there`() throws {
        for vector in Vector.all {
            let user = try Vector.user()
            let credential = try #require(user.credential(vector.hash))
            #expect(hex(credential.storedKey) == vector.storedKey)
            #expect(hex(credential.serverKey) == vector.serverKey)
            var exchange = SaslExchange(vector.mechanism)
            #expect(exchange.take(Vector.first, try Vector.users()) == .challenge(Vector.challenge))
            let end = exchange.take(vector.last, try Vector.users())
            #expect(end == .admitted(user, Array("v=\(vector.signature)".utf8)))
            // It is over.
            #expect(exchange.take(vector.last, try Vector.users()).isRefused)
        }
    }

    @Test func `a nonce that begins with the client's part twice is taken`() throws {
        // librdkafka's before 2.6.1. The proof is over what it sends.
        let vector = Vector.all[0]
        let user = try Vector.user()
        let nonce = Vector.clientNonce + Vector.clientNonce + Vector.serverNonce
        let credential = try #require(user.credential(.sha256))
        let salted = try ScramHash.sha256.salted(
            Array("pencil".utf8), salt: credential.salt, iterations: credential.iterations)
        let key = try ScramHash.sha256.authenticate(Array("Client Key".utf8), key: salted)
        let first = Array(Vector.first.dropFirst(3))
        let comma = [UInt8(ascii: ",")]
        let last = Array("c=biws,r=\(nonce)".utf8)
        let signature = try ScramHash.sha256.authenticate(
            first + comma + Vector.challenge + comma + last, key: credential.storedKey)
        let proof = Base64.encode(zip(key, signature).map { $0 ^ $1 })
        var exchange = SaslExchange(vector.mechanism)
        _ = exchange.take(Vector.first, try Vector.users())
        guard case .admitted(user, _) = exchange.take(last + Array(",p=".utf8) + proof, try Vector.users())
        else {
            Issue.record("not let in")
            return
        }
        for other in [Vector.serverNonce, "x" + Vector.clientNonce + Vector.serverNonce, nonce + "x"] {
            var exchange = SaslExchange(vector.mechanism)
            _ = exchange.take(Vector.first, try Vector.users())
            let step = exchange.take(Array("c=biws,r=\(other),p=\(vector.proof)".utf8), try Vector.users())
            #expect(
                step == .refused(name: "user", reason: "a last message that does not belong to the first"))
        }
    }

    @Test func `a name that nobody has is answered like another until the proof`() throws {
        let users = try Vector.users()
        var answers: Set<[UInt8]> = []
        for _ in 0..<2 {
            var exchange = SaslExchange(.scramSHA256)
            let first = Array("n,,n=nobody,r=abc".utf8)
            guard case .challenge(let answer) = exchange.take(first, users) else {
                Issue.record("no challenge")
                return
            }
            answers.insert(answer)
            let text = String(decoding: answer, as: UTF8.self)
            #expect(text.hasSuffix(",i=\(UserCredential.standardIterations)"))
            let last = Array(
                "c=biws,r=abc\(Vector.serverNonce),p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".utf8)
            #expect(exchange.take(last, users) == .refused(name: "nobody", reason: "wrong name or password"))
        }
        // The salt is made up once and for all; of another name, or hash function, it is another.
        #expect(answers.count == 1)
        let salts = try ["a", "b"].flatMap { name in
            try ScramHash.allCases.map { try UserCredential.imagined($0, name: name, secret: [1]).salt }
        }
        #expect(Set(salts).count == 4 && salts.allSatisfy { $0.count == UserCredential.saltBytes })
        #expect(try UserCredential(.sha256, password: [1]).salt.count == UserCredential.saltBytes)
    }

    @Test func `names are read with their commas`() throws {
        let first = try ScramClientFirst(Array("n,a=x=2Cy,n=x=2Cy=3D,r=n".utf8))
        #expect(first.authorization == "x,y" && first.name == "x,y=")
        #expect(first.header == Array("n,a=x=2Cy,".utf8) && first.bare == Array("n=x=2Cy=3D,r=n".utf8))
    }

    @Test(arguments: [
        "", "n", "n,,", ",,,", "n,,n=user", "y,,n=user,r=a", "p=tls-unique,,n=user,r=a", "n,,n=,r=a",
        "n,,n=user,r=",
        "n,,r=a,n=user", "n,x=user,n=user,r=a", "n,a=,n=user,r=a", "n,,n=us=er,r=a", "n,,n=us=2,r=a",
        "n,,n=user,r=a\u{7F}", "n,,n=user,r=ä", "n,,m=ext,n=user,r=a", "n,a=other,n=user,r=a", "n,,n=u\0,r=a",
    ])
    func `a first message that is none is refused`(text: String) throws {
        for mechanism in [SaslMechanism.scramSHA256, .scramSHA512] {
            var exchange = SaslExchange(mechanism)
            #expect(exchange.take(Array(text.utf8), try Vector.users()).isRefused, "\(text)")
            #expect(exchange.take(Vector.first, try Vector.users()).isRefused)
        }
    }

    @Test func `a last message is accepted as it is and in no other form`() throws {
        let vector = Vector.all[0]
        let nonce = Vector.clientNonce + Vector.serverNonce
        for text in [
            "", "c=biws", "c=biws,r=\(nonce)", "c=biws,r=\(nonce),p=", "c=biws,r=\(nonce),p=!",
            "c=biws,r=\(nonce),p=AAAA", "c=eSws,r=\(nonce),p=\(vector.proof)",
            "c=biws,r=\(Vector.clientNonce),p=\(vector.proof)", "c=biws,p=\(vector.proof),r=\(nonce)",
            "c=biws,r=\(nonce),x=y,p=\(vector.proof)", "c=biws,r=\(nonce),p=\(vector.proof),x=y",
            "c=biws,r=\(nonce),p=\(Vector.all[1].proof)",
        ] {
            var exchange = SaslExchange(.scramSHA256)
            _ = exchange.take(Vector.first, try Vector.users())
            #expect(exchange.take(Array(text.utf8), try Vector.users()).isRefused, "\(text)")
        }
    }

    @Test func `no bytes trap and none but the right ones are let in`() throws {
        var random = SeededRandom(seed: 7)
        let users = try Vector.users()
        let good: [(SaslMechanism, [[UInt8]])] = [
            (.scramSHA256, [Vector.first, Vector.all[0].last]),
            (.scramSHA512, [Vector.first, Vector.all[1].last]),
        ]
        for round in 0..<4_000 {
            let (mechanism, messages) = good[round % 2]
            var exchange = SaslExchange(mechanism)
            let changed = random.below(2)
            for (index, message) in messages.enumerated() {
                var bytes = message
                if index == changed {
                    for _ in 0...random.below(3) {
                        switch random.below(3) {
                        case 0: bytes.removeSubrange(random.below(bytes.count + 1)...)
                        case 1: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count + 1))
                        default:
                            if !bytes.isEmpty { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
                        }
                    }
                }
                if case .admitted = exchange.take(bytes, users) { #expect(bytes == message) }
            }
        }
    }

    // MARK: PLAIN

    @Test func `PLAIN lets in with the name and the password alone`() throws {
        let users = try Vector.users()
        func take(_ token: String) -> SaslExchange.Step {
            var exchange = SaslExchange(.plain)
            return exchange.take(Array(token.utf8), users)
        }
        let user = try Vector.user()
        #expect(take("\0user\0pencil") == .admitted(user, []))
        #expect(take("user\0user\0pencil") == .admitted(user, []))
        for token in ["other\0user\0pencil", "\0user\0pencils", "\0nobody\0pencil", "\0USER\0pencil"] {
            guard case .refused(_, let reason) = take(token) else {
                Issue.record("let in with \(token)")
                continue
            }
            #expect(reason == "wrong name or password")
        }
        for token in [
            "", "\0", "\0\0", "user\0pencil", "\0user\0", "\0\0pencil", "\0user\0pencil\0",
            "\0user\0" + String(repeating: "x", count: SaslExchange.tokenBytes),
        ] {
            #expect(take(token).isRefused, "\(token)")
        }
        var exchange = SaslExchange(.plain)
        #expect(exchange.take([0, 0xFF, 0, 0x31], users).isRefused)
        // A user with one credential has that one.
        var half = user
        half.credentials.removeFirst()
        exchange = SaslExchange(.plain)
        let one = SaslUsers(user: { _ in half }, secret: [1], nonce: { [] })
        #expect(exchange.take(Array("\0user\0pencil".utf8), one) == .admitted(half, []))
    }

    // MARK: Failures

    @Test func `failures wait longer each time and are forgotten`() {
        var failures = FailedLogins()
        let first = FailedLogins.firstNanoseconds
        #expect((0..<3).map { _ in failures.failed("a", now: 0) } == [first, 2 * first, 4 * first])
        #expect(failures.failed("b", now: 0) == first)
        for _ in 0..<100 { #expect(failures.failed("a", now: 0) <= FailedLogins.mostNanoseconds) }
        #expect(failures.failed("a", now: 0) == FailedLogins.mostNanoseconds)
        #expect(failures.failed("a", now: FailedLogins.forgottenNanoseconds) == first)
        for number in 0..<3_000 { _ = failures.failed("x\(number)", now: Int64(number)) }
        #expect(failures.count <= FailedLogins.addresses)
        #expect(failures.failed("x2999", now: 3_000) == 2 * first)
    }
}

extension SaslExchange.Step {
    fileprivate var isRefused: Bool { if case .refused = self { true } else { false } }
}
#endif
