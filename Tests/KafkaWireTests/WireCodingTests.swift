// Primitives, frames and headers, byte by byte.

import KafkaWire
import Testing

@Suite struct WireCodingTests {
    /// Reads a request from hex; blanks are for the reader.
    private func request(_ hex: String) throws -> ReceivedRequest {
        let content = try #require(bytes(hex: hex.filter { $0 != " " }))
        return try KafkaRequest.read(content.span.bytes)
    }

    private func size(_ bytes: [UInt8], limit: Int = WireLimits.frameBytes) throws -> Int? {
        try WireFrame.size(bytes.span.bytes, limit: limit)
    }

    private func fault(of hex: String) -> WireError? {
        do {
            _ = try request(hex)
            return nil
        } catch {
            return error as? WireError
        }
    }

    @Test func `a size is read when it is there, and has limits`() throws {
        #expect(try size([0, 0, 0]) == nil)
        #expect(try size([0, 0, 0, 0]) == 0)
        #expect(try size([6, 0x40, 0, 0, 9]) == WireLimits.frameBytes)
        let long = WireFault.tooLong(.frame, count: WireLimits.frameBytes + 1, limit: WireLimits.frameBytes)
        #expect(throws: WireError(long, at: 0)) { _ = try size([6, 0x40, 0, 1]) }
        #expect(throws: WireError(.negative(-1), at: 0)) {
            _ = try size([255, 255, 255, 255])
        }
        let own = WireFault.tooLong(.frame, count: 11, limit: 10)
        #expect(throws: WireError(own, at: 0)) { _ = try size([0, 0, 0, 11], limit: 10) }
    }

    @Test func `a request that is not known is read up to its number`() throws {
        for (hex, key, version) in [("0012 0063", 18, 99), ("0018 0000", 24, 0), ("0000 000d", 0, 13)] {
            let received = try request(hex + "00000007 ffff ff")
            #expect(received.header.apiKey == Int16(key) && received.header.apiVersion == Int16(version))
            #expect(received.header.correlationID == 7)
            #expect(received.header.api == nil && received.request == nil)
        }
    }

    @Test func `a client's name has a short length in every header`() throws {
        // ApiVersions 0 and 3: the second with tagged fields behind the header and behind the body.
        for hex in ["0012 0000 00000001 0002 6162", "0012 0003 00000001 0002 6162 00 02 63 02 64 00"] {
            #expect(try request(hex).header.clientID == "ab")
        }
    }

    @Test func `a response to ApiVersions never has tagged fields in its header`() throws {
        let response = KafkaResponse.apiVersions(.with { $0.errorCode = .unsupportedVersion })
        #expect(
            try response.frame(version: 0, correlationID: 5).bytes
                == bytes(hex: "0000000a" + "00000005" + "0023" + "00000000"))
        #expect(
            try response.frame(version: 3, correlationID: 5).bytes
                == bytes(hex: "0000000c" + "00000005" + "0023" + "01" + "00000000" + "00"))
    }

    @Test func `tagged fields that are not known are skipped, wherever they are`() throws {
        // Fetch 12, without topics: tag 0 is the cluster; 5 and 200 are not known.
        let head = "0001 000c 00000001 ffff" + "01 07 02 aabb"
        let fields = "ffffffff 00000000 00000000 7fffffff 00 00000000 ffffffff 01 01 01"
        let received = try request(head + fields + "03" + "00 03 036869" + "05 00" + "c801 01 ff")
        guard case .fetch(let fetch) = received.request else {
            Issue.record("\(received)")
            return
        }
        #expect(fetch == .with { $0.clusterID = "hi" })
        // Ones in front of the first that is known, and within an element of an array.
        let topic = "02 0261 01 01 01 00 01 01"
        let other = "ffffffff 00000000 00000000 7fffffff 00 00000000 ffffffff \(topic) 00"
        guard case .fetch(let second) = try request("0001 000c 00000001 ffff 00" + other).request else {
            Issue.record("not a Fetch")
            return
        }
        #expect(second.topics.map(\.topic) == ["a"])
    }

    @Test func `tagged fields ascend, and are as long as they say`() {
        let body = "0012 0003 00000001 ffff 00 01 01"
        #expect(fault(of: body + "02 07 00 07 00") == WireError(.tagOrder(7), at: 16))
        #expect(fault(of: body + "02 07 00 06 00") == WireError(.tagOrder(6), at: 16))
        #expect(fault(of: body + "01 07 02 00") == WireError(.truncated(needed: 2, left: 1), at: 16))
        let fetch =
            "0001 000c 00000001 ffff 00 ffffffff 00000000 00000000 7fffffff 00 00000000 ffffffff 010101"
        #expect(fault(of: fetch + "01 00 04 036869 00") == WireError(.tagSize(0), at: 46))
        #expect(fault(of: fetch + "01 00 02 036869 00") == WireError(.tagSize(0), at: 44))
    }

    @Test func `what is wrong is told with its place`() {
        // SaslHandshake 0: a string. SaslAuthenticate: bytes. FindCoordinator 4: compact keys.
        let string = "0011 0000 00000001 ffff"
        #expect(fault(of: string + "ffff") == WireError(.null(.string), at: 10))
        #expect(fault(of: string + "fffe") == WireError(.negative(-2), at: 10))
        #expect(fault(of: string + "0001 ff") == WireError(.notUTF8, at: 10))
        #expect(fault(of: string + "0002 61") == WireError(.truncated(needed: 2, left: 1), at: 12))
        let run = "0024 0000 00000001 ffff"
        #expect(fault(of: run + "ffffffff") == WireError(.null(.bytes), at: 10))
        #expect(fault(of: run + "7fffffff") == WireError(.truncated(needed: Int(Int32.max), left: 0), at: 14))
        let compact = "000a 0004 00000001 ffff 00 00"
        #expect(fault(of: compact + "00") == WireError(.null(.array), at: 12))
        #expect(fault(of: compact + "ffffffff10") == WireError(.varint, at: 12))
        #expect(fault(of: compact + "ffffffffff") == WireError(.varint, at: 12))
        #expect(fault(of: compact + "05 00") == WireError(.truncated(needed: 4, left: 1), at: 12))
        let long = WireFault.tooLong(.string, count: 32_768, limit: WireLimits.stringBytes)
        #expect(fault(of: compact + "02 818002") == WireError(long, at: 13))
    }

    @Test func `a string that no length can say is not written`() {
        let long = String(repeating: "x", count: WireLimits.stringBytes + 1)
        for (version, position) in [(Int16(0), 14), (3, 15)] {
            let request = KafkaRequest.findCoordinator(.with { $0.key = long })
            let fault = WireFault.tooLong(.string, count: long.utf8.count, limit: WireLimits.stringBytes)
            #expect(throws: WireError(fault, at: position)) {
                _ = try request.frame(version: version, correlationID: 1, clientID: nil)
            }
        }
    }

    @Test func `where a version has no null, nothing is written as empty`() throws {
        let response = KafkaResponse.joinGroup(.with { $0.errorCode = .memberIdRequired })
        for version in ApiKey.joinGroup.versions {
            let frame = [UInt8](try response.frame(version: version, correlationID: 1).bytes.dropFirst(4))
            let (_, again) = try KafkaResponse.read(frame.span.bytes, .joinGroup, version: version)
            guard case .joinGroup(let read) = again else { continue }
            #expect(read.protocolName == (version < 7 ? "" : nil))
        }
    }

    @Test func `Metadata 0 asks for all topics with an empty list`() throws {
        guard case .metadata(let all) = try request("0003 0000 00000001 ffff 00000000").request,
            case .metadata(let none) = try request("0003 0001 00000001 ffff 00000000").request,
            case .metadata(let null) = try request("0003 0001 00000001 ffff ffffffff").request
        else {
            Issue.record("not a Metadata")
            return
        }
        #expect(all.topics == nil && none.topics == [] && null.topics == nil)
    }

    @Test func `records are where they are, and leave a gap where they belong`() throws {
        // Produce 3: one topic, three partitions: with records, empty, without.
        let parts = "00000000 00000003 aabbcc" + "00000001 00000000" + "00000002 ffffffff"
        let hex = "0000 0003 00000001 ffff ffff ffff 00000064 00000001 0001 61 00000003" + parts
        let received = try request(hex)
        guard case .produce(let produce) = received.request else {
            Issue.record("not a Produce")
            return
        }
        let records = produce.topicData[0].partitionData.map(\.records)
        #expect(records == [37..<40, 48..<48, nil])
        let frame = try KafkaRequest.produce(produce).frame(version: 3, correlationID: 1, clientID: nil)
        #expect(frame.gaps.map(\.position) == [41] && frame.gaps.map(\.records) == [37..<40])
        let content = try #require(bytes(hex: hex.filter { $0 != " " }))
        #expect(frame.joined(with: content).dropFirst(4) == content[...])
    }
}
