// What clients of the Kafka protocol send, and what a broker answers.
//
// (1) The first byte is 0 for a request, which says itself what it is; else the second byte chooses what is
// answered, and the third its version. (2) What can be read is written, and read again, with the same bytes.

@testable import KafkaWire

enum WireTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        if input.byte() == 0 {
            try check(input.remainder(), "a request", written: request)
        } else {
            let api = ApiKey.allCases[Int(input.byte()) % ApiKey.allCases.count]
            let version = api.versions.lowerBound + Int16(input.byte()) % Int16(api.versions.count)
            try check(input.remainder(), "\(api.name)Response \(version)") { content throws(WireError) in
                let (number, response) = try KafkaResponse.read(content.span.bytes, api, version: version)
                return try response.frame(version: version, correlationID: number).joined(with: content)
            }
        }
    }

    /// The frame that a request is written as when it has been read; nil when it is not known.
    private static func request(_ content: [UInt8]) throws(WireError) -> [UInt8]? {
        let received = try KafkaRequest.read(content.span.bytes)
        let header = received.header
        return try received.request?.frame(
            version: header.apiVersion, correlationID: header.correlationID, clientID: header.clientID
        ).joined(with: content)
    }

    private static func check(
        _ content: [UInt8], _ what: String, written: ([UInt8]) throws(WireError) -> [UInt8]?
    ) throws(FuzzFailure) {
        guard let first = try? written(content) else { return }
        let second = try? written([UInt8](first.dropFirst(WireFrame.sizeBytes)))
        try require(second == first, "\(what) is not read back")
    }
}
