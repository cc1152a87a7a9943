// Which groups keep the records of a topic from being deleted, and how far. Pure: the time is an argument.
//
// (1) A group counts while it has members, and until the topic's time for abandonment has passed since it was
// last heard of; one that has never been, since the store was opened. (2) The floor of a partition is the
// least that those who count have committed of it; nothing where one of them has committed nothing. (3) When
// none counts there is no floor: nothing goes. (4) That a group counts no more is told once, until it comes
// back; so is every record that is gone and that a group had not read.

/// What is remembered of one topic that keeps its records until they are consumed.
package struct UnreadRetention: Sendable {
    /// A group that the topic waits for.
    package struct Reader: Sendable {
        /// The group.
        package var group: String
        /// What it has committed, by partition.
        package var committed: [Int: Int64]
        /// When it last committed something, in wall milliseconds; nil when it never has.
        package var heardAt: Int64?
        /// Whether it has members now.
        package var hasMembers: Bool

        /// A group as it is now.
        package init(group: String, committed: [Int: Int64], heardAt: Int64?, hasMembers: Bool) {
            self.group = group
            self.committed = committed
            self.heardAt = heardAt
            self.hasMembers = hasMembers
        }
    }

    /// Records that are gone and that a group had not read.
    package struct Loss: Hashable, Sendable {
        /// The group.
        package var group: String
        /// The partition.
        package var partition: Int
        /// How many.
        package var records: Int64
    }

    /// What is to be told, and done.
    package struct Decision: Sendable {
        /// The consumed floor of each partition, by number; nil: as it was, since no group counts.
        package var floors: [Int64]?
        /// Groups that count no more since this time.
        package var abandoned: [String] = []
        /// What has gone unread since the last time.
        package var losses: [Loss] = []
        /// When to look again although nothing happens, in milliseconds from now; nil: not at all.
        package var lookAgain: Int64?
    }

    /// At the latest when to look again while a group is silent: the wall clock may be set meanwhile.
    package static let longestWait: Int64 = 3_600_000

    private var abandoned: Set<String> = []
    /// Up to where records that are gone have been told of, by group and partition.
    private var toldThrough: [String: [Int: Int64]] = [:]

    /// Nothing has been told of yet.
    package init() {}

    /// Decides anew.
    ///
    /// - Parameters:
    ///   - readers: every group that the topic waits for.
    ///   - logStarts: each partition's log start offset.
    ///   - abandonTime: milliseconds after which a silent group counts no more.
    ///   - now: wall milliseconds; `openedAt` of the store's opening.
    package mutating func decide(
        _ readers: [Reader], logStarts: [Int64], abandonTime: Int64, now: Int64, openedAt: Int64
    ) -> Decision {
        var decision = Decision()
        var counting: [Reader] = []
        for reader in readers {
            let silence = now.subtractingReportingOverflow(max(reader.heardAt ?? openedAt, 0)).partialValue
            let left = abandonTime.subtractingReportingOverflow(silence)
            let isCounting = reader.hasMembers || left.overflow || left.partialValue > 0
            if isCounting {
                counting.append(reader)
                abandoned.remove(reader.group)
                if !reader.hasMembers {
                    let wait = left.overflow ? Self.longestWait : min(left.partialValue, Self.longestWait)
                    decision.lookAgain = min(decision.lookAgain ?? .max, wait)
                }
            } else if abandoned.insert(reader.group).inserted {
                decision.abandoned.append(reader.group)
            }
            decision.losses += losses(of: reader, logStarts)
        }
        if !counting.isEmpty {
            decision.floors = logStarts.indices.map { partition in
                counting.map { $0.committed[partition] ?? 0 }.min() ?? 0
            }
        }
        return decision
    }

    /// What was gone before a group that has committed nothing was first looked at is not counted.
    private mutating func losses(of reader: Reader, _ logStarts: [Int64]) -> [Loss] {
        var losses: [Loss] = []
        for (partition, start) in logStarts.enumerated() {
            let told = toldThrough[reader.group]?[partition]
            let from = max(reader.committed[partition] ?? told ?? start, told ?? 0)
            toldThrough[reader.group, default: [:]][partition] = max(start, told ?? 0)
            guard from < start else { continue }
            losses.append(Loss(group: reader.group, partition: partition, records: start - from))
        }
        return losses
    }
}
