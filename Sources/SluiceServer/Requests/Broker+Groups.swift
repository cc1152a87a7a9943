// FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and groups for administrators.
//
// (1) What is decided is the coordinator's: here it is only said in the words of the wire. (2) Until the
// groups that are stored have been read, members are told to ask again.

import KafkaWire
import Logging
import Sluice
import SluiceCore

extension Broker {
    // MARK: FindCoordinator

    func findCoordinator(
        _ request: FindCoordinatorRequest, _ context: RequestContext
    ) -> FindCoordinatorResponse {
        var response = FindCoordinatorResponse()
        // Of transactions there is none; of share groups neither.
        let isGroup = request.keyType == 0
        let code: ErrorCode = isGroup ? .none : .coordinatorNotAvailable
        let message = isGroup ? nil : "There are no transactions and no share groups here."
        let nodeID = isGroup ? Self.nodeID : -1
        let host = isGroup ? context.endpoint.host : ""
        let port = isGroup ? Int32(clamping: context.endpoint.port) : -1
        response.errorCode = code
        response.errorMessage = message
        response.nodeID = nodeID
        response.host = host
        response.port = port
        response.coordinators = request.coordinatorKeys.map { key in
            .with {
                $0.key = key
                $0.nodeID = nodeID
                $0.host = host
                $0.port = port
                $0.errorCode = code
                $0.errorMessage = message
            }
        }
        return response
    }

    /// Whether groups can be asked for; else what the client is told.
    nonisolated(nonsending) func groupsReady(isToBeMade: Bool) async -> ErrorCode? {
        do throws(StreamError) {
            try await served.groupsReady(isToBeMade: isToBeMade)
            return nil
        } catch {
            logger.warning("groups cannot be read", metadata: ["error": "\(error)"])
            return .coordinatorNotAvailable
        }
    }

    // MARK: JoinGroup, SyncGroup

    /// A member joins. The answer waits for the others.
    nonisolated(nonsending) func joinGroup(
        _ request: JoinGroupRequest, _ context: RequestContext
    ) async -> HeldAnswer {
        @Sendable func refused(_ code: ErrorCode, memberID: String) -> Answer {
            .response(
                .joinGroup(
                    .with {
                        $0.errorCode = code
                        $0.protocolName = context.version < 7 ? "" : nil
                        $0.memberID = memberID
                    }))
        }
        if let code = await groupsReady(isToBeMade: true) {
            return .now(refused(code, memberID: request.memberID))
        }
        let join = JoinRequest(
            groupID: request.groupID, memberID: request.memberID, instanceID: request.groupInstanceID,
            clientID: context.clientID, clientHost: context.clientHost,
            sessionTimeoutMilliseconds: request.sessionTimeoutMs,
            rebalanceTimeoutMilliseconds: request.rebalanceTimeoutMs >= 0
                ? request.rebalanceTimeoutMs : request.sessionTimeoutMs,
            protocolType: request.protocolType,
            protocols: request.protocols.map { GroupProtocol(name: $0.name, metadata: $0.metadata) },
            isLocal: false, requiresKnownMemberID: context.version >= 4)
        guard let pending = served.join(join) else { return .now(.close) }
        return .later {
            guard let result = await pending.value() else { return .close }
            switch result {
            case .failure(.memberIDRequired(let memberID)):
                return refused(.memberIdRequired, memberID: memberID)
            case .failure(let error): return refused(ErrorCode(error), memberID: request.memberID)
            case .success(let generation):
                return .response(.joinGroup(JoinGroupResponse(generation, version: context.version)))
            }
        }
    }

    /// A member asks for its assignment. The answer waits for the leader.
    nonisolated(nonsending) func syncGroup(
        _ request: SyncGroupRequest, _ context: RequestContext
    ) async -> HeldAnswer {
        @Sendable func refused(_ code: ErrorCode) -> Answer {
            .response(
                .syncGroup(
                    .with {
                        $0.errorCode = code
                        $0.protocolType = ""
                        $0.protocolName = ""
                    }))
        }
        if let code = await groupsReady(isToBeMade: true) { return .now(refused(code)) }
        let sync = SyncRequest(
            groupID: request.groupID, generation: request.generationID, memberID: request.memberID,
            instanceID: request.groupInstanceID, protocolType: request.protocolType,
            protocolName: request.protocolName,
            assignments: Dictionary(
                request.assignments.map { ($0.memberID, $0.assignment) }, uniquingKeysWith: { $1 }))
        guard let pending = served.sync(sync) else { return .now(.close) }
        return .later {
            guard let result = await pending.value() else { return .close }
            switch result {
            case .failure(let error): return refused(ErrorCode(error))
            case .success(let assignment):
                return .response(
                    .syncGroup(
                        .with {
                            $0.protocolType = assignment.protocolType
                            $0.protocolName = assignment.protocolName
                            $0.assignment = assignment.assignment
                        }))
            }
        }
    }

    // MARK: Heartbeat, LeaveGroup

