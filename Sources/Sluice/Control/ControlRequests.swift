// What a live store can be asked from outside: one entry each in a table.
//
//   request        members                                    result
//   ping                                                      pid, storeID
//   topics                                                    topics: [topic]
//   describeTopic  topic                                      a topic: name, id, partitions [{start, end}],
//                                                             configuration {key: value}
//   createTopic    topic, partitions, configuration           {}
//   deleteTopic    topic                                      {}
//   alterTopic     topic, configuration: what is to change    {}
//   backup         path: an absolute one                      {}
//   groups                                                    groups: [group]
//   describeGroup  group                                      a group: Groups/GroupDescription+JSON.swift
//   seekGroup      group, to: earliest, latest, an offset,    offsets: [{partition, offset}]
//                  {timestamp}; topics
//   deleteGroup    group                                      {}
//   pressure       topic; none: all that there are            reports: Pressure/PressureReport+Text.swift
//   users                                                     users: [{name, mechanisms}]
//   setUser        user: UserRecord's bytes in base64;        {}
//                  mayReplace: true or false
//   deleteUser     user                                       {}
//
// Members of groups in other processes have theirs: ControlMember.swift. Layers above the store answer
// others: ControlPeer.swift; of queues of tasks it is SluiceTasks/Requests.

package import SluiceCore
package import SluiceLog

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Why a request was refused.
package struct ControlFailure: Error, Sendable {
    /// For programs: the name of an error's case.
    package var code: String
    /// For people: what happened, and what to do.
    package var message: String

    /// A refusal.
    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// What was asked for makes no sense.
    package static func illegal(_ message: String) -> ControlFailure {
        ControlFailure(code: "illegalRequest", message: message)
    }
}

/// Answers one kind of request. It may take long, and runs in a task of its own.
typealias ControlHandler = @Sendable (StreamStore, JSONValue) async throws -> JSONValue

enum ControlRequests {
    static let table: [String: ControlHandler] = [
        "ping": { store, _ in
            ["pid": .integer(Int64(getpid())), "storeID": .string(store.engine.storeID.description)]
        },
        "topics": { store, _ in
            ["topics": .array(try await store.admin.topics().map(json))]
        },
        "describeTopic": { store, request in
            json(try await store.admin.describeTopic(try request.text("topic")))
        },
        "createTopic": { store, request in
            let configuration = try TopicConfiguration(properties: request.properties())
            let partitions = request["partitions"]?.integer ?? 1
            try await store.admin.createTopic(
                try request.text("topic"), partitions: Int(clamping: partitions), configuration: configuration
            )
            return [:]
        },
        "deleteTopic": { store, request in
            try await store.admin.deleteTopic(try request.text("topic"))
            return [:]
        },
        "alterTopic": { store, request in
            let name = try request.text("topic")
            var properties = try await store.admin.describeTopic(name).configuration.properties
            properties.merge(try request.properties()) { $1 }
            let configuration = try TopicConfiguration(properties: properties)
            try await store.admin.alterTopic(name) { $0 = configuration }
            return [:]
        },
        "backup": { store, request in
            let path = try request.text("path")
            guard path.hasPrefix("/") else { throw ControlFailure.illegal("\"path\" begins with '/'.") }
            try await store.backup(to: path)
            return [:]
        },
        "groups": { store, _ in
            // Without members and partitions: an answer has a megabyte.
            ["groups": .array(try await store.admin.groups().map(\.summary))]
        },
        "describeGroup": { store, request in
            try await store.admin.describeGroup(try request.text("group")).json
        },
        "seekGroup": { store, request in
            guard let position = request["to"].flatMap(Position.init) else {
                throw ControlFailure.illegal(
                    "The request needs \"to\": earliest, latest, an offset, a timestamp.")
            }
            let offsets = try await store.admin.seekGroup(
                try request.text("group"), to: position,
                topics: (request["topics"]?.array ?? []).compactMap(\.string))
            return ["offsets": .array(offsets.sorted { $0.key < $1.key }.map(Self.json))]
        },
        "deleteGroup": { store, request in
            try await store.admin.deleteGroup(try request.text("group"))
            return [:]
        },
        "pressure": { store, request in
            let named = request["topic"]?.string.map { [$0] }
            let topics = if let named { named } else { try await store.admin.topics().map(\.name) }
            var reports: [JSONValue] = []
            // An answer has a megabyte.
            for topic in topics.prefix(500) { reports.append(try await store.pressure(on: topic).json) }
            return ["reports": .array(reports)]
        },
        "users": { store, _ in
            ["users": .array(try await store.admin.users().map(\.json))]
        },
        "setUser": { store, request in
            guard let user = UserRecord(base64: try request.text("user")) else {
                throw ControlFailure.illegal("\"user\" is no user.")
            }
            try await store.admin.setUser(user, mayReplace: request["mayReplace"]?.bool ?? false)
            return [:]
        },
        "deleteUser": { store, request in
            try await store.admin.deleteUser(try request.text("user"))
            return [:]
        },
    ]

