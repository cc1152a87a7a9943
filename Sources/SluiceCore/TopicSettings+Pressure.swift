// The settings of back pressure: how they are written, which go together, and what the controller gets.

extension TopicSettings {
    /// Throws for settings that contradict each other.
    func validatePressure() throws(SettingsError) {
        if pressurePolicy == .dropOldest {
            let promise = retentionPromiseMilliseconds
            let isBelow = promise.map { $0 < retentionMilliseconds ?? .max } ?? false
            if !isBelow {
                throw .badValue(
                    key: Keys.retentionPromise.name, value: Keys.retentionPromise.text(in: self),
                    accepted: "less than retention.ms",
                    note: "drop-oldest deletes records that are older than this, so it must be set")
            }
        }
        if pressureGroups.contains("*"), pressureGroups.count > 1 {
            throw .badValue(
                key: Keys.pressureGroups.name, value: Keys.pressureGroups.text(in: self),
                accepted: "names with commas between them, or * alone", note: "* is all groups already")
        }
        guard leastRate <= greatestRate ?? .max else {
            throw .badValue(
                key: Keys.greatestRate.name, value: Keys.greatestRate.text(in: self),
                accepted: "sluice.backpressure.rate.min (\(leastRate)) or more")
        }
    }

    /// Whether a group's lag slows the producers of the topic.
    package func isGated(by group: String) -> Bool {
        if retention == .untilConsumed, retentionGroups.contains(group) { return true }
        return pressureGroups == ["*"] || pressureGroups.contains(group)
    }

    /// Groups that gate by name, in the order of the settings. Not those that `*` stands for.
    package var gatingGroups: [String] {
        let kept = retention == .untilConsumed ? retentionGroups : []
        return kept + pressureGroups.filter { $0 != "*" && !kept.contains($0) }
    }

    /// What the controller obeys.
    package var pressure: PressureSettings {
        var settings = PressureSettings()
        settings.lagTargetSeconds = Double(lagTargetMilliseconds) / 1000
        settings.leastRate = Double(leastRate)
        settings.greatestRate = greatestRate.map { Double($0) }
        settings.floorRate = Double(floorRate)
        settings.abandonSeconds = Double(abandonMilliseconds) / 1000
        settings.dropsOldest = pressurePolicy == .dropOldest
        return settings
    }
}

extension SettingFormat where Value == PressurePolicy {
    /// throttle, buffer:250ms, reject, drop-oldest.
    static var pressurePolicy: Self {
        Self(
            accepted: "throttle, buffer:Nms with N from 1 to 3600000, reject, drop-oldest",
            refused: ["buffer": "it needs the latency that is promised, as in buffer:250ms"],
            parse: { PressurePolicy(text: $0) }, print: { $0.text })
    }
}

extension PressurePolicy {
    package init?(text: String) {
        switch text {
        case "throttle": self = .throttle
        case "reject": self = .reject
        case "drop-oldest": self = .dropOldest
        default:
            guard text.hasPrefix("buffer:"), text.hasSuffix("ms"),
                let milliseconds = Int64(text.dropFirst("buffer:".count).dropLast("ms".count)),
                (1...Self.longestBufferMilliseconds).contains(milliseconds)
            else { return nil }
            self = .buffer(milliseconds: milliseconds)
        }
    }

    package var text: String {
        switch self {
        case .throttle: "throttle"
        case .buffer(let milliseconds): "buffer:\(milliseconds)ms"
        case .reject: "reject"
        case .dropOldest: "drop-oldest"
        }
    }

    package static let longestBufferMilliseconds: Int64 = 3_600_000
}