    nonisolated(nonsending) func heartbeat(_ request: HeartbeatRequest) async -> HeartbeatResponse {
        if let code = await groupsReady(isToBeMade: false) { return .with { $0.errorCode = code } }
        let error = served.heartbeat(
            request.groupID, generation: request.generationID, memberID: request.memberID,
            instanceID: request.groupInstanceID)
        return .with { $0.errorCode = ErrorCode(error) }
    }

    nonisolated(nonsending) func leaveGroup(
        _ request: LeaveGroupRequest, _ context: RequestContext
    ) async -> LeaveGroupResponse {
        if let code = await groupsReady(isToBeMade: false) { return .with { $0.errorCode = code } }
        var leaving = request.members
        if context.version <= 2 { leaving = [.with { $0.memberID = request.memberID }] }
        let errors = served.leave(
            request.groupID,
            leaving.map { LeavingMember(memberID: $0.memberID, instanceID: $0.groupInstanceID) })
        var response = LeaveGroupResponse()
        if context.version <= 2 {
            response.errorCode = ErrorCode(errors.first ?? nil)
            return response
        }
        response.members = zip(leaving, errors).map { member, error in
            .with {
                $0.memberID = member.memberID
                $0.groupInstanceID = member.groupInstanceID
                $0.errorCode = ErrorCode(error)
            }
        }
        return response
    }

    // MARK: For administrators

    nonisolated(nonsending) func describeGroups(
        _ request: DescribeGroupsRequest, _ context: RequestContext
    ) async -> DescribeGroupsResponse {
        let failure = await groupsReady(isToBeMade: false)
        return .with { response in
            response.groups = request.groups.map { name in
                if let failure {
                    return .with {
                        $0.groupID = name
                        $0.errorCode = failure
                    }
                }
                if let group = served.groupDescription(name) {
                    var described = DescribeGroupsResponse.Group(group)
                    if request.includeAuthorizedOperations {
                        described.authorizedOperations = AuthorizedOperations.group
                    }
                    return described
                }
                return .with {
                    $0.groupID = name
                    $0.groupState = "Dead"
                    guard context.version >= 6 else {
                        if request.includeAuthorizedOperations {
                            $0.authorizedOperations = AuthorizedOperations.group
                        }
                        return
                    }
                    $0.errorCode = .groupIdNotFound
                    $0.errorMessage = "There is no group \(name)."
                }
            }
        }
    }

    nonisolated(nonsending) func listGroups(_ request: ListGroupsRequest) async -> ListGroupsResponse {
        if let code = await groupsReady(isToBeMade: false) { return .with { $0.errorCode = code } }
        let states = request.statesFilter.map { $0.lowercased() }
        let types = request.typesFilter.map { $0.lowercased() }
        guard types.isEmpty || types.contains("classic") else { return ListGroupsResponse() }
        return .with { response in
            for group in served.groupList {
                let state = group.state.rawValue
                guard states.isEmpty || states.contains(state.lowercased()) else { continue }
                response.groups.append(
                    .with {
                        $0.groupID = group.groupID
                        $0.protocolType = group.protocolType
                        $0.groupState = state
                        $0.groupType = "classic"
                    })
            }
        }
    }

    nonisolated(nonsending) func deleteGroups(_ request: DeleteGroupsRequest) async -> DeleteGroupsResponse {
        let failure = await groupsReady(isToBeMade: false)
        var response = DeleteGroupsResponse()
        for name in request.groupsNames {
            var result = DeleteGroupsResponse.Group()
            result.groupID = name
            if let failure {
                result.errorCode = failure
            } else if let answer = await served.deleteGroup(name)?.value() {
                result.errorCode = ErrorCode(answer)
            } else {
                result.errorCode = .coordinatorNotAvailable
            }
            response.results.append(result)
        }
        return response
    }
}

extension JoinGroupResponse {
    fileprivate init(_ generation: JoinResponse, version: Int16) {
        self.init()
        generationID = generation.generation
        protocolType = generation.protocolType
        protocolName = generation.protocolName
        leader = generation.leaderID
        memberID = generation.memberID
        skipAssignment = generation.skipsAssignment
        // Before there was a field for it, a leader that has nothing to assign must not know that it leads.
        if generation.skipsAssignment, version < 9 { return }
        members = generation.members.map { member in
            .with {
                $0.memberID = member.memberID
                $0.groupInstanceID = member.instanceID
                $0.metadata = member.metadata
            }
        }
    }
}

extension DescribeGroupsResponse.Group {
    fileprivate init(_ group: GroupDescription) {
        self.init()
        groupID = group.groupID
        groupState = group.state.rawValue
        protocolType = group.protocolType
        protocolData = group.protocolName
        members = group.members.map { member in
            .with {
                $0.memberID = member.memberID
                $0.groupInstanceID = member.instanceID
                $0.clientID = member.clientID
                $0.clientHost = member.clientHost
                $0.memberMetadata = member.metadata
                $0.memberAssignment = member.assignment
            }
        }
    }
}
