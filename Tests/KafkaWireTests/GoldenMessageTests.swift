// Every request and response in every version that is advertised, as kafka-python writes it; and what
// librdkafka sends.
//
// Golden/messages.jsonl is what `messages.py 1 1 --short` (Tests/KafkaClient) wrote with kafka-python 3.0.12:
// a change of a layout would have to change it, and cannot. Golden/librdkafka.jsonl is what librdkafka 2.16.0
// (confluent-kafka 2.16.1) sent to a stub: a request of each kind, without fields. Where kafka-python is
// installed, other messages are drawn and compared too.

import Foundation
import KafkaWire
import Testing

@Suite struct GoldenMessageTests {
    private static let python = ProcessInfo.processInfo.environment["SLUICE_PYTHON"]

    @Test func `golden messages are read, field by field, and written with the same bytes`() throws {
        for message in try PythonMessage.golden() { try message.check() }
    }

    @Test func `what librdkafka sends is read, and written with the same bytes`() throws {
        let messages = try PythonMessage.golden("librdkafka")
        #expect(messages.count == 25)
        for message in messages { try message.check() }
    }

    @Test func `there is a golden message for every request, direction and version`() throws {
        var missing: Set<String> = []
        for api in ApiKey.allCases {
            for version in api.versions {
                missing.insert("\(api.name)Request \(version)")
                missing.insert("\(api.name)Response \(version)")
            }
        }
        #expect(missing == Set(try PythonMessage.golden().map(\.description)))
    }

    @Test(.enabled(if: python != nil))
    func `what kafka-python writes is read, field by field, and written with the same bytes`() throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: try #require(Self.python))
        process.arguments = [
            PythonMessage.tests.appending(path: "KafkaClient/messages.py").path, "2", "3",
        ]
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let messages = try PythonMessage.all(String(decoding: data, as: UTF8.self))
        #expect(messages.count == 3 * (try PythonMessage.golden().count))
        for message in messages { try message.check() }
    }
}
