// ApiVersions: which requests are served, in which versions. The first request of a connection.
//
// (1) Its response has the header of old versions in all of them: a client cannot know better yet. (2) A
// request in a version that is not known is answered in version 0, with error 35.

/// Asks which requests are served.
package struct ApiVersionsRequest: WireStruct {
    /// The name of the client's software.
    package var clientSoftwareName = ""
    /// The version of the client's software.
    package var clientSoftwareVersion = ""

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 {
            try c.string(&clientSoftwareName)
            try c.string(&clientSoftwareVersion)
        }
    }
}

/// Which requests are served, in which versions.
package struct ApiVersionsResponse: WireStruct {
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The requests, by ascending key.
    package var apiKeys: [ApiVersion] = []
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The features that the broker knows.
    package var supportedFeatures: [SupportedFeature] = []
    /// The epoch of `finalizedFeatures`; -1 without any.
    package var finalizedFeaturesEpoch: Int64 = -1
    /// The features that the cluster has switched on.
    package var finalizedFeatures: [FinalizedFeature] = []
    /// Whether the cluster can leave ZooKeeper.
    package var zkMigrationReady = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.error(&errorCode)
        try c.array(&apiKeys)
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
    }

    package mutating func tags(_ c: inout some Coder) throws(WireError) {
        if try c.tag(0, if: !supportedFeatures.isEmpty) { try c.array(&supportedFeatures) }
        if try c.tag(1, if: finalizedFeaturesEpoch != -1) { try c.int64(&finalizedFeaturesEpoch) }
        if try c.tag(2, if: !finalizedFeatures.isEmpty) { try c.array(&finalizedFeatures) }
        if try c.tag(3, if: zkMigrationReady) { try c.bool(&zkMigrationReady) }
    }

    /// A request, and its versions.
    package struct ApiVersion: WireStruct {
        /// The number of the request.
        package var apiKey: Int16 = 0
        /// The first version.
        package var minVersion: Int16 = 0
        /// The last version.
        package var maxVersion: Int16 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int16(&apiKey)
            try c.int16(&minVersion)
            try c.int16(&maxVersion)
        }
    }

    /// A feature, and its versions.
    package struct SupportedFeature: WireStruct {
        /// The name of the feature.
        package var name = ""
        /// The first version.
        package var minVersion: Int16 = 0
        /// The last version.
        package var maxVersion: Int16 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.int16(&minVersion)
            try c.int16(&maxVersion)
        }
    }

    /// A feature, and the versions that the cluster has agreed on.
    package struct FinalizedFeature: WireStruct {
        /// The name of the feature.
        package var name = ""
        /// The last version.
        package var maxVersionLevel: Int16 = 0
        /// The first version.
        package var minVersionLevel: Int16 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.int16(&maxVersionLevel)
            try c.int16(&minVersionLevel)
        }
    }
}

extension ApiVersionsResponse.ApiVersion {
    /// Everything that is advertised, by ascending key.
    package static let advertised = ApiKey.allCases.map { api in
        Self.with {
            $0.apiKey = api.rawValue
            $0.minVersion = api.versions.lowerBound
            $0.maxVersion = api.versions.upperBound
        }
    }
}