    private static func json(_ partition: TopicPartition, _ offset: Offset) -> JSONValue {
        ["partition": partition.json, "offset": .integer(offset.rawValue)]
    }

    /// The answer to the bytes of one message, whatever they are.
    static func answer(_ bytes: [UInt8], _ store: StreamStore, _ peer: ControlPeer) async -> JSONValue {
        do {
            let request = try JSONValue(parsing: bytes)
            guard request["version"]?.integer == ControlMessage.version else {
                throw ControlFailure(
                    code: "unsupported", message: "This store speaks version \(ControlMessage.version).")
            }
            let name = try request.text("request")
            if let service = store.services.withLock({ $0[name] }) {
                return ControlMessage.result(try await service(store, request, peer))
            }
            if let result = try await ControlMember.answer(name, store, request, peer) {
                return ControlMessage.result(result)
            }
            guard let handler = table[name] else {
                throw ControlFailure(code: "unsupported", message: "There is no request \"\(name)\".")
            }
            return ControlMessage.result(try await handler(store, request))
        } catch let error as ControlFailure {
            return ControlMessage.failure(error.code, error.message)
        } catch let error as StreamError {
            return ControlMessage.failure(error.code, error.description)
        } catch let error as JSONError {
            return ControlMessage.failure("illegalRequest", error.description)
        } catch {
            return ControlMessage.failure("failed", "\(error)")
        }
    }

    private static func json(_ topic: TopicDescription) -> JSONValue {
        [
            "name": .string(topic.name), "id": .string(topic.id),
            "partitions": .array(
                topic.partitions.map {
                    ["start": .integer($0.lowerBound.rawValue), "end": .integer($0.upperBound.rawValue)]
                }),
            "configuration": .object(topic.configuration.properties.mapValues { .string($0) }),
        ]
    }
}

extension UserDescription {
    package var json: JSONValue {
        ["name": .string(name), "mechanisms": .array(mechanisms.map { .string($0) })]
    }
}

extension UserRecord {
    /// Its bytes as text, for the control socket.
    package var base64: String {
        var writer = BinaryWriter()
        encode(into: &writer)
        return String(decoding: Base64.encode(writer.bytes), as: UTF8.self)
    }

    /// nil when the text is not that of a user with credentials.
    init?(base64: String) {
        guard let bytes = Base64.decode(base64.utf8) else { return nil }
        var reader = BinaryReader(bytes[...])
        guard let user = try? UserRecord(from: &reader), reader.left == 0, !user.credentials.isEmpty else {
            return nil
        }
        self = user
    }
}

extension JSONValue {
    /// A member that must be there, and text. Throws `ControlFailure`.
    package func text(_ name: String) throws -> String {
        guard let text = self[name]?.string else {
            throw ControlFailure.illegal("The request needs \"\(name)\", a string.")
        }
        return text
    }

    /// Settings by name; none when there is no such member.
    fileprivate func properties() throws -> [String: String] {
        guard let member = self["configuration"] else { return [:] }
        guard let object = member.object, object.values.allSatisfy({ $0.string != nil }) else {
            throw ControlFailure.illegal("\"configuration\" is an object of strings.")
        }
        return object.compactMapValues(\.string)
    }
}

extension StreamError {
    /// The name of the case: what a program that asks through the socket goes by.
    package var code: String {
        let mirror = Mirror(reflecting: self)
        if let label = mirror.children.first?.label { return label }
        return self == .closed ? "closed" : "consumerInUse"
    }
}
