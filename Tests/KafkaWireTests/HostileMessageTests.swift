// No bytes trap, and none take more memory than they are worth.
//
// What a broker reads comes from anyone who can connect. Every golden message is cut at every length,
// flipped, and given lengths that it does not have; what can still be read is written, and read again.

import KafkaWire
import SluiceTesting
import Testing

@Suite struct HostileMessageTests {
    @Test func `a message that is cut at any length is an error`() throws {
        for message in try PythonMessage.golden() {
            let content = message.content
            for length in content.indices {
                let part = [UInt8](content[..<length])
                #expect(throws: WireError.self, "\(message) cut at \(length)") {
                    _ = try message.read(part)
                }
            }
        }
    }

    @Test func `a message with flipped bits is an error, or another message`() throws {
        var random = SeededRandom(seed: 1)
        for message in try PythonMessage.golden() {
            for _ in 0..<40 {
                var content = message.content
                for _ in 0..<random.within(1...3) {
                    content[random.below(content.count)] ^= 1 << UInt8(random.below(8))
                }
                try message.expectConsistent(content)
            }
        }
    }

    @Test(arguments: [
        "ffffffff", "7fffffff", "80000000", "00100001", "ffffffff0f", "ffffffffff", "ffff", "7fff",
    ])
    func `a length that is put anywhere is an error, or another message`(length: String) throws {
        let length = try #require(bytes(hex: length))
        for message in try PythonMessage.golden() {
            for place in message.content.indices {
                var content = message.content
                content.replaceSubrange(place..<min(place + length.count, content.count), with: length)
                try message.expectConsistent(content)
            }
        }
    }

    @Test func `what follows a request is not looked at, and nothing may follow a response`() throws {
        for message in try PythonMessage.golden() {
            let content = message.content + [0]
            if message.isRequest {
                #expect(try message.read(content) == message.frame)
            } else {
                let fault = WireError(.trailingBytes(1), at: message.content.count)
                #expect(throws: fault) { _ = try message.read(content) }
            }
        }
    }

    @Test func `all arrays of a message have a limit together`() throws {
        // Metadata 1: topics without a name, two bytes each.
        let count = WireLimits.elements + 1
        let head = try #require(bytes(hex: "00030001" + "00000001" + "ffff"))
        let size = withUnsafeBytes(of: Int32(count).bigEndian) { [UInt8]($0) }
        let content = head + size + [UInt8](repeating: 0, count: 2 * count)
        let fault = WireFault.tooLong(.array, count: count, limit: WireLimits.elements)
        #expect(throws: WireError(fault, at: head.count)) { _ = try KafkaRequest.read(content.span.bytes) }
    }
}

extension PythonMessage {
    /// Reads `content` as a message of this kind, and returns the frame that it is written as; an empty one
    /// for a request that is not known.
    func read(_ content: [UInt8]) throws(WireError) -> [UInt8] {
        if isRequest {
            let received = try KafkaRequest.read(content.span.bytes)
            guard let request = received.request else { return [] }
            let header = received.header
            return try request.frame(
                version: header.apiVersion, correlationID: header.correlationID, clientID: header.clientID
            ).joined(with: content)
        }
        let (number, response) = try KafkaResponse.read(content.span.bytes, api, version: version)
        return try response.frame(version: version, correlationID: number).joined(with: content)
    }

    /// Expects that `content` cannot be read, or is written as something that is read and written as the
    /// same.
    func expectConsistent(_ content: [UInt8]) throws {
        guard let written = try? read(content), !written.isEmpty else { return }
        let again = try read([UInt8](written.dropFirst(WireFrame.sizeBytes)))
        #expect(again == written, "\(self), from \(content)")
    }
}
