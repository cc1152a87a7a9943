// What a client can learn of a log that has lost its end: the epoch rises, and where the one before ended.

#if Server
import Foundation
import KafkaWire
import Sluice
import SluiceServer
import Testing

@Suite struct LeaderEpochTests {
    private static func epochEnd(
        _ client: WireClient, _ epoch: Int32, current: Int32 = -1
    ) async throws -> OffsetForLeaderEpochResponse.EpochEndOffset {
        let request = OffsetForLeaderEpochRequest.with {
            $0.replicaID = -1
            $0.topics = [
                .with {
                    $0.topic = "t"
                    $0.partitions = [
                        .with {
                            $0.partition = 0
                            $0.currentLeaderEpoch = current
                            $0.leaderEpoch = epoch
                        }
                    ]
                }
            ]
        }
        let response = try await client.ask(.offsetForLeaderEpoch(request), version: 4)
        guard case .offsetForLeaderEpoch(let answer) = response, let topic = answer.topics.first,
            let end = topic.partitions.first
        else { throw CancellationError() }
        return end
    }

    private static func batch(_ key: String) -> [UInt8] {
        TestBatch.bytes(keys: [key], value: "value", codec: .none)
    }

    /// Leaves the beginning of a batch behind the last one, as a power cut does.
    private static func tearEnd(below path: String) throws {
        let files = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        let name = try #require(files.first { $0.contains("/t-0/") && $0.hasSuffix(".log") })
        let file = try FileHandle(forUpdating: URL(filePath: path + "/" + name))
        let whole = try #require(try file.readToEnd())
        // A segment may have room behind its batches, in zeros; the last value ends with a letter, no header.
        let end = (whole.lastIndex { $0 != 0 } ?? -1) + 2
        try file.seek(toOffset: UInt64(end))
        try file.write(contentsOf: Self.batch("torn").prefix(40))
        try file.close()
    }

    @Test func `where an epoch ended is told once the log has lost its end`() async throws {
        try await withStorePath { path in
            let copy = path + "-copy"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let store = try await openStore(at: path)
            try await store.admin.createTopic("t", configuration: .init { $0.durability = .written })
            try await withServer(of: store) { address in
                try await WireClient.connected(to: address) { client in
                    for key in ["a", "b", "c"] {
                        let bytes = Self.batch(key)
                        let answer = try await client.ask(
                            .produce("t", bytes: bytes.count), version: 9, records: bytes)
                        #expect(answer.produced?.errorCode == ErrorCode.none)
                    }
                    let end = try await Self.epochEnd(client, 0)
                    #expect(end.leaderEpoch == 0 && end.endOffset == 3)
                    // As a kill leaves it.
                    try FileManager.default.copyItem(atPath: path, toPath: copy)
                }
            }
            try await store.close()
            try Self.tearEnd(below: copy)

            let again = try await openStore(at: copy)
            try await withServer(of: again) { address in
                try await WireClient.connected(to: address) { client in
                    let bytes = Self.batch("d")
                    let answer = try await client.ask(
                        .produce("t", bytes: bytes.count), version: 9, records: bytes)
                    let next = try #require(answer.produced?.baseOffset)
                    let (old, new) = (try await Self.epochEnd(client, 0), try await Self.epochEnd(client, 1))
                    #expect(old.errorCode == .none && old.leaderEpoch == 0)
                    // Offsets that may have been promised are stepped over.
                    #expect(old.endOffset == 3 && next >= 3, "\(old)")
                    #expect(new.errorCode == .none && new.leaderEpoch == 1)
                    #expect(new.endOffset == next + 1, "\(new)")
                    // A client of the time before is told, and one that is ahead of the log too.
                    let fenced = try await Self.epochEnd(client, 0, current: 0)
                    #expect(fenced.errorCode == .fencedLeaderEpoch)
                    let unknown = try await Self.epochEnd(client, 0, current: 7)
                    #expect(unknown.errorCode == .unknownLeaderEpoch)
                    let never = try await Self.epochEnd(client, 7)
                    #expect(never.leaderEpoch == -1 && never.endOffset == -1)
                }
            }
            try await again.close()
        }
    }
}
#endif
