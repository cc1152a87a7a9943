// AlterConfigs, which replaces all settings of a resource, and IncrementalAlterConfigs, which changes some.

/// Replaces all settings of resources.
package struct AlterConfigsRequest: WireStruct {
    /// The resources.
    package var resources: [Resource] = []
    /// Whether to check it and change nothing.
    package var validateOnly = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&resources)
        try c.bool(&validateOnly)
    }

    /// A resource, and all its settings.
    package struct Resource: WireStruct {
        /// What kind of resource: 2 topic, 4 broker, 8 logger, 16 client metrics, 32 group.
        package var resourceType: Int8 = 0
        /// The name of the topic or the group, or the number of the broker.
        package var resourceName = ""
        /// The settings.
        package var configs: [Config] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
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

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.nullableString(&value)
        }
    }
}

/// What became of the settings; the response to `IncrementalAlterConfigsRequest` too.
package struct AlterConfigsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The resources.
    package var responses: [Resource] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&responses)
    }

    /// What became of a resource.
    package struct Resource: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?
        /// What kind of resource: 2 topic, 4 broker, 8 logger, 16 client metrics, 32 group.
        package var resourceType: Int8 = 0
        /// The name of the topic or the group, or the number of the broker.
        package var resourceName = ""

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.nullableString(&errorMessage)
            try c.int8(&resourceType)
            try c.string(&resourceName)
        }
    }
}

/// Changes some settings of resources.
package struct IncrementalAlterConfigsRequest: WireStruct {
    /// The resources.
    package var resources: [Resource] = []
    /// Whether to check it and change nothing.
    package var validateOnly = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&resources)
        try c.bool(&validateOnly)
    }

    /// A resource, and what to change.
    package struct Resource: WireStruct {
        /// What kind of resource: 2 topic, 4 broker, 8 logger, 16 client metrics, 32 group.
        package var resourceType: Int8 = 0
        /// The name of the topic or the group, or the number of the broker.
        package var resourceName = ""
        /// The settings.
        package var configs: [Config] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int8(&resourceType)
            try c.string(&resourceName)
            try c.array(&configs)
        }
    }

    /// A setting, and what to do with it.
    package struct Config: WireStruct {
        /// The name of the setting.
        package var name = ""
        /// What to do: 0 set, 1 delete, 2 append to a list, 3 take from a list.
        package var configOperation: Int8 = 0
        /// The value; null has none to tell.
        package var value: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.int8(&configOperation)
            try c.nullableString(&value)
        }
    }
}
