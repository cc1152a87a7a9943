// Connections that are encrypted, those that should be and are not, and files that do not fit.

#if Server
import Foundation
import KafkaWire
import NIOSSL
import Sluice
import SluiceTesting
import Testing

@testable import SluiceServer

@Suite struct TLSTests {
    /// The certificate with its key.
    static func tls() throws -> KafkaServerTLS {
        try TestTLS.withFile(TestTLS.certificate) { certificate in
            try TestTLS.withFile(TestTLS.key) {
                try KafkaServerTLS(certificateFile: certificate, keyFile: $0)
            }
        }
    }

    @Test func `records go in and out encrypted`() async throws {
        let batch = TestBatch.bytes(keys: ["a", "b", "c"])
        try await withServer({
            $0.tls = try! Self.tls()
            $0.handshakeTimeout = .seconds(300)
        }) { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address, tls: try TestTLS.clientContext()) { client in
                for number in 0..<50 as Range<Int64> {
                    let response = try await client.ask(
                        .produce("t", bytes: batch.count), version: 9, records: batch)
                    #expect(response.produced?.baseOffset == 3 * number)
                }
                try await client.send(.fetch("t", from: 0), version: 12)
                let (_, response, frame) = try await client.receive(.fetch, version: 12)
                let records = Array(frame[try #require(response.fetched?.records)])
                #expect(records.count == 50 * batch.count)
            }
        }
    }

    @Test func `a client that is not encrypted gets nothing and disturbs nobody`() async throws {
        try await withServer({
            $0.tls = try! Self.tls()
            $0.handshakeTimeout = .seconds(300)
        }) { _, address in
            try await WireClient.connected(to: address, tls: try TestTLS.clientContext()) { good in
                _ = try await good.ask(.metadata(.init()), version: 9)
                try await WireClient.connected(to: address) { bad in
                    try await bad.send(.metadata(.init()), version: 9)
                    // An alert of TLS at most, which is no frame.
                    while (try? await bad.nextFrame()) ?? nil != nil { Issue.record("an answer") }
                }
                _ = try await good.ask(.metadata(.init()), version: 9)
            }
        }
    }

    @Test func `a handshake that does not come to an end is ended`() async throws {
        try await withServer({
            $0.tls = try! Self.tls()
            $0.handshakeTimeout = .milliseconds(200)
        }) { _, address in
            try await WireClient.connected(to: address) { silent async throws in
                #expect(try await silent.nextFrame() == nil)
            }
            try await WireClient.connected(to: address) { half async throws in
                // The beginning of a ClientHello; too late already, on a busy machine.
                try? await half.send(bytes: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])
                #expect(try await half.nextFrame() == nil)
            }
            // One that was encrypted in time stays, however long that is ago; in time is for it to manage.
            var hasStayed = false
            for _ in 0..<20 where !hasStayed {
                hasStayed =
                    (try? await WireClient.connected(to: address, tls: try TestTLS.clientContext()) {
                        client in
                        guard try await isServed(client) else { return false }
                        try await WireClient.connected(to: address) { silent async throws in
                            #expect(try await silent.nextFrame() == nil)
                        }
                        return try await isServed(client)
                    }) ?? false
            }
            #expect(hasStayed)
        }
    }

    @Test func `a certificate that is replaced is shown to those who connect from then on`() async throws {
        let folder = NSTemporaryDirectory() + "/sluice-renewed-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func put(_ certificate: String, _ key: String) throws {
            try certificate.write(toFile: folder + "/certificate", atomically: true, encoding: .utf8)
            try key.write(toFile: folder + "/key", atomically: true, encoding: .utf8)
        }
        try put(TestTLS.certificate, TestTLS.key)
        let tls = try KafkaServerTLS(certificateFile: folder + "/certificate", keyFile: folder + "/key")
        try await withServer({
            $0.tls = tls
            $0.tlsRenewal = .milliseconds(10)
            $0.handshakeTimeout = .seconds(300)
        }) { _, address in
            let first = try TestTLS.clientContext()
            let second = try TestTLS.clientContext(TestTLS.otherCertificate)
            func isBelieved(_ context: NIOSSLContext) async -> Bool {
                (try? await WireClient.connected(to: address, tls: context) { try await isServed($0) })
                    ?? false
            }
            try await WireClient.connected(to: address, tls: first) { old in
                // Half of a change is no change.
                try put(TestTLS.otherCertificate, TestTLS.key)
                #expect(throws: KafkaServerTLS.Problem.self) { try tls.renewed() }
                for _ in 0..<20 { #expect(await isBelieved(first)) }
                try put(TestTLS.otherCertificate, TestTLS.otherKey)
                while await !isBelieved(second) {}
                #expect(await !isBelieved(first))
                let isOldServed = try await isServed(old)
                #expect(isOldServed)
            }
        }
    }

    private func isServed(_ client: WireClient) async throws -> Bool {
        try await client.send(.metadata(.init()), version: 9)
        return try await client.nextFrame() != nil
    }

    @Test func `files that cannot be used are refused with what is wrong with them`() throws {
        func problem(_ certificate: String, _ key: String) throws -> KafkaServerTLS.Problem? {
            try TestTLS.withFile(certificate) { certificate in
                try TestTLS.withFile(key) { key in
                    do throws(KafkaServerTLS.Problem) {
                        _ = try KafkaServerTLS(certificateFile: certificate, keyFile: key)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
        }
        #expect(try problem(TestTLS.certificate, TestTLS.key) == nil)
        #expect(try problem(TestTLS.certificate + "\n" + TestTLS.certificate, TestTLS.key) == nil)
        guard case .mismatch = try problem(TestTLS.certificate, TestTLS.otherKey) else {
            Issue.record("another key")
            return
        }
        for certificate in ["", "nothing", TestTLS.key, String(TestTLS.certificate.dropLast(60))] {
            guard case .noCertificate = try problem(certificate, TestTLS.key) else {
                Issue.record("\(certificate)")
                return
            }
        }
        for key in [
            "", "nothing", TestTLS.certificate, TestTLS.encryptedKey, String(TestTLS.key.dropLast(60)),
        ] {
            guard case .noKey = try problem(TestTLS.certificate, key) else {
                Issue.record("\(key)")
                return
            }
        }
        for file in ["/nonexistent/sluice.pem", "/tmp"] {
            #expect {
                _ = try KafkaServerTLS(certificateFile: file, keyFile: file)
            } throws: { error in
                "\(error)".contains(file)
            }
        }
    }
}
#endif
