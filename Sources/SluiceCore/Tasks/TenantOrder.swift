// Which tenant is next, among those that have something ready of one name.
//
// (1) The one with the fewest leased tasks; of several the one that was served longest ago. (2) Ranks are
// kept once for all names, by the tenant's number: whoever changes one settles the tenant in every order that
// it is in. (3) O(log n) in the tenants of the order, whatever is asked.

/// How far back a tenant stands.
struct TenantRank: Comparable, Sendable {
    /// Tasks that it has leased.
    var leased = 0
    /// When something of it was last given out, or it came: a count that rises.
    var served: UInt64 = 0

    static func < (a: Self, b: Self) -> Bool {
        a.leased != b.leased ? a.leased < b.leased : a.served < b.served
    }
}

/// A heap of tenants that know their places.
struct TenantOrder: Sendable {
    private var heap: [UInt32] = []
    private var places: [UInt32: Int] = [:]

    /// Who is next.
    var first: UInt32? { heap.first }

    func contains(_ tenant: UInt32) -> Bool { places[tenant] != nil }

    /// Adds a tenant that is not there.
    mutating func insert(_ tenant: UInt32, _ ranks: [TenantRank]) {
        heap.append(tenant)
        settle(from: heap.count - 1, ranks)
    }

    /// Takes a tenant out, if it is there.
    mutating func remove(_ tenant: UInt32, _ ranks: [TenantRank]) {
        guard let place = places.removeValue(forKey: tenant), let last = heap.popLast() else { return }
        guard place < heap.count else { return }
        heap[place] = last
        settle(from: place, ranks)
    }

    /// Brings a tenant whose rank has changed to where it belongs, if it is there.
    mutating func settle(_ tenant: UInt32, _ ranks: [TenantRank]) {
        guard heap.count > 1, let place = places[tenant] else { return }
        settle(from: place, ranks)
    }

    private mutating func settle(from start: Int, _ ranks: [TenantRank]) {
        var place = start
        let tenant = heap[place]
        let rank = ranks[Int(tenant)]
        while place > 0, rank < ranks[Int(heap[(place - 1) / 2])] {
            put(heap[(place - 1) / 2], place)
            place = (place - 1) / 2
        }
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, ranks[Int(heap[child + 1])] < ranks[Int(heap[child])] { child += 1 }
            guard ranks[Int(heap[child])] < rank else { break }
            put(heap[child], place)
            place = child
        }
        put(tenant, place)
    }

    private mutating func put(_ tenant: UInt32, _ place: Int) {
        heap[place] = tenant
        places[tenant] = place
    }
}
