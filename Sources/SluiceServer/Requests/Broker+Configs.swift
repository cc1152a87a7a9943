// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: the settings of topics, and what of the broker's
// Kafka's tools ask for.
//
// (1) Topics' settings are the table of SluiceCore, all of it and nothing else. (2) A broker's are read-only:
// they were given at its start.

import KafkaWire
import Sluice
import SluiceCore

/// Kinds of resources. Kafka: ConfigResource.Type.
private enum ResourceKind {
    static let topic: Int8 = 2
    static let broker: Int8 = 4
}

/// Where a value is from.
enum ConfigSource: Int8 {
    case topic = 1
    case start = 4
    case standard = 5

    init(isDefault: Bool) { self = isDefault ? .standard : .topic }
}

extension Broker {
    // MARK: Describe

    func describeConfigs(_ request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        .with { response in
            response.results = request.resources.map { resource in
                var result = DescribeConfigsResponse.Resource()
                result.resourceType = resource.resourceType
                result.resourceName = resource.resourceName
                do throws(WireFailure) {
                    let all = try configs(of: resource, request)
                    // Some clients send an empty list where they mean all.
                    let keys = resource.configurationKeys ?? []
                    result.configs = keys.isEmpty ? all : all.filter { keys.contains($0.name) }
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    private func configs(
        of resource: DescribeConfigsRequest.Resource, _ request: DescribeConfigsRequest
    ) throws(WireFailure) -> [DescribeConfigsResponse.Config] {
        switch resource.resourceType {
        case ResourceKind.topic:
            guard let topic = served.topic(resource.resourceName) else {
                throw WireFailure(StreamError.unknownTopic(resource.resourceName))
            }
            return TopicSettings.Keys.all.map { $0.described(in: topic.settings, request) }
        case ResourceKind.broker:
            guard resource.resourceName.isEmpty || resource.resourceName == "\(Self.nodeID)" else {
                throw WireFailure(.invalidRequest, "The one broker there is has the id \(Self.nodeID).")
            }
            return brokerConfigs
        default: throw WireFailure(.invalidRequest, "There are settings of topics and of the broker.")
        }
    }

    /// What tools look for. All of it was given at the start.
    private var brokerConfigs: [DescribeConfigsResponse.Config] {
        let values: [(name: String, value: String, type: SettingType)] = [
            ("auto.create.topics.enable", "\(settings.autoCreateTopics)", .bool),
            ("broker.id", "\(Self.nodeID)", .int),
            ("default.replication.factor", "1", .int),
            ("delete.topic.enable", "true", .bool),
            ("fetch.max.bytes", "\(settings.fetchBytes)", .int),
            ("log.dirs", served.store.path, .string),
            ("node.id", "\(Self.nodeID)", .int),
            ("num.partitions", "\(settings.partitions)", .int),
            ("offsets.topic.num.partitions", "1", .int),
            ("offsets.topic.replication.factor", "1", .short),
        ]
        return values.map { entry in
            .with {
                $0.name = entry.name
                $0.value = entry.value
                $0.readOnly = true
                $0.configSource = ConfigSource.start.rawValue
                $0.configType = entry.type.rawValue
            }
        }
    }

    // MARK: Alter

    nonisolated(nonsending) func alterConfigs(_ request: AlterConfigsRequest) async -> AlterConfigsResponse {
        var response = AlterConfigsResponse()
        for resource in request.resources {
            response.responses.append(
                await alter(resource.resourceType, resource.resourceName, request.validateOnly) {
                    settings throws(SettingsError) in
                    // What is not named has its default again.
                    settings = TopicSettings()
                    for config in resource.configs {
                        guard let value = config.value else { continue }
                        try settings.set(key: config.name, value: value)
                    }
                })
        }
        return response
    }

    nonisolated(nonsending) func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest
    ) async -> AlterConfigsResponse {
        var response = AlterConfigsResponse()
        for resource in request.resources {
            response.responses.append(
                await alter(resource.resourceType, resource.resourceName, request.validateOnly) {
                    settings throws(SettingsError) in
                    for config in resource.configs {
                        try settings.alter(config.name, config.configOperation, config.value)
                    }
                })
        }
        return response
    }

    private nonisolated(nonsending) func alter(
        _ kind: Int8, _ name: String, _ validateOnly: Bool,
        _ change: (inout TopicSettings) throws(SettingsError) -> Void
    ) async -> AlterConfigsResponse.Resource {
        var result = AlterConfigsResponse.Resource()
        result.resourceType = kind
        result.resourceName = name
        do throws(WireFailure) {
            guard kind == ResourceKind.topic else {
                throw WireFailure(
                    .invalidRequest,
                    "Only settings of topics can be changed; the broker's are given at its start.")
            }
            guard let topic = served.topic(name) else { throw WireFailure(StreamError.unknownTopic(name)) }
            guard !topic.isInternal else {
                throw WireFailure(.invalidRequest, "\(name) is kept by the store as it needs it.")
            }
            var settings = topic.settings
            do throws(SettingsError) {
                try change(&settings)
                try settings.validate()
            } catch {
                throw WireFailure(StreamError(error))
            }
            if validateOnly { return result }
            do throws(StreamError) {
                try await served.alterTopic(name, settings)
            } catch {
                throw WireFailure(error)
            }
        } catch {
            result.errorCode = error.code
            result.errorMessage = error.message
        }
        return result
    }
}

extension TopicSettings {
    /// One operation of IncrementalAlterConfigs: 0 set, 1 delete, 2 append, 3 subtract.
    fileprivate mutating func alter(
        _ name: String, _ operation: Int8, _ value: String?
    ) throws(SettingsError) {
        if operation == 1 { return try reset(key: name) }
        let value = value ?? ""
        if operation == 0 { return try set(key: name, value: value) }
        guard let key = Keys.all.first(where: { $0.name == name }), Self.lists.contains(name) else {
            throw .badValue(
                key: name, value: value, accepted: "set and delete", note: "only lists are appended to")
        }
        let parts = { (text: String) in text.split(separator: ",").map(String.init) }
        let (present, given) = (parts(key.text(in: self)), parts(value))
        let result =
            operation == 2
            ? present + given.filter { !present.contains($0) } : present.filter { !given.contains($0) }
        try set(key: name, value: result.joined(separator: ","))
    }

    /// Settings whose value is a list.
    fileprivate static let lists = [
        "cleanup.policy", "sluice.retention.groups", "sluice.backpressure.groups",
    ]
}

/// The type of a setting. Kafka: ConfigDef.Type.
private enum SettingType: Int8 {
    case bool = 1
    case string = 2
    case int = 3
    case short = 4
    case long = 5
    case double = 6
    case list = 7
}

extension SettingKey {
    fileprivate func described(
        in settings: TopicSettings, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Config {
        .with { config in
            let source = ConfigSource(isDefault: isDefault(in: settings)).rawValue
            config.name = name
            config.value = text(in: settings)
            config.configSource = source
            config.configType = type.rawValue
            if request.includeDocumentation { config.documentation = summary }
            guard request.includeSynonyms else { return }
            if source == ConfigSource.topic.rawValue {
                config.synonyms.append(synonym(text(in: settings), source))
            }
            config.synonyms.append(synonym(defaultText, ConfigSource.standard.rawValue))
        }
    }

    private func synonym(_ value: String, _ source: Int8) -> DescribeConfigsResponse.Synonym {
        .with {
            $0.name = name
            $0.value = value
            $0.source = source
        }
    }

    private var type: SettingType {
        if TopicSettings.lists.contains(name) { return .list }
        if unit != .none { return .long }
        return name.hasSuffix(".ratio") ? .double : .string
    }
}
