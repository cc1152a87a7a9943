// A message that another implementation has written, with what it put into it: a line of Tests/KafkaClient's
// messages.py.
//
// (1) Fields are compared by name: Kafka's `throttle_time_ms` is ours `throttleTimeMs`. (2) Each field that
// the line names must be there and have its value; bytes, records and UUIDs are in hex.

import Foundation
import KafkaWire
import Testing

struct PythonMessage {
    let api: ApiKey
    let isRequest: Bool
    let version: Int16
    let correlationID: Int32
    let clientID: String
    let fields: [String: Any]
    /// With its size.
    let frame: [UInt8]

    init(_ line: some StringProtocol) throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        api = try #require(ApiKey.allCases.first { $0.name == object["name"] as? String })
        isRequest = object["direction"] as? String == "Request"
        version = try #require(object["version"] as? Int16)
        correlationID = try #require(object["correlation"] as? Int32)
        clientID = try #require(object["client"] as? String)
        fields = try #require(object["fields"] as? [String: Any])
        frame = try #require(bytes(hex: object["frame"] as? String ?? "?"))
    }

    /// The folder of the tests.
    static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// The messages of a file in Golden.
    static func golden(_ name: String = "messages") throws -> [PythonMessage] {
        let file = tests.appending(path: "KafkaWireTests/Golden/\(name).jsonl")
        return try all(String(contentsOf: file, encoding: .utf8))
    }

    static func all(_ text: String) throws -> [PythonMessage] {
        try text.split(separator: "\n").map { try PythonMessage($0) }
    }

    /// The frame without its size.
    var content: [UInt8] { [UInt8](frame.dropFirst(WireFrame.sizeBytes)) }

    /// Reads the frame, compares every field, and writes the same bytes again.
    func check() throws {
        let size = try WireFrame.size(frame.span.bytes)
        #expect(size == content.count)
        let message: any Sendable
        let written: WireFrame
        if isRequest {
            let received = try KafkaRequest.read(content.span.bytes)
            #expect(received.header.api == api)
            #expect(received.header.apiVersion == version)
            #expect(received.header.correlationID == correlationID)
            #expect(received.header.clientID == clientID)
            let request = try #require(received.request)
            message = request
            written = try request.frame(version: version, correlationID: correlationID, clientID: clientID)
        } else {
            let (number, response) = try KafkaResponse.read(content.span.bytes, api, version: version)
            #expect(number == correlationID)
            message = response
            written = try response.frame(version: version, correlationID: correlationID)
        }
        let payload = try #require(Mirror(reflecting: message).children.first?.value)
        let differences = differences(payload, fields, at: "\(self)")
        #expect(differences == [])
        #expect(written.joined(with: content) == frame, "\(self) is written otherwise")
    }

    /// Where `value` is not what `expected` says.
    private func differences(_ value: Any, _ expected: Any, at place: String) -> [String] {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional {
            guard let some = mirror.children.first else { return expected is NSNull ? [] : [place] }
            return differences(some.value, expected, at: place)
        }
        if let expected = expected as? [String: Any] {
            return expected.flatMap { name, expected -> [String] in
                let plain = name.filter { $0 != "_" }
                // kafka-python says `authorized_operations` for those of a topic or the cluster too.
                let names = [plain, "topic" + plain, "cluster" + plain]
                let child = mirror.children.first { names.contains($0.label?.lowercased() ?? "") }
                guard let child else { return ["\(place).\(name) is missing"] }
                return differences(child.value, expected, at: "\(place).\(name)")
            }
        }
        if let expected = expected as? [Any] {
            let children = Array(mirror.children)
            guard children.count == expected.count else { return ["\(place) has \(children.count) elements"] }
            return zip(children, expected).enumerated().flatMap {
                differences($1.0.value, $1.1, at: "\(place)[\($0)]")
            }
        }
        return isSame(value, expected) ? [] : ["\(place) is \(value), not \(expected)"]
    }

    private func isSame(_ value: Any, _ expected: Any) -> Bool {
        switch value {
        case let number as any FixedWidthInteger: Int64(number) == (expected as? NSNumber)?.int64Value
        case let flag as Bool: flag == expected as? Bool
        case let error as ErrorCode: error.rawValue == expected as? Int16
        case let text as String: text == expected as? String
        case let run as [UInt8]: run == bytes(hex: expected as? String ?? "?")
        case let records as Range<Int>: [UInt8](content[records]) == bytes(hex: expected as? String ?? "?")
        case let id as WireUUID: hex(id.high) + hex(id.low) == expected as? String
        default: false
        }
    }

    private func hex(_ bits: UInt64) -> String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension PythonMessage: CustomTestStringConvertible, CustomStringConvertible {
    var description: String { "\(api.name)\(isRequest ? "Request" : "Response") \(version)" }
    var testDescription: String { description }
}

/// The bytes that are written as hex; nil when it is not.
func bytes(hex: String) -> [UInt8]? {
    let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == hex.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
