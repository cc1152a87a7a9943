// The order of a connection's answers, and when it is read from.

import Testing

@testable import SluiceServer

struct ConnectionProtocolTests {
    private typealias Order = ConnectionProtocol<String>

    private func order(inFlight: Int = 4) -> Order {
        var limits = ConnectionLimits()
        limits.requestsInFlight = inFlight
        limits.stalledNanoseconds = 100
        limits.idleNanoseconds = 1000
        return Order(limits, now: 0)
    }

    private func written(_ effects: [Order.Effect]) -> [String] {
        effects.map { effect in
            switch effect {
            case .write(let frame): frame
            case .close(let reason): "close \(reason.rawValue)"
            }
        }
    }

    @Test func `answers go out in the order of the requests whoever is done first`() {
        var order = order()
        let slots = (0..<3).map { _ in order.received(now: 1) }
        #expect(written(order.answered(slots[2], .frame("c"))) == [])
        #expect(written(order.answered(slots[0], .frame("a"))) == ["a"])
        #expect(written(order.answered(slots[1], .frame("b"))) == ["b", "c"])
        #expect(order.inFlight == 0)
    }

    @Test func `a request without an answer only gives up its place`() {
        var order = order()
        let slots = (0..<2).map { _ in order.received(now: 1) }
        #expect(written(order.answered(slots[1], .frame("b"))) == [])
        #expect(written(order.answered(slots[0], .nothing)) == ["b"])
    }

    @Test func `nothing is read while as many requests are under way as may be`() {
        var order = order(inFlight: 2)
        let first = order.received(now: 1)
        #expect(order.mayRead(now: 1))
        _ = order.received(now: 1)
        #expect(!order.mayRead(now: 1))
        _ = order.answered(first, .frame("a"))
        #expect(order.mayRead(now: 1))
    }

    @Test func `an answer that comes twice or for no slot is dropped`() {
        var order = order()
        let slot = order.received(now: 1)
        #expect(written(order.answered(slot, .frame("a"))) == ["a"])
        #expect(written(order.answered(slot, .frame("again"))) == [])
        #expect(written(order.answered(99, .frame("nobody's"))) == [])
    }

    @Test func `a connection that ends at a request still answers what came before`() {
        var order = order()
        let slots = (0..<3).map { _ in order.received(now: 1) }
        #expect(written(order.answered(slots[1], .close)) == [])
        #expect(written(order.answered(slots[0], .frame("a"))) == ["a", "close refused"])
        #expect(written(order.answered(slots[2], .frame("c"))) == [])
        #expect(!order.mayRead(now: 1))
    }

    @Test func `a throttled connection is not read from until its time is over`() {
        var order = order()
        order.mute(until: 50)
        #expect(!order.mayRead(now: 49))
        #expect(order.readsAgain(now: 49) == 50)
        #expect(order.mayRead(now: 50))
        #expect(order.readsAgain(now: 50) == nil)
    }

    @Test func `a draining connection closes when the last request has its answer`() {
        var order = order()
        let slot = order.received(now: 1)
        #expect(written(order.drain()) == [])
        #expect(!order.mayRead(now: 1))
        #expect(written(order.answered(slot, .frame("a"))) == ["a", "close shutdown"])
        var idle = self.order()
        #expect(written(idle.drain()) == ["close shutdown"])
        #expect(written(idle.drain()) == [])
    }

    @Test func `silence slow answers and slow requests each end a connection in their time`() {
        var silent = order()
        #expect(silent.tick(taken: 0, now: 1000) == nil)
        #expect(silent.tick(taken: 0, now: 1001) == .idle)
        #expect(silent.tick(taken: 0, now: 5000) == nil)

        var waiting = order()
        _ = waiting.received(now: 1)
        #expect(waiting.tick(taken: 0, now: 100_000) == nil)

        var slowReader = order()
        slowReader.writabilityChanged(false, taken: 0, now: 10)
        #expect(!slowReader.mayRead(now: 10))
        #expect(slowReader.tick(taken: 0, now: 110) == nil)
        #expect(slowReader.tick(taken: 0, now: 111) == .slowReader)

        var slowSender = order()
        slowSender.receivedPart(5, now: 10)
        slowSender.receivedPart(5, now: 60)
        #expect(slowSender.tick(taken: 0, now: 111) == .slowSender)

        var held = order()
        held.receivedPart(5, now: 10)
        #expect(held.tick(taken: 0, mayRead: false, now: 111) == nil)
        #expect(held.tick(taken: 0, now: 211) == nil)
        #expect(held.tick(taken: 0, now: 212) == .slowSender)

        var recovered = order()
        recovered.writabilityChanged(false, taken: 0, now: 10)
        recovered.writabilityChanged(true, taken: 0, now: 20)
        #expect(recovered.tick(taken: 0, now: 111) == nil)
    }

    @Test func `a slow line is borne as long as enough goes over it`() {
        let enough = ConnectionLimits.progressBytes
        var reader = order()
        reader.writabilityChanged(false, taken: 7, now: 10)
        #expect(reader.tick(taken: 7 + enough, now: 111) == nil)
        #expect(reader.tick(taken: 7 + enough * 2 - 1, now: 211) == nil)
        #expect(reader.tick(taken: 7 + enough * 2 - 1, now: 212) == .slowReader)

        var sender = order()
        sender.receivedPart(0, now: 10)
        sender.receivedPart(enough, now: 100)
        #expect(sender.tick(taken: 0, now: 111) == nil)
        sender.receivedPart(enough * 2 - 1, now: 150)
        #expect(sender.tick(taken: 0, now: 201) == .slowSender)
    }
}
