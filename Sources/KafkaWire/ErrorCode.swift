// The errors that a broker sends, by their numbers on the wire.
//
// (1) Those of Kafka's that concern requests that are served, and none of our own. (2) A client tries again
// by itself what is retriable; what says that its view of the cluster is old makes it ask for Metadata first.
// (3) A number that is not here is read as `unknownServerError`, as Kafka's own clients do.

/// What went wrong, as Kafka numbers it.
package enum ErrorCode: Int16, CaseIterable, Sendable {
    /// Something that has no code.
    case unknownServerError = -1
    /// Nothing is wrong.
    case none = 0
    /// The offset is below the start of the log, or above its end.
    case offsetOutOfRange = 1
    /// The batch does not match its checksum.
    case corruptMessage = 2
    /// There is no such topic or partition.
    case unknownTopicOrPartition = 3
    /// There is no leader, for the moment.
    case leaderNotAvailable = 5
    /// Another broker leads the partition.
    case notLeaderOrFollower = 6
    /// It took too long.
    case requestTimedOut = 7
    /// The batch is larger than max.message.bytes.
    case messageTooLarge = 10
    /// The metadata of a commit is too long.
    case offsetMetadataTooLarge = 12
    /// The coordinator is still reading what it has stored.
    case coordinatorLoadInProgress = 14
    /// The coordinator cannot be used, for the moment.
    case coordinatorNotAvailable = 15
    /// Another broker coordinates.
    case notCoordinator = 16
    /// The name of a topic is not allowed.
    case invalidTopicException = 17
    /// The batch is larger than a segment.
    case recordListTooLarge = 18
    /// Too few brokers would have the batch; nothing was written.
    case notEnoughReplicas = 19
    /// Too few brokers have the batch, which was written.
    case notEnoughReplicasAfterAppend = 20
    /// The acks are none of 0, 1 and -1.
    case invalidRequiredAcks = 21
    /// The generation is not the group's.
    case illegalGeneration = 22
    /// The group has no assignor in common with the member.
    case inconsistentGroupProtocol = 23
    /// The group has no name.
    case invalidGroupId = 24
    /// The group has no such member.
    case unknownMemberId = 25
    /// The session timeout is out of its range.
    case invalidSessionTimeout = 26
    /// The group is rebalancing: join again.
    case rebalanceInProgress = 27
    /// The client may not do that with the topic.
    case topicAuthorizationFailed = 29
    /// The client may not do that with the group.
    case groupAuthorizationFailed = 30
    /// The client may not do that with the cluster.
    case clusterAuthorizationFailed = 31
    /// A timestamp is too far from the time.
    case invalidTimestamp = 32
    /// The SASL mechanism is not known.
    case unsupportedSaslMechanism = 33
    /// This is not the time for that SASL request.
    case illegalSaslState = 34
    /// The version is not served.
    case unsupportedVersion = 35
    /// There is such a topic already.
    case topicAlreadyExists = 36
    /// The number of partitions is not allowed.
    case invalidPartitions = 37
    /// The number of replicas is not possible.
    case invalidReplicationFactor = 38
    /// The assignment of replicas is not possible.
    case invalidReplicaAssignment = 39
    /// A setting is not allowed.
    case invalidConfig = 40
    /// Another broker is the controller.
    case notController = 41
    /// The request contradicts itself.
    case invalidRequest = 42
    /// The format of the records does not have that.
    case unsupportedForMessageFormat = 43
    /// A rule of the broker forbids it.
    case policyViolation = 44
    /// The sequence number leaves a gap.
    case outOfOrderSequenceNumber = 45
    /// The sequence number is an old one.
    case duplicateSequenceNumber = 46
    /// The epoch of the producer is an old one.
    case invalidProducerEpoch = 47
    /// The transaction is in a state that does not allow it.
    case invalidTxnState = 48
    /// The producer is not that of the transaction.
    case invalidProducerIdMapping = 49
    /// The timeout of the transaction is too long.
    case invalidTransactionTimeout = 50
    /// The transaction is being ended.
    case concurrentTransactions = 51
    /// The client may not use the transaction.
    case transactionalIdAuthorizationFailed = 53
    /// The broker has no access rules.
    case securityDisabled = 54
    /// Nothing was tried, since another part of the request failed.
    case operationNotAttempted = 55
    /// The disk failed, or must not be written.
    case kafkaStorageError = 56
    /// The client could not be authenticated.
    case saslAuthenticationFailed = 58
    /// Nothing is known of the producer any more.
    case unknownProducerId = 59
    /// The group has members.
    case nonEmptyGroup = 68
    /// There is no such group.
    case groupIdNotFound = 69
    /// There is no such fetch session.
    case fetchSessionIdNotFound = 70
    /// The request is out of order in its fetch session.
    case invalidFetchSessionEpoch = 71
    /// Topics are not deleted here.
    case topicDeletionDisabled = 73
    /// The client knows an old leader epoch.
    case fencedLeaderEpoch = 74
    /// The client knows a newer leader epoch.
    case unknownLeaderEpoch = 75
    /// The version of the request does not have that codec.
    case unsupportedCompressionType = 76
    /// The offset is not known yet.
    case offsetNotAvailable = 78
    /// Join again, with the identity that is in the response.
    case memberIdRequired = 79
    /// The group is full.
    case groupMaxSizeReached = 81
    /// Another member has the identity of the static member.
    case fencedInstanceId = 82
    /// No broker can lead.
    case eligibleLeadersNotAvailable = 83
    /// The group reads the topic.
    case groupSubscribedToTopic = 86
    /// A record is not valid.
    case invalidRecord = 87
    /// A transaction with a commit for the partition is open.
    case unstableOffsetCommit = 88
    /// The client has used up its quota.
    case throttlingQuotaExceeded = 89
    /// There is a newer producer for the transaction.
    case producerFenced = 90
    /// There is no such thing.
    case resourceNotFound = 91
    /// A thing is named twice.
    case duplicateResource = 92
    /// A password or its parameters are not allowed.
    case unacceptableCredential = 93
    /// There is no topic of that identity.
    case unknownTopicId = 100
    /// The topic is not that of the fetch session.
    case inconsistentTopicId = 103
    /// There is no such transaction.
    case transactionalIdNotFound = 105
    /// The epoch of the member is an old one.
    case fencedMemberEpoch = 110
    /// The epoch of the member is not the current one.
    case staleMemberEpoch = 113
    /// There are no endpoints of that type.
    case unsupportedEndpointType = 115
    /// The transaction must be aborted.
    case transactionAbortable = 120

    /// The name, as Kafka writes it: `UNKNOWN_TOPIC_OR_PARTITION`.
    package var name: String {
        String(describing: self).reduce(into: "") { name, letter in
            if letter.isUppercase { name.append("_") }
            name += letter.uppercased()
        }
    }

    /// Whether a client tries again by itself.
    package var isRetriable: Bool {
        switch self {
        case .corruptMessage, .unknownTopicOrPartition, .leaderNotAvailable, .notLeaderOrFollower,
            .requestTimedOut, .coordinatorLoadInProgress, .coordinatorNotAvailable,
            .notCoordinator, .notEnoughReplicas, .notEnoughReplicasAfterAppend, .notController,
            .concurrentTransactions, .kafkaStorageError, .fetchSessionIdNotFound,
            .invalidFetchSessionEpoch, .fencedLeaderEpoch, .unknownLeaderEpoch,
            .offsetNotAvailable, .eligibleLeadersNotAvailable, .unstableOffsetCommit,
            .throttlingQuotaExceeded, .unknownTopicId, .inconsistentTopicId:
            true
        default: false
        }
    }
}
