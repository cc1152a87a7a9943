// A report in words, and as JSON for who asks through the socket.

package import SluiceCore

extension PressureReport: CustomStringConvertible {
    /// Some lines: the rule, the numbers, the groups, the forecast, the advice.
    public var description: String {
        var lines = ["\(topic): \(headline)"]
        lines.append("  policy     \(policy.setting.text)")
        let hard = disk.limitBytes - disk.exemptBytes
        lines.append(
            "  disk       \(Self.size(disk.usedBytes)) used, \(Self.size(disk.reservedBytes)) on the way, of "
                + "\(disk.limitBytes == .max ? "no limit" : Self.size(disk.limitBytes)); "
                + "\(Self.size(disk.freeableBytes)) can be freed")
        if disk.limitBytes < .max {
            lines.append(
                "             slowed above \(Self.size(disk.level.softBytes)), at rest at "
                    + "\(Self.size(disk.level.targetBytes)), refused above \(Self.size(hard))")
        }
        lines.append("             \(Self.words(disk.level))")
        if let lag {
            lines.append(
                "  lag        \(Self.size(lag.waitingBytes)) unread; slowed above \(Self.size(lag.softBytes)), "
                    + "at rest at \(Self.size(lag.targetBytes))")
            lines.append("             \(Self.words(lag))")
        }
        for group in groups {
            var line =
                "  group      \(group.name): \(group.role.rawValue), \(Self.size(group.unreadBytes)) unread, "
            line += "reads \(Self.size(Int64(nearest: group.drainBytesPerSecond)))/s"
            if group.silence >= 1 { line += ", silent for \(Self.time(group.silence))" }
            lines.append(line)
        }
        if let diskFullIn {
            lines.append("  forecast   the disk is full in \(Self.time(diskFullIn.seconds)) at these rates")
        }
        lines.append("  advice     \(advice)")
        return lines.joined(separator: "\n")
    }

    private var headline: String {
        guard let rate = admittedBytesPerSecond else { return "producers are not slowed" }
        let cause =
            switch reason {
            case .disk?: "the disk"
            case .lag(let group, _, _)?: "the lag of group \(group)"
            default: "the store"
            }
        return rate > 0
            ? "producers may send \(Self.size(Int64(nearest: rate)))/s together, because of \(cause)"
            : "producers are stopped, because of \(cause)"
    }

    private static func words(_ level: Level) -> String {
        let drain = "drains \(size(Int64(nearest: level.drainBytesPerSecond)))/s"
        let loop = "gain \(rounded(level.gain))/s, dead time \(rounded(level.deadTime)) s"
        return "\(level.regime.rawValue): \(drain); \(loop)"
    }

    private static func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }

    /// `1.5 MB`: decimal units, as rates and disks have them.
    package static func size(_ bytes: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let isWhole = unit == 0 || value >= 99.95
        let number = isWhole ? "\(Int64(nearest: value.rounded()))" : "\((value * 10).rounded() / 10)"
        return "\(number) \(units[unit])"
    }

    private static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(Int64(nearest: seconds.rounded())) s"
        case ..<7_200: "\(Int64(nearest: (seconds / 60).rounded())) min"
        case ..<172_800: "\(Int64(nearest: (seconds / 3_600).rounded())) h"
        default: "\(Int64(nearest: (seconds / 86_400).rounded())) days"
        }
    }
}

extension PressureReport {
    package var json: JSONValue {
        var object: [String: JSONValue] = [
            "topic": .string(topic), "policy": .string(policy.setting.text), "advice": .string(advice),
            "text": .string(description),
            "disk": [
                "usedBytes": .integer(disk.usedBytes), "reservedBytes": .integer(disk.reservedBytes),
                "freeableBytes": .integer(disk.freeableBytes), "limitBytes": .integer(disk.limitBytes),
                "exemptBytes": .integer(disk.exemptBytes), "level": Self.json(disk.level),
            ],
            "groups": .array(
                groups.map { group in
                    [
                        "name": .string(group.name), "role": .string(group.role.rawValue),
                        "unreadBytes": .integer(group.unreadBytes),
                        "drainBytesPerSecond": .number(group.drainBytesPerSecond),
                        "silentSeconds": .number(group.silence),
                    ]
                }),
        ]
        if let rate = admittedBytesPerSecond { object["admittedBytesPerSecond"] = .number(rate) }
        if let reason { object["reason"] = Self.json(reason) }
        if let lag { object["lag"] = Self.json(lag) }
        if let diskFullIn { object["diskFullSeconds"] = .number(diskFullIn.seconds) }
        return .object(object)
    }

    private static func json(_ level: Level) -> JSONValue {
        var object: [String: JSONValue] = [
            "waitingBytes": .integer(level.waitingBytes), "softBytes": .integer(level.softBytes),
            "targetBytes": .integer(level.targetBytes), "regime": .string(level.regime.rawValue),
            "drainBytesPerSecond": .number(level.drainBytesPerSecond), "gain": .number(level.gain),
            "deadTimeSeconds": .number(level.deadTime),
        ]
        if let rate = level.admittedBytesPerSecond { object["admittedBytesPerSecond"] = .number(rate) }
        return .object(object)
    }

    private static func json(_ reason: Busy.Reason) -> JSONValue {
        switch reason {
        case .disk(let used, let limit):
            ["cause": "disk", "usedBytes": .integer(used), "limitBytes": .integer(limit)]
        case .lag(let group, let unread, let target):
            [
                "cause": "lag", "group": .string(group), "unreadBytes": .integer(unread),
                "targetBytes": .integer(target),
            ]
        case .buffer(let used, let limit):
            ["cause": "buffer", "usedBytes": .integer(Int64(used)), "limitBytes": .integer(Int64(limit))]
        }
    }
}

extension Duration {
    /// Seconds, as a number to reckon with.
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
