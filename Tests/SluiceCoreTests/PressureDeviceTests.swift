// Two stores on one device, each with a controller of its own, on a virtual clock; others fill it too.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct PressureDeviceTests {
    private struct Device {
        var capacity: Int64 = 2 << 30
        var others: Int64 = 0
        var stores: [PressureSimulation]
        var budgets: [Int64?]
        var leastFree = Int64.max

        /// One look at the device gives all stores their limits.
        mutating func look() {
            let free = capacity - others - stores.reduce(0) { $0 + $1.used }
            let device = DeviceBudget(
                capacityBytes: capacity, freeBytes: free,
                stores: zip(stores, budgets).map {
                    .init(budgetBytes: $1, usedBytes: $0.used, reservedBytes: $0.reserved)
                })
            for (index, limit) in device.limits.enumerated() { stores[index].limitBytes = limit.bytes }
        }

        mutating func run(_ change: (Double, inout Device) -> Void = { _, _ in }) {
            var isRunning = true
            var step = 0
            while isRunning {
                change(Double(step) / 100, &self)
                if step.isMultiple(of: 10) { look() }
                isRunning = false
                for index in stores.indices where stores[index].step() { isRunning = true }
                leastFree = min(leastFree, capacity - others - stores.reduce(0) { $0 + $1.used })
                step += 1
            }
            for index in stores.indices { stores[index].finish() }
        }

        var headroom: Int64 { DeviceBudget(capacityBytes: capacity, freeBytes: 0, stores: []).headroomBytes }
    }

    private func store(_ drain: PressureTrace.Steps, offered: Double = 200e6) -> PressureSimulation {
        var trace = PressureTrace(producers: [.init(offered: offered)], groups: [.init(drain: drain)])
        trace.seconds = 200
        // The device sets it at each look.
        trace.limitBytes = 2 << 30
        return PressureSimulation(trace)
    }

    @Test func `two busy stores leave the headroom, and both go on`() {
        var device = Device(
            stores: [store([(0, 60e6)]), store([(0, 20e6), (100, 0)])], budgets: [nil, nil])
        device.run()
        #expect(device.leastFree >= device.headroom)
        #expect(device.stores.reduce(0) { $0 + $1.used } <= device.capacity / 5 * 4)
        #expect(Double(device.stores[0].result.sent[0]) > 0.95 * 60e6 * 200)
        #expect(device.stores[0].result.longestStalls[0] < 1)
    }

    @Test func `a store with a budget keeps it, and the other has its default`() {
        var device = Device(stores: [store([(0, 0)]), store([(0, 0)])], budgets: [256 << 20, nil])
        device.run()
        #expect(device.stores[0].used <= 256 << 20)
        #expect(device.stores[0].used > 200 << 20)
        #expect(device.leastFree >= device.headroom)
    }

    @Test func `an idle store finds room when it begins late`() {
        var late = store([(0, 0)])
        late = PressureSimulation(
            {
                var trace = late.trace
                trace.producers[0].offered = [(0, 0), (150, 100e6)]
                return trace
            }())
        var device = Device(stores: [store([(0, 0)]), late], budgets: [nil, nil])
        device.run()
        #expect(device.stores[1].used > (2 << 30) / 20)
        #expect(device.leastFree >= device.headroom)
    }

    @Test func `what others write is not promised to anybody`() {
        var device = Device(stores: [store([(0, 60e6)]), store([(0, 30e6)])], budgets: [nil, nil])
        device.run { seconds, device in
            // 1.4 GB come from elsewhere, slowly, and go.
            device.others = seconds < 100 ? Int64(seconds * 14e6) : 100_000_000
        }
        // Between two looks others may take what was given out.
        #expect(device.leastFree >= device.headroom - 2_000_000)
        #expect(device.stores.allSatisfy { $0.result.sent[0] > 4_000_000_000 })
    }
}
