// The table of settings: it covers every property, its text round-trips, and what is refused says why.

import SluiceCore
import SluiceLog
import Testing

@Suite struct TopicSettingsTests {
    /// A value other than the default, for each key.
    static let others = [
        "retention.ms": "-1", "retention.bytes": "0", "segment.bytes": "4096", "segment.ms": "1",
        "index.interval.bytes": "0", "max.message.bytes": "8388608", "compression.type": "zstd",
        "message.timestamp.type": "LogAppendTime", "sluice.durability": "written",
        "cleanup.policy": "compact,delete", "delete.retention.ms": "1", "min.cleanable.dirty.ratio": "0.25",
        "min.compaction.lag.ms": "1", "sluice.retention": "until-consumed", "sluice.retention.groups": "a,b",
        "sluice.backpressure.abandon.ms": "1",
    ]

    @Test func `every property has a row and every row a property of its own`() throws {
        #expect(TopicSettings.Keys.all.count == Mirror(reflecting: TopicSettings()).children.count)
        #expect(Set(TopicSettings.Keys.all.map(\.name)).count == TopicSettings.Keys.all.count)
        for (key, value) in Self.others {
            var settings = TopicSettings()
            try settings.set(key: key, value: value)
            #expect(settings.properties == [key: value])
            try settings.reset(key: key)
            #expect(settings == TopicSettings())
        }
    }

