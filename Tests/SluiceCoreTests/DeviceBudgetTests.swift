// Stores that share a device: what each may use, from absurd looks to thousands of random ones.

@testable import SluiceCore
import SluiceTesting
import Testing

@Suite struct DeviceBudgetTests {
    typealias Store = DeviceBudget.Store
    private static let gigabyte: Int64 = 1 << 30

    private func limits(_ capacity: Int64, free: Int64, _ stores: Store...) -> [DeviceBudget.Limit] {
        DeviceBudget(capacityBytes: capacity, freeBytes: free, stores: stores).limits
    }

    // MARK: One store

    @Test func `a store alone has four fifths of the device`() {
        let limits = limits(100 * Self.gigabyte, free: 100 * Self.gigabyte, Store(usedBytes: 0))
        #expect(limits == [.init(bytes: 80 * Self.gigabyte, cause: .budget)])
    }

    @Test func `a budget is the limit while the device has room for it`() {
        let store = Store(budgetBytes: 5_000, usedBytes: 1_000)
        #expect(
            limits(Self.gigabyte, free: Self.gigabyte, store) == [.init(bytes: 5_000, cause: .budget)])
    }

    @Test func `what others have taken is not promised`() {
        // A tenth is free, and of that a hundredth of the capacity stays so.
        let limits = limits(100 * Self.gigabyte, free: 10 * Self.gigabyte, Store(usedBytes: 7))
        #expect(limits == [.init(bytes: 9 * Self.gigabyte + 7, cause: .fileSystem)])
    }

    @Test(arguments: [0, 1, 16 << 20] as [Int64])
    func `without room a store may not grow, nor is it asked to shrink`(_ free: Int64) {
        let limits = limits(Self.gigabyte, free: free, Store(usedBytes: 500))
        #expect(limits == [.init(bytes: 500, cause: .fileSystem)])
    }

    @Test func `one byte above the headroom is given out`() {
        let limits = limits(Self.gigabyte, free: (16 << 20) + 1, Store(usedBytes: 500))
        #expect(limits == [.init(bytes: 501, cause: .fileSystem)])
    }

    @Test func `a budget below what is used stays the limit`() {
        let store = Store(budgetBytes: 400, usedBytes: 500)
        #expect(limits(Self.gigabyte, free: Self.gigabyte, store) == [.init(bytes: 400, cause: .budget)])
        #expect(limits(Self.gigabyte, free: 0, store) == [.init(bytes: 400, cause: .budget)])
    }

    @Test func `a device that holds less than the headroom gives nothing`() {
        #expect(limits(1_000, free: 1_000, Store(usedBytes: 0)) == [.init(bytes: 0, cause: .fileSystem)])
    }

    // MARK: Several

    @Test func `no stores, no limits`() {
        #expect(DeviceBudget(capacityBytes: 1, freeBytes: 1, stores: []).limits.isEmpty)
    }

    @Test func `equal stores have equal limits`() {
        let store = Store(usedBytes: 1_000)
        let limits = limits(100 * Self.gigabyte, free: 99 * Self.gigabyte, store, store, store, store)
        #expect(Set(limits).count == 1)
        #expect(limits[0].cause == .budget)
        #expect(abs(limits[0].bytes - 20 * Self.gigabyte) < 10_000)
    }

    @Test func `an idle store leaves its part to a busy one, but not all of it`() {
        var (busy, idle) = (Store(usedBytes: 0), Store(usedBytes: 0))
        var before: Int64 = .max
        for _ in 0..<60 {
            let free = 100 * Self.gigabyte - busy.usedBytes
            let limits = limits(100 * Self.gigabyte, free: free, busy, idle)
            #expect(limits[0].bytes >= busy.usedBytes)
            #expect(limits[1].bytes <= before)
            before = limits[1].bytes
            busy.usedBytes = limits[0].bytes
        }
        // An eighth of its half is left to the idle one, the busy one has the rest.
        #expect(abs(busy.usedBytes - 75 * Self.gigabyte) < Self.gigabyte / 1_000)
        idle.usedBytes = before
        #expect(idle.usedBytes + busy.usedBytes <= 80 * Self.gigabyte)
        #expect(idle.usedBytes > 4 * Self.gigabyte)
    }

    @Test func `a store that is opened on a full device gets its little first`() {
        // The other has grown over most of it; 10 of its 80 are left.
        let full = Store(usedBytes: 70 * Self.gigabyte)
        let some = limits(100 * Self.gigabyte, free: 30 * Self.gigabyte, full, Store(usedBytes: 0))
        #expect(some.map(\.bytes) == [full.usedBytes + 5 * Self.gigabyte / 2, 15 * Self.gigabyte / 2])
        // 2 are left: less than its little of 5.
        let fuller = Store(usedBytes: 78 * Self.gigabyte)
        let less = limits(100 * Self.gigabyte, free: 22 * Self.gigabyte, fuller, Store(usedBytes: 0))
        #expect(less.map(\.bytes) == [fuller.usedBytes, 2 * Self.gigabyte])
    }

    @Test func `a budget and defaults are each their own`() {
        let limits = limits(
            100 * Self.gigabyte, free: 100 * Self.gigabyte, Store(usedBytes: 0),
            Store(budgetBytes: 10 * Self.gigabyte, usedBytes: 0), Store(usedBytes: 0))
        #expect(limits[1] == .init(bytes: 10 * Self.gigabyte, cause: .budget))
        #expect(limits[0] == .init(bytes: 40 * Self.gigabyte, cause: .budget))
        #expect(limits[2] == limits[0])
    }

    @Test func `accepted bytes have room before others may grow`() {
        let full = Store(usedBytes: 50 << 20, reservedBytes: 6 << 20)
        let limits = limits(
            Self.gigabyte, free: (16 << 20) + (12 << 20), full, Store(usedBytes: 400 << 20),
            Store(usedBytes: 300 << 20))
        #expect(limits[0].bytes >= full.usedBytes + full.reservedBytes)
    }

    // MARK: All

    @Test func `the headroom is left whatever the stores do`() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<20_000 {
            let capacity = Int64(1) << random.within(20...44)
            let bytes = { (random: inout SeededRandom) in
                Int64(random.below(Int(capacity))) >> Int64(random.below(40))
            }
            var (used, stores) = (Int64(0), [Store]())
            for _ in 0..<random.below(6) {
                let store = Store(
                    budgetBytes: random.chance(0.5) ? bytes(&random) : nil,
                    usedBytes: min(bytes(&random), capacity - used), reservedBytes: bytes(&random))
                used += store.usedBytes
                stores.append(store)
            }
            let free = Int64(random.below(Int(capacity - used) + 1))
            let device = DeviceBudget(capacityBytes: capacity, freeBytes: free, stores: stores)
            let limits = device.limits
            let growth = zip(limits, stores).map { max(0, $0.bytes - $1.usedBytes) }.reduce(0, +)
            #expect(growth <= max(0, free - device.headroomBytes), "\(device)")
            for (limit, store) in zip(limits, stores) {
                #expect(limit.bytes <= store.budgetBytes ?? .max, "\(device)")
                #expect(limit.bytes >= min(store.usedBytes, store.budgetBytes ?? .max), "\(device)")
                if limit.cause == .budget, let budget = store.budgetBytes { #expect(limit.bytes == budget) }
            }
            let defaulted = zip(limits, stores).filter { $0.1.budgetBytes == nil }
            let together = defaulted.map(\.0.bytes).reduce(0, +)
            #expect(together <= max(device.defaultBytes, defaulted.reduce(0) { $0 + $1.1.usedBytes }))
            // Nothing is kept back for nothing: the room is given out, or all have what they may have.
            let unused = max(0, free - device.headroomBytes) - growth
            #expect(unused < stores.count + 1 || limits.allSatisfy { $0.cause == .budget }, "\(device)")
        }
    }

    @Test func `the order of the stores does not matter`() {
        var random = SeededRandom(seed: 2)
        for _ in 0..<1_000 {
            let stores = (0..<5).map { _ in
                Store(
                    budgetBytes: random.chance(0.5) ? Int64(random.below(1 << 32)) : nil,
                    usedBytes: Int64(random.below(1 << 30)), reservedBytes: Int64(random.below(1 << 24)))
            }
            let limits = DeviceBudget(capacityBytes: 1 << 36, freeBytes: 1 << 33, stores: stores).limits
            let other = DeviceBudget(
                capacityBytes: 1 << 36, freeBytes: 1 << 33, stores: Array(stores.reversed()))
            // A byte that cannot be split goes to one or the other.
            for (one, two) in zip(limits, other.limits.reversed()) {
                #expect(abs(one.bytes - two.bytes) <= 5)
            }
        }
    }

    @Test func `absurd numbers do not trap`() {
        let numbers: [Int64] = [.min, -1, 0, 1, 1 << 40, .max - 1, .max]
        for capacity in numbers {
            for free in numbers {
                for used in numbers {
                    for reserved in numbers {
                        let stores = [
                            Store(usedBytes: used, reservedBytes: reserved),
                            Store(budgetBytes: reserved, usedBytes: used, reservedBytes: .max),
                            Store(budgetBytes: .min, usedBytes: .max),
                        ]
                        let device = DeviceBudget(capacityBytes: capacity, freeBytes: free, stores: stores)
                        #expect(device.limits.allSatisfy { $0.bytes >= 0 })
                    }
                }
            }
        }
    }
}
