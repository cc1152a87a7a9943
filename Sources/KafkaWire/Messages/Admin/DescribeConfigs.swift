// DescribeConfigs: the settings of topics, groups and brokers.

/// Asks for settings.
package struct DescribeConfigsRequest: WireStruct {
    /// The resources.
    package var resources: [Resource] = []
    /// Whether to tell where else a value could come from.
    package var includeSynonyms = false
    /// Whether to explain.
    package var includeDocumentation = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&resources)
        try c.bool(&includeSynonyms)
        if c.version >= 3 { try c.bool(&includeDocumentation) }
    }

    /// A resource, and which of its settings.
    package struct Resource: WireStruct {
        /// What kind of resource: 2 topic, 4 broker, 8 logger, 16 client metrics, 32 group.
        package var resourceType: Int8 = 0
        /// The name of the topic or the group, or the number of the broker.
        package var resourceName = ""
        /// The names of the settings; null is all.
        package var configurationKeys: [String]?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int8(&resourceType)
            try c.string(&resourceName)
            try c.nullableArray(&configurationKeys)
        }
    }
}

/// Settings.
package struct DescribeConfigsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The resources.
    package var results: [Resource] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&results)
    }

    /// The settings of a resource.
    package struct Resource: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?
        /// What kind of resource: 2 topic, 4 broker, 8 logger, 16 client metrics, 32 group.
        package var resourceType: Int8 = 0
        /// The name of the topic or the group, or the number of the broker.
        package var resourceName = ""
        /// The settings.
        package var configs: [Config] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.nullableString(&errorMessage)
            try c.int8(&resourceType)
            try c.string(&resourceName)
            try c.array(&configs)
        }
    }

    /// A setting.
    package struct Config: WireStruct {
        /// The name of the setting.
        package var name = ""
        /// The value; null has none to tell.
        package var value: String?
        /// Whether it cannot be changed.
        package var readOnly = false
        /// Where it is from: 1 topic, 2 broker, 3 all brokers, 4 start of the broker, 5 default, 6 logger, 8
        /// group.
        package var configSource: Int8 = -1
        /// Whether the value is secret, and null therefore.
        package var isSensitive = false
        /// Where the value could come from, the strongest first.
        package var synonyms: [Synonym] = []
        /// The type: 1 bool, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
        package var configType: Int8 = 0
        /// What the setting does.
        package var documentation: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.nullableString(&value)
            try c.bool(&readOnly)
            try c.int8(&configSource)
            try c.bool(&isSensitive)
            try c.array(&synonyms)
            if c.version >= 3 {
                try c.int8(&configType)
                try c.nullableString(&documentation)
            }
        }
    }

    /// A place that a value can come from.
    package struct Synonym: WireStruct {
        /// The name of the setting.
        package var name = ""
        /// The value; null has none to tell.
        package var value: String?
        /// Where it is from, numbered as `configSource`.
        package var source: Int8 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.nullableString(&value)
            try c.int8(&source)
        }
    }
}
