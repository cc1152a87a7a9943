// The stores of this process, by the device that they are on: they share its free space.
//
// (1) Each tells at every look what it has, and asks what it may have: DeviceBudget decides. (2) Guarded by
// one lock, for microseconds. (3) A store that has left is forgotten.

import SluiceCore
import SluiceLog

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A device as its file system describes it.
struct Device: Sendable {
    var id: UInt64
    var capacityBytes: Int64
    /// What this process may still use.
    var freeBytes: Int64

    /// The device that a path is on; nil when the system does not tell.
    init?(of path: String) {
        var status = stat()
        var system = statvfs()
        guard stat(path, &status) == 0, statvfs(path, &system) == 0 else { return nil }
        id = UInt64(truncatingIfNeeded: status.st_dev)
        let block = UInt64(system.f_frsize)
        capacityBytes = Int64(
            clamping: UInt64(system.f_blocks).multipliedReportingOverflow(by: block).partialValue)
        freeBytes = Int64(
            clamping: UInt64(system.f_bavail).multipliedReportingOverflow(by: block).partialValue)
    }
}

/// One store's membership in the registry.
final class DeviceMember: Sendable {
    private let path: String
    private let budget: Int64?
    private let id: UInt64

    private struct Registry: ~Copyable {
        var next: UInt64 = 0
        var stores: [UInt64: [UInt64: DeviceBudget.Store]] = [:]
    }
    private static let registry = Locked(Registry())

    /// - Parameter budget: the store's own; nil: a part of the device.
    init(_ path: String, budget: Int64?) {
        self.path = path
        self.budget = budget
        id = Self.registry.withLock { registry in
            registry.next += 1
            return registry.next
        }
    }

    /// The budget of a store that is about to be opened and has none of its own.
    static func defaultBudget(at path: String) -> Int64 {
        guard let device = Device(of: path) else { return .max }
        return DeviceBudget(capacityBytes: device.capacityBytes, freeBytes: 0, stores: []).defaultBytes
    }

    /// Takes note of what the store has, and says what it may have.
    func limit(_ use: DiskUse) -> DeviceBudget.Limit {
        guard let device = Device(of: path) else {
            return Self.unlimited(budget)
        }
        let (id, budget) = (id, budget)
        return Self.registry.withLock { registry in
            registry.stores[device.id, default: [:]][id] = DeviceBudget.Store(
                budgetBytes: budget, usedBytes: use.usedBytes, reservedBytes: use.reservedBytes)
            let stores = (registry.stores[device.id] ?? [:]).sorted { $0.key < $1.key }
            let limits = DeviceBudget(
                capacityBytes: device.capacityBytes, freeBytes: device.freeBytes, stores: stores.map(\.value)
            ).limits
            let mine = stores.firstIndex { $0.key == id }
            return mine.map { limits[$0] } ?? Self.unlimited(budget)
        }
    }

    /// Where the system does not tell how large a device is.
    private static func unlimited(_ budget: Int64?) -> DeviceBudget.Limit {
        DeviceBudget.Limit(bytes: budget ?? .max, cause: .budget)
    }

    func leave() {
        let id = id
        Self.registry.withLock { registry in
            for device in registry.stores.keys { registry.stores[device]?[id] = nil }
            registry.stores = registry.stores.filter { !$0.value.isEmpty }
        }
    }
}
