// Time zones of the system's database: /usr/share/zoneinfo, or where TZDIR says.

import SluiceCore
import SluiceLog

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum ZoneFiles {
    /// A zone's rules, by its name in the database; nil when it has none of that name, or makes no sense.
    @Sendable static func rules(_ name: String) -> ZoneRules? {
        let isName =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte & 0xDF) || "+-_/".utf8.contains(byte)
            }
        // No dots: nothing leads out of the directory.
        guard isName, !name.hasPrefix("/") else { return nil }
        let directory = ProcessInfo.processInfo.environment["TZDIR"] ?? "/usr/share/zoneinfo"
        guard let bytes = FileManager.default.contents(atPath: "\(directory)/\(name)"),
            bytes.count <= ZoneRules.fileBytes
        else { return nil }
        return try? ZoneRules(name: name, [UInt8](bytes))
    }
}
