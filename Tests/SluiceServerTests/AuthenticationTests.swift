// A server that asks who its clients are, over sockets: who is let in, and what the others get.

#if Server
import KafkaWire
import Sluice
import SluiceCore
import SluiceLog
import SluiceTesting
import Testing

@testable import SluiceServer

@Suite struct AuthenticationTests {
    /// What a client gets in the end.
    private enum Outcome: Equatable {
        case admitted
        case refused(ErrorCode, [UInt8])
        case closed
    }

    private func handshake(
        _ client: WireClient, _ mechanism: String, version: Int16 = 1
    ) async throws -> SaslHandshakeResponse? {
        let response = try await client.ask(
            .saslHandshake(.with { $0.mechanism = mechanism }), version: version)
        if case .saslHandshake(let response) = response { return response } else { return nil }
    }

    /// Sends a token and gets the next, with a header or without; nil when there is none.
    private func exchange(
        _ client: WireClient, _ token: [UInt8], bare: Bool
    ) async throws -> (SaslAuthenticateResponse?, [UInt8]?) {
        if bare {
            try await client.send(bytes: Array(bigEndian: Int32(token.count)) + token)
            return (nil, try await client.nextFrame())
        }
        let response = try await client.ask(.saslAuthenticate(.with { $0.authBytes = token }), version: 2)
        guard case .saslAuthenticate(let response) = response else { return (nil, nil) }
        return (response, response.errorCode == .none ? response.authBytes : nil)
    }

