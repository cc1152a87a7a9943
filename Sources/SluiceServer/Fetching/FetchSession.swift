// The fetches of one connection: where it reads on, and how the one that is held can be hurried.

import Sluice

/// What a connection remembers from fetch to fetch. No fetch session in Kafka's sense: those are declined.
final class FetchSession: Sendable {
    private struct State: ~Copyable {
        var places: [Int: FetchPlace] = [:]
        var held: DelayedFetches.Held?
        /// Somebody waits behind it.
        var isHurried = false
    }

    let topics: KnownTopics
    private let state = Locked(State())

    init(_ topics: KnownTopics) { self.topics = topics }

    /// Partitions that are remembered.
    private static let rememberedPlaces = 4096

    /// Where the last read of the partition ended.
    func place(_ number: Int) -> FetchPlace? { state.withLock { $0.places[number] } }

    func remember(_ place: FetchPlace?, _ number: Int) {
        state.withLock { state in
            if state.places.count >= Self.rememberedPlaces { state.places = [:] }
            state.places[number] = place
        }
    }

    /// A fetch begins.
    func begin() { state.withLock { $0.isHurried = false } }

    /// It is held, unless somebody waits behind it already: then false.
    func holds(_ held: DelayedFetches.Held) -> Bool {
        state.withLock { state in
            guard !state.isHurried else { return false }
            state.held = held
            return true
        }
    }

    /// Another request waits behind the fetch that is held: it is answered with what there is. Answers go out
    /// in order, and a heartbeat must not wait for records.
    func hurry() {
        let held = state.withLock { state in
            state.isHurried = true
            return state.held.take()
        }
        held?.woken.give(true)
    }

    var isHurried: Bool { state.withLock { $0.isHurried } }
}