    @Test func `the defaults are Kafka's, but for the size of a segment`() {
        let defaults = Dictionary(
            uniqueKeysWithValues: TopicSettings.Keys.all.map { ($0.name, $0.defaultText) })
        #expect(
            defaults == [
                "retention.ms": "604800000", "retention.bytes": "-1", "segment.bytes": "134217728",
                "delete.retention.ms": "86400000", "min.cleanable.dirty.ratio": "0.5",
                "min.compaction.lag.ms": "0", "sluice.retention": "time-and-size",
                "sluice.retention.groups": "",
                "segment.ms": "604800000", "index.interval.bytes": "4096", "max.message.bytes": "1048576",
                "compression.type": "producer", "message.timestamp.type": "CreateTime",
                "cleanup.policy": "delete",
                "sluice.durability": "durable", "sluice.retention.min.ms": "-1",
                "sluice.backpressure.policy": "throttle", "sluice.backpressure.groups": "",
                "sluice.backpressure.lag.target.ms": "30000", "sluice.backpressure.rate.min": "65536",
                "sluice.backpressure.rate.max": "-1", "sluice.backpressure.rate.floor": "8000000",
                "sluice.validate": "records",
                "sluice.backpressure.abandon.ms": "86400000",
            ])
        #expect(TopicSettings().properties.isEmpty)
    }

    @Test func `what differs from the defaults round-trips as text`() throws {
        let settings = try TopicSettings(properties: Self.others)
        #expect(settings.properties == Self.others)
        #expect(try TopicSettings(properties: settings.properties) == settings)
        #expect(settings.retentionMilliseconds == nil)
    }

    @Test func `a default that is written out is not a difference`() throws {
        let text = Dictionary(uniqueKeysWithValues: TopicSettings.Keys.all.map { ($0.name, $0.defaultText) })
        #expect(try TopicSettings(properties: text).properties.isEmpty)
    }

    @Test(arguments: [
        ("retention.ms", ["-1", "0", "9223372036854775807"], ["-2", "", "7d", " 1", "9223372036854775808"]),
        ("retention.bytes", ["-1", "0", "9223372036854775807"], ["-2", "1e9"]),
        ("segment.bytes", ["4096", "2147483647"], ["4095", "2147483648", "-1", "0"]),
        ("segment.ms", ["1", "9223372036854775807"], ["0", "-1"]),
        ("index.interval.bytes", ["0", "2147483647"], ["-1", "2147483648"]),
        ("max.message.bytes", ["1024", "8388608"], ["1023", "8388609"]),
        (
            "compression.type", ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"],
            ["none", "LZ4", ""]
        ),
        ("message.timestamp.type", ["CreateTime", "LogAppendTime"], ["createTime"]),
        ("cleanup.policy", ["delete", "compact", "compact,delete"], ["none", "", "compact,", "Compact"]),
        ("delete.retention.ms", ["0", "86400000"], ["-1", "1d"]),
        ("min.cleanable.dirty.ratio", ["0.0", "0.5", "1.0"], ["-0.1", "1.1", "nan", "half"]),
        ("min.compaction.lag.ms", ["0", "1"], ["-1"]),
        ("sluice.retention", ["time-and-size"], ["until", ""]),
        ("sluice.retention.groups", ["", "a", "a,b-c"], [",", "a,,b", "a,a"]),
        ("sluice.durability", ["durable", "written"], ["all"]),
        ("sluice.backpressure.abandon.ms", ["0", "1", "9223372036854775807"], ["-1", "day"]),
    ])
    func `a range ends where it says`(key: String, good: [String], bad: [String]) throws {
        for value in good {
            var settings = TopicSettings()
            try settings.set(key: key, value: value)
            #expect(
                settings.properties[key] ?? TopicSettings.Keys.all.first { $0.name == key }?.defaultText
                    == value)
            try settings.validate()
        }
        for value in bad {
            var settings = TopicSettings()
            let error = #expect(throws: SettingsError.self) { try settings.set(key: key, value: value) }
            #expect(error?.key == key && error?.value == value)
            #expect(settings == TopicSettings())
        }
    }

    @Test func `a bad value says what is accepted`() {
        expectReason("4095", for: "segment.bytes", "accepted: 4096 to 2147483647 bytes")
        expectReason("7d", for: "retention.ms", "accepted: -1 (no limit), 0 or more ms")
        expectReason(
            "none", for: "compression.type", "accepted: producer, uncompressed, gzip, snappy, lz4, zstd")
        expectReason(
            "none", for: "cleanup.policy", "accepted: compact, delete or several with commas")
    }

    @Test(arguments: [
        ("retention.sm", ["retention.ms"]),
        ("Retention_Ms", ["retention.ms"]),
        ("log.retention.hours", ["retention.ms", "retention.bytes"]),
        ("log.segment.bytes", ["segment.bytes"]),
        ("durability", []),
        ("nonsense", []),
        ("", []),
    ])
    func `an unknown key names its neighbours`(key: String, near: [String]) {
        #expect(throws: SettingsError.unknownKey(key, value: "1", near: near)) {
            try TopicSettings(properties: [key: "1"])
        }
    }

    @Test func `an unknown key is not looked at beyond its bound`() {
        #expect(TopicSettings.Keys.near(to: String(repeating: "retention.ms", count: 100_000)).isEmpty)
    }

    @Test func `a message for an unknown key says what to do`() {
        #expect(
            SettingsError.unknownKey("retention.sm", value: "1", near: ["retention.ms"]).reason
                == "there is no such setting; did you mean retention.ms?")
        #expect(
            SettingsError.unknownKey("x", value: "1", near: []).reason
                .hasPrefix("there is no such setting; the settings are retention.ms, retention.bytes, "))
    }

    @Test func `of several errors the first by name is reported`() {
        for _ in 0..<10 {
            #expect(throws: SettingsError.unknownKey("a", value: "1", near: [])) {
                try TopicSettings(properties: ["segment.ms": "0", "a": "1", "zz": "2"])
            }
        }
    }

    @Test func `policies are written in one order, however they were`() throws {
        let settings = try TopicSettings(properties: ["cleanup.policy": "delete, compact"])
        #expect(settings.cleanupPolicy == [.compact, .delete])
        #expect(settings.properties == ["cleanup.policy": "compact,delete"])
        #expect(settings.log.isCompacted && settings.log.isDeleted)
    }

    @Test func `until-consumed retention needs a group`() throws {
        var settings = try TopicSettings(properties: ["sluice.retention": "until-consumed"])
        let error = #expect(throws: SettingsError.self) { try settings.validate() }
        #expect(error?.key == "sluice.retention.groups")
        try settings.set(key: "sluice.retention.groups", value: "billing, search")
        #expect(settings.retentionGroups == ["billing", "search"])
        try settings.validate()
        #expect(settings.log.isUntilConsumed)
    }

    @Test func `an assigned value out of range is found by validate`() {
        var settings = TopicSettings()
        settings.segmentBytes = 5
        #expect(
            throws: SettingsError.badValue(
                key: "segment.bytes", value: "5", accepted: "4096 to 2147483647 bytes")
        ) { try settings.validate() }
        settings = TopicSettings()
        settings.retentionBytes = -5
        #expect(throws: SettingsError.self) { try settings.validate() }
    }

    @Test func `the engine's own defaults are the table's`() throws {
        #expect(TopicSettings().log == LogSettings())
        let other = try TopicSettings(properties: Self.others).log
        #expect(other.retentionMilliseconds == nil && other.retentionBytes == 0 && !other.isDurable)
        #expect(other.segmentBytes == 4096 && other.segmentMilliseconds == 1 && other.indexIntervalBytes == 0)
        #expect(other.maxMessageBytes == 8_388_608 && other.usesLogAppendTime)
    }

    @Test func `the documentation has a line per key`() {
        let lines = TopicSettings.Keys.markdown.split(separator: "\n")
        #expect(lines.count == TopicSettings.Keys.all.count + 2)
        #expect(
            lines.contains {
                $0.hasPrefix(
                    "| `segment.bytes` | 134217728 | bytes | 4096 to 2147483647 bytes | The size at which")
            })
    }

    private func expectReason(_ value: String, for key: String, _ reason: String) {
        var settings = TopicSettings()
        let error = #expect(throws: SettingsError.self) { try settings.set(key: key, value: value) }
        #expect(error?.reason == reason)
    }
}
