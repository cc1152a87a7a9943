// What is written is read: random values of every request and response, in every version.

import KafkaWire
import SluiceTesting
import Testing

@Suite struct RoundTripTests {
    private static let seeds: Range<UInt64> = 0..<20

    @Test(arguments: ApiKey.allCases)
    func `a request is read as it was written`(api: ApiKey) throws {
        for version in api.versions {
            for seed in Self.seeds {
                var coder = RandomCoder(seed: seed)
                coder.begin(api, version)
                var request = KafkaRequest(api)
                try request.code(&coder)
                let frame = try request.frame(version: version, correlationID: 9, clientID: nil)
                let bytes = frame.joined(with: coder.source)
                let content = [UInt8](bytes.dropFirst(WireFrame.sizeBytes))
                let read = try KafkaRequest.read(content.span.bytes)
                #expect(read.header.api == api && read.header.apiVersion == version)
                #expect(read.header.correlationID == 9 && read.header.clientID == nil)
                let again = try #require(read.request)
                #expect(
                    again.withRecords(of: content) == request.withRecords(of: coder.source), "seed \(seed)")
                let second = try again.frame(version: version, correlationID: 9, clientID: nil)
                #expect(second.joined(with: content) == bytes, "seed \(seed)")
            }
        }
    }

    @Test(arguments: ApiKey.allCases)
    func `a response is read as it was written`(api: ApiKey) throws {
        for version in api.versions {
            for seed in Self.seeds {
                var coder = RandomCoder(seed: seed)
                coder.begin(api, version)
                var response = KafkaResponse(api)
                try response.code(&coder)
                let frame = try response.frame(version: version, correlationID: .min)
                let bytes = frame.joined(with: coder.source)
                let content = [UInt8](bytes.dropFirst(WireFrame.sizeBytes))
                let (number, again) = try KafkaResponse.read(content.span.bytes, api, version: version)
                #expect(number == .min)
                #expect(
                    again.withRecords(of: content) == response.withRecords(of: coder.source), "seed \(seed)")
                let second = try again.frame(version: version, correlationID: .min)
                #expect(second.joined(with: content) == bytes, "seed \(seed)")
            }
        }
    }
}

/// A message, and its records instead of where they are.
private struct WithRecords<Message: Hashable>: Hashable {
    var message: Message
    var records: [[UInt8]?] = []

    /// Takes the records that are at `range`.
    mutating func take(_ range: inout Range<Int>?, of source: [UInt8]) {
        records.append(range.map { [UInt8](source[$0]) })
        range = nil
    }
}

extension KafkaRequest {
    fileprivate func withRecords(of source: [UInt8]) -> WithRecords<KafkaRequest> {
        var result = WithRecords(message: self)
        guard case .produce(var request) = self else { return result }
        for topic in request.topicData.indices {
            for place in request.topicData[topic].partitionData.indices {
                result.take(&request.topicData[topic].partitionData[place].records, of: source)
            }
        }
        result.message = .produce(request)
        return result
    }
}

extension KafkaResponse {
    fileprivate func withRecords(of source: [UInt8]) -> WithRecords<KafkaResponse> {
        var result = WithRecords(message: self)
        guard case .fetch(var response) = self else { return result }
        for topic in response.responses.indices {
            for place in response.responses[topic].partitions.indices {
                result.take(&response.responses[topic].partitions[place].records, of: source)
            }
        }
        result.message = .fetch(response)
        return result
    }
}
