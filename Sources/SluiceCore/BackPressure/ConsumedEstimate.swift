// Where a group has come to, between two of its commits.
//
// Kafka's clients commit every five seconds. Taken as they come, the commits of a steady reader are steps,
// and a controller that follows them swings by their height. So the place is known from what members in this
// process have returned for; else from what was handed out, less what the members held of it at the last
// commit; else it goes on at the rate of the last commits. When the next is late, it goes back to the last.
//
// (1) A place is a count of bytes since the log's counter began. (2) It is never behind the last commit, and
// never beyond the log. (3) After two places that were measured the difference is what was consumed, however
// wrong the guesses between them were.

import SluiceLog

struct ConsumedEstimate: Hashable, Sendable {
    private var committed: Double?
    /// Seconds since the last commit.
    private var age = 0.0
    /// Seconds between two commits, about; 0 while unknown.
    private(set) var intervalSeconds = 0.0
    /// Of the last interval, bytes per second.
    private var rate = 0.0
    /// What members had in hand at the last commit, bytes.
    private var held = 0.0
    /// What it was told of or guesses now.
    private(set) var place = 0.0
    /// The place follows what is seen at each look.
    private var isSeen = false

    /// How old the knowledge is that the place rests on, seconds: part of the loop's dead time.
    var stalenessSeconds: Double { isSeen ? 0 : intervalSeconds }

    /// Takes note of what is known now, and says where the group is.
    ///
    /// - Parameters:
    ///   - processed: what members in this process have returned for; nil when none of them tells.
    ///   - fetched: what has been handed out to members; nil when nobody knows.
    ///   - end: of the log.
    ///   - seconds: since the last call.
    /// - Returns: by how much the group was set back: its commit, or where it was seen.
    @discardableResult
    mutating func observe(
        committed now: Double, processed: Double?, fetched: Double?, end: Double, seconds: Double
    ) -> Double {
        let back = committed.map { max(0, $0 - now) } ?? 0
        // While there is nothing to be consumed there is nothing to commit either.
        age = end > (committed ?? now) ? age + seconds : 0
        if back > 0 {
            (age, rate, held) = (0, 0, 0)
        } else if let before = committed, now > before, age > 0 {
            let interval = min(age, Self.longestIntervalSeconds)
            intervalSeconds = intervalSeconds > 0 ? (intervalSeconds + interval) / 2 : interval
            rate = (now - before) / age
            held = max(0, (fetched ?? now) - now)
            age = 0
        }
        committed = now
        let wasSeen = isSeen
        isSeen = processed != nil || fetched != nil
        let before = place
        let guess =
            processed ?? fetched.map { now + max(0, $0 - held - now) * trust } ?? now + rate * age * trust
        place = min(max(guess, now), end)
        return wasSeen && isSeen ? max(0, before - place) : back
    }

    private static let longestIntervalSeconds = 60.0

    /// What is behind no commit is believed for one and a half intervals, then less and less.
    private var trust: Double {
        let full = 1.5 * (intervalSeconds > 0 ? intervalSeconds : Self.longestIntervalSeconds)
        return age <= full ? 1 : max(0, 2 - age / full)
    }
}

extension ConsumedEstimate {
    func encode(into writer: inout BinaryWriter) {
        for number in [age, intervalSeconds, rate, held] { writer.put(number.bitPattern) }
    }

    /// What outlives the process: places are counted anew in each.
    mutating func decode(from reader: inout BinaryReader) throws(MalformedRecord) {
        age = max(0, try reader.finite())
        intervalSeconds = min(max(0, try reader.finite()), Self.longestIntervalSeconds)
        rate = max(0, try reader.finite())
        held = max(0, try reader.finite())
    }
}
