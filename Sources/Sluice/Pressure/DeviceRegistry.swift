// The stores of this process, by the device that they are on: they share its free space.
//
// (1) Whoever looks asks all of them what they have, and puts into force what each may have: DeviceBudget
// decides. (2) Guarded by one lock, for microseconds; it is taken before the locks of the stores. (3) A store
// that has left is forgotten.

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
    private let store: WeakStore
    private let path: String
    private let budget: Int64?
    private let id: UInt64
    private let state = Locked(State())

    private struct State {
        var cause = DeviceBudget.Limit.Cause.budget
        var hasLeft = false
    }
    /// Whoever drops the last reference to an engine takes locks: never with the registry's.
    private struct WeakStore: Sendable {
        weak var engine: StoreEngine?
    }
    private struct Registry: ~Copyable {
        var next: UInt64 = 0
        var members: [UInt64: [UInt64: DeviceMember]] = [:]
    }
    private static let registry = Locked(Registry())

    init(_ engine: StoreEngine) {
        store = WeakStore(engine: engine)
        path = engine.path
        budget = engine.diskBudget
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

    /// What keeps the store from having more of the disk.
    var limitCause: DeviceBudget.Limit.Cause { state.withLock { $0.cause } }

    /// Sets what each store on the device may use.
    func look() {
        guard let device = Device(of: path) else {
            // The system does not tell how large it is.
            store.engine.map { set(DeviceBudget.Limit(bytes: budget ?? .max, cause: .budget), $0) }
            return
        }
        let kept = Self.registry.withLock { registry -> [(DeviceMember, StoreEngine)] in
            guard !state.withLock({ $0.hasLeft }) else { return [] }
            registry.members[device.id, default: [:]][id] = self
            let found = (registry.members[device.id] ?? [:]).values.compactMap { member in
                member.store.engine.map { (member, $0) }
            }
            let stores = found.map { member, engine in
                let use = engine.read { $0.diskUse }
                return DeviceBudget.Store(
                    budgetBytes: member.budget, usedBytes: use.usedBytes, reservedBytes: use.reservedBytes)
            }
            let budget = DeviceBudget(
                capacityBytes: device.capacityBytes, freeBytes: device.freeBytes, stores: stores)
            for ((member, engine), limit) in zip(found, budget.limits) { member.set(limit, engine) }
            return found
        }
        withExtendedLifetime(kept) {}
    }

    private func set(_ limit: DeviceBudget.Limit, _ engine: StoreEngine) {
        state.withLock { $0.cause = limit.cause }
        engine.lock.withLock { engine.volume.setDiskLimit(limit.bytes) }
    }

    func leave() {
        let id = id
        Self.registry.withLock { registry in
            state.withLock { $0.hasLeft = true }
            for device in registry.members.keys { registry.members[device]?[id] = nil }
            registry.members = registry.members.filter { !$0.value.isEmpty }
        }
    }
}
