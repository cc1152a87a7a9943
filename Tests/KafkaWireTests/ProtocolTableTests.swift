// The tables of requests and errors.

import KafkaWire
import Testing

@Suite struct ProtocolTableTests {
    @Test func `what is advertised is what clients' negotiation needs`() {
        let table = ApiKey.allCases.map { "\($0.rawValue) \($0.name) \($0.versions)" }
        #expect(
            table == [
                "0 Produce 0...12", "1 Fetch 4...17", "2 ListOffsets 1...10", "3 Metadata 0...13",
                "8 OffsetCommit 2...9", "9 OffsetFetch 1...9", "10 FindCoordinator 0...6",
                "11 JoinGroup 0...9", "12 Heartbeat 0...4", "13 LeaveGroup 0...5", "14 SyncGroup 0...5",
                "15 DescribeGroups 0...6", "16 ListGroups 0...5", "17 SaslHandshake 0...1",
                "18 ApiVersions 0...4", "19 CreateTopics 2...7", "20 DeleteTopics 1...6",
                "21 DeleteRecords 0...2", "22 InitProducerId 0...5", "23 OffsetForLeaderEpoch 2...4",
                "32 DescribeConfigs 1...4", "33 AlterConfigs 0...2", "35 DescribeLogDirs 0...4",
                "36 SaslAuthenticate 0...2", "37 CreatePartitions 0...3", "42 DeleteGroups 0...2",
                "44 IncrementalAlterConfigs 0...1", "47 OffsetDelete 0...0", "60 DescribeCluster 0...2",
            ])
    }

    @Test func `versions that are advertised and refused are those of old Produce`() {
        for api in ApiKey.allCases {
            #expect(api.servedVersions == (api == .produce ? 3...12 : api.versions))
        }
    }

    @Test func `a request and its response know which they are`() {
        for api in ApiKey.allCases {
            #expect(KafkaRequest(api).api == api)
            #expect(KafkaResponse(api).api == api)
        }
    }

    @Test func `the list of requests is sorted, and within what clients take`() {
        let list = ApiVersionsResponse.ApiVersion.advertised
        #expect(list.map(\.apiKey) == list.map(\.apiKey).sorted())
        #expect(list.count == ApiKey.allCases.count && list.count <= 1_000)
        #expect(list.first == .with { $0.maxVersion = 12 })
    }

    @Test func `errors have Kafka's names`() {
        #expect(ErrorCode.unknownServerError.name == "UNKNOWN_SERVER_ERROR")
        #expect(ErrorCode.none.name == "NONE")
        #expect(ErrorCode.invalidTopicException.name == "INVALID_TOPIC_EXCEPTION")
        #expect(ErrorCode.fetchSessionIdNotFound.name == "FETCH_SESSION_ID_NOT_FOUND")
        #expect(ErrorCode.kafkaStorageError.rawValue == 56)
    }

    @Test func `clients try again what passes by itself`() {
        for error in [ErrorCode.notLeaderOrFollower, .coordinatorNotAvailable, .kafkaStorageError] {
            #expect(error.isRetriable)
        }
        for error in [ErrorCode.none, .unknownServerError, .unknownMemberId, .rebalanceInProgress] {
            #expect(!error.isRetriable)
        }
    }

    @Test func `an error says what, where and which limit`() {
        let error = WireError(.tooLong(.array, count: 9, limit: 8), at: 7)
        #expect("\(error)" == "the array at byte 7 has a length of 9, the limit is 8")
    }
}
