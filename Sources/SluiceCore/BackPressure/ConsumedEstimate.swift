// Where a group has come to, between two of its commits.
//
// Kafka's clients commit every five seconds. Taken as they come, the commits of a steady reader are steps, and
// a controller that follows them swings by their height. So the place is known from what members in this
// process have returned for, and else goes on at the rate of the last commits: at most to what was handed
// out, and back to the last commit when the next is late.
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
    /// What it was told of or guesses now.
    private(set) var place = 0.0
    /// The place is measured at each look, not guessed.
    private var isMeasured = false

    /// How old the knowledge is that the place rests on, seconds: part of the loop's dead time.
    var stalenessSeconds: Double { isMeasured ? 0 : intervalSeconds }

    /// Takes note of what is known now, and says where the group is.
    ///
    /// - Parameters:
    ///   - processed: what members in this process have returned for; nil when none of them tells.
    ///   - fetched: what has been handed out to members; nil when nobody knows.
    ///   - end: of the log.
    ///   - seconds: since the last call.
    /// - Returns: whether the group was set back: it has to catch up anew.
    @discardableResult
    mutating func observe(
        committed now: Double, processed: Double?, fetched: Double?, end: Double, seconds: Double
    ) -> Bool {
        let isBack = committed.map { now < $0 } ?? false
        // While there is nothing to be consumed there is nothing to commit either.
        age = end > (committed ?? end) ? age + seconds : 0
        if let before = committed, !isBack {
            if now > before, age > 0 {
                let interval = min(age, Self.longestIntervalSeconds)
                intervalSeconds = intervalSeconds > 0 ? (intervalSeconds + interval) / 2 : interval
                rate = (now - before) / age
                age = 0
            }
        } else {
            (age, rate) = (0, 0)
        }
        committed = now
        isMeasured = processed != nil
        let guess = processed ?? min(now + rate * trustedSeconds, fetched ?? end)
        place = min(max(guess, now), end)
        return isBack
    }

    private static let longestIntervalSeconds = 60.0

    /// So long the last rate is believed: for one and a half intervals, then less and less.
    private var trustedSeconds: Double {
        let full = 1.5 * intervalSeconds
        return age <= full ? age : max(0, 2 * full - age)
    }
}

extension ConsumedEstimate {
    func encode(into writer: inout BinaryWriter) { writer.put(intervalSeconds.bitPattern) }

    /// What outlives the process: places are counted anew in each.
    mutating func decode(from reader: inout BinaryReader) throws(MalformedRecord) {
        intervalSeconds = max(0, try reader.finite())
    }
}