    private func scram(
        _ client: WireClient, _ mechanism: SaslMechanism, _ name: String, _ password: String,
        version: Int16 = 1
    ) async throws -> Outcome {
        let hash = try #require(mechanism.hash)
        #expect(
            try await handshake(client, mechanism.rawValue, version: version)?.errorCode == ErrorCode.none)
        let bare = "n=\(name),r=abcdef"
        let (_, challenge) = try await exchange(client, Array("n,,\(bare)".utf8), bare: version == 0)
        let text = String(decoding: try #require(challenge), as: UTF8.self)
        let parts = text.split(separator: ",").map { $0.dropFirst(2) }
        try #require(parts.count == 3 && parts[0].hasPrefix("abcdef"))
        let credential = try UserCredential(
            hash, password: Array(password.utf8), salt: try #require(Base64.decode(parts[1].utf8)),
            iterations: try #require(Int32(parts[2])))
        let salted = try hash.salted(
            Array(password.utf8), salt: credential.salt, iterations: credential.iterations)
        let clientKey = try hash.authenticate(Array("Client Key".utf8), key: salted)
        let withoutProof = "c=biws,r=\(parts[0])"
        let transcript = Array("\(bare),\(text),\(withoutProof)".utf8)
        let signature = try hash.authenticate(transcript, key: credential.storedKey)
        let proof = Base64.encode(zip(clientKey, signature).map { $0 ^ $1 })
        let (response, end) = try await exchange(
            client, Array("\(withoutProof),p=".utf8) + proof, bare: version == 0)
        guard let end else {
            guard let response else { return .closed }
            return .refused(response.errorCode, Array((response.errorMessage ?? "").utf8))
        }
        let expected = try hash.authenticate(transcript, key: credential.serverKey)
        #expect(end == Array("v=".utf8) + Base64.encode(expected))
        #expect(response?.sessionLifetimeMs ?? 0 == 0)
        return .admitted
    }

    private func plain(_ client: WireClient, _ name: String, _ password: String) async throws -> Outcome {
        let response = try #require(try await handshake(client, "PLAIN"))
        guard response.errorCode == .none else { return .refused(response.errorCode, []) }
        let (answer, end) = try await exchange(client, Array("\0\(name)\0\(password)".utf8), bare: false)
        if end == [] { return .admitted }
        return .refused(answer?.errorCode ?? .none, Array((answer?.errorMessage ?? "").utf8))
    }

    private func isServed(_ client: WireClient) async throws -> Bool {
        try await client.send(.metadata(.init()), version: 9)
        return try await client.nextFrame() != nil
    }

    @Test(arguments: [SaslMechanism.scramSHA256, .scramSHA512], [0, 1] as [Int16])
    fileprivate func `SCRAM lets in whoever has the password`(
        mechanism: SaslMechanism, version: Int16
    ) async throws {
        try await withServer({ $0.askWhoItIs() }) { store, address in
            try await store.admin.createUser("ann", password: "pencil")
            try await WireClient.connected(to: address) { client async throws in
                // Asked twice is allowed, as librdkafka does when it falls back.
                for _ in 0..<2 { _ = try await client.ask(.apiVersions(.init()), version: 0) }
                #expect(try await scram(client, mechanism, "ann", "pencil", version: version) == .admitted)
                #expect(try await isServed(client))
                let again = try await handshake(client, mechanism.rawValue)
                #expect(again?.errorCode == .illegalSaslState)
                #expect(try await isServed(client))
            }
            var outcomes: [Outcome] = []
            for name in ["ann", "nobody"] {
                try await WireClient.connected(to: address) { client async throws in
                    outcomes.append(try await scram(client, mechanism, name, "pen", version: version))
                    #expect(try await client.nextFrame() == nil)
                }
            }
            // Nobody is told which of the two it was.
            #expect(outcomes[0] == outcomes[1] && outcomes[0] != .admitted)
            if version == 1, case .refused(let code, _) = outcomes[0] {
                #expect(code == .saslAuthenticationFailed)
            }
        }
    }

    @Test func `PLAIN is for TLS alone`() async throws {
        try await withServer({ $0.askWhoItIs() }) { store, address in
            try await store.admin.createUser("ann", password: "pencil")
            try await WireClient.connected(to: address) { client async throws in
                let response = try await handshake(client, "PLAIN")
                #expect(response?.errorCode == .unsupportedSaslMechanism)
                #expect(response?.mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-512"])
                #expect(try await client.nextFrame() == nil)
            }
        }
        try await withServer({
            $0.askWhoItIs()
            $0.tls = try! TLSTests.tls()
        }) { store, address in
            try await store.admin.createUser("ann", password: "pencil")
            let tls = try TestTLS.clientContext()
            try await WireClient.connected(to: address, tls: tls) { client async throws in
                #expect(try await plain(client, "ann", "pencil") == .admitted)
                #expect(try await isServed(client))
            }
            try await WireClient.connected(to: address, tls: tls) { client async throws in
                #expect(try await scram(client, .scramSHA512, "ann", "pencil") == .admitted)
            }
            var outcomes: [Outcome] = []
            for name in ["ann", "nobody"] {
                try await WireClient.connected(to: address, tls: tls) { client async throws in
                    outcomes.append(try await plain(client, name, "pen"))
                    #expect(try await client.nextFrame() == nil)
                }
            }
            #expect(outcomes[0] == outcomes[1] && outcomes[0] != .admitted)
        }
    }

    @Test func `before it is let in a client gets nothing else`() async throws {
        try await withServer({ $0.askWhoItIs() }) { store, address in
            try await store.admin.createUser("ann", password: "pencil")
            let batch = TestBatch.bytes(keys: ["a"])
            try await store.admin.createTopic("t")
            for api in ApiKey.allCases where ![.apiVersions, .saslHandshake, .saslAuthenticate].contains(api)
            {
                try await WireClient.connected(to: address) { client async throws in
                    let request = api == .produce ? .produce("t", bytes: batch.count) : KafkaRequest(api)
                    let records = api == .produce ? batch : []
                    try await client.send(request, version: api.versions.upperBound, records: records)
                    #expect(try await client.nextFrame() == nil, "\(api)")
                }
            }
            #expect(try await store.admin.describeTopic("t").partitions == [0..<0])
            try await WireClient.connected(to: address) { client async throws in
                let response = try await client.ask(.saslAuthenticate(.init()), version: 2)
                guard case .saslAuthenticate(let response) = response else { return }
                #expect(response.errorCode == .illegalSaslState)
                #expect(try await client.nextFrame() == nil)
            }
            // In the middle of an exchange too; and whatever mechanism there is not.
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await handshake(client, "SCRAM-SHA-256")?.errorCode == ErrorCode.none)
                #expect(try await isServed(client) == false)
            }
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await handshake(client, "GSSAPI")?.errorCode == .unsupportedSaslMechanism)
                #expect(try await client.nextFrame() == nil)
            }
        }
    }

    @Test func `bytes of strangers are few`() async throws {
        try await withServer({ $0.askWhoItIs() }) { _, address in
            try await WireClient.connected(to: address) { client async throws in
                try await client.send(bytes: Array(bigEndian: Int32(FrameAssembler.firstBytes + 1)))
                #expect(try await client.nextFrame() == nil)
            }
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await handshake(client, "SCRAM-SHA-256", version: 0)?.errorCode == ErrorCode.none)
                let long = [UInt8](repeating: 0x61, count: SaslExchange.tokenBytes + 1)
                #expect(try await exchange(client, long, bare: true).1 == nil)
            }
        }
    }

    @Test func `who is let in may send large requests`() async throws {
        try await withServer({ $0.askWhoItIs() }) { store, address in
            try await store.admin.createUser("ann", password: "pencil")
            try await store.admin.createTopic("t")
            let batch = TestBatch.bytes(keys: (0..<20_000).map { "key-\($0)" })
            try #require(batch.count > 2 * FrameAssembler.firstBytes)
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await scram(client, .scramSHA256, "ann", "pencil") == .admitted)
                let response = try await client.ask(
                    .produce("t", bytes: batch.count), version: 9, records: batch)
                #expect(response.produced?.errorCode == ErrorCode.none)
            }
        }
    }

    @Test func `users come and go while the server runs`() async throws {
        try await withServer({ $0.askWhoItIs() }) { store, address in
            let admin = store.admin
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await scram(client, .scramSHA256, "ann", "pencil") != .admitted)
            }
            try await admin.createUser("ann", password: "pencil")
            try await admin.createUser("bob", password: "brush")
            await #expect(throws: StreamError.userExists("ann")) {
                try await admin.createUser("ann", password: "other")
            }
            #expect(try await admin.users().map(\.name) == ["ann", "bob"])
            try await WireClient.connected(to: address) { ann async throws in
                try await WireClient.connected(to: address) { bob async throws in
                    #expect(try await scram(ann, .scramSHA256, "ann", "pencil") == .admitted)
                    #expect(try await scram(bob, .scramSHA512, "bob", "brush") == .admitted)
                    try await admin.createUser("ann", password: "other", mayReplace: true)
                    #expect(try await isServed(ann) == false)
                    #expect(try await isServed(bob))
                    try await admin.deleteUser("bob")
                    #expect(try await isServed(bob) == false)
                }
            }
            await #expect(throws: StreamError.unknownUser("bob")) { try await admin.deleteUser("bob") }
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await scram(client, .scramSHA256, "ann", "other") == .admitted)
            }
        }
    }

    @Test func `who does not say who he is has to go`() async throws {
        try await withServer({
            $0.sasl = true
            $0.stallTimeout = .milliseconds(200)
        }) { _, address in
            try await WireClient.connected(to: address) { client async throws in
                #expect(try await client.nextFrame() == nil)
            }
        }
    }

    @Test(arguments: ["", "a\nb", String(repeating: "a", count: 256)])
    func `a name that cannot be is refused`(name: String) async throws {
        try await withServer { store, _ in
            await #expect(throws: StreamError.self) { try await store.admin.createUser(name, password: "x") }
            for password in ["", "a\0b", String(repeating: "a", count: 1025)] {
                await #expect(throws: StreamError.self) {
                    try await store.admin.createUser("ann", password: password)
                }
            }
        }
    }
}

extension [UInt8] {
    fileprivate init(bigEndian value: Int32) {
        self = Swift.withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

extension KafkaServerConfiguration {
    /// As long as it takes, on a machine that is busy.
    fileprivate mutating func askWhoItIs() {
        sasl = true
        stallTimeout = .seconds(300)
        handshakeTimeout = .seconds(300)
    }
}
#endif
