// What a queue of messages commits, and what becomes of it.
//
// (1) A commit is a snapshot of windows: it says all that was changed before it, and no more. (2) What it
// buries it does not say any more, so the dead letters must be written with it, as one. (3) Not written, it
// has changed nothing.

package import SluiceLog

extension MessageMachine {
    /// Whether there is something to be committed.
    package var isDirty: Bool { windows.contains(where: \.isDirty) }

    /// What is to be committed now; nil when there is nothing, or a commit is under way. `committed`,
    /// `refused` or the end of the machine follows.
    ///
    /// - Parameter dead: messages whose records are written with the commit, as one with it; those that it
    ///   names in `buried`, since partitions may have been begun anew.
    package mutating func commit(burying dead: [MessageKey] = [], now: Instant) -> MessageCommit? {
        guard !isCommitting, !windows.isEmpty else { return nil }
        var commit = MessageCommit()
        for key in dead {
            guard let index = windows[key.partition].index(of: key.offset),
                windows[key.partition].entries[index].state == .dying
            else { continue }
            windows[key.partition].bury(at: index)
            commit.buried.append(key)
        }
        var bytes = 0
        for partition in Set(commit.buried.map(\.partition)).sorted() {
            bytes += add(partition, to: &commit, now)
        }
        // In turn, lest the first ones keep the others from it.
        let first = turn
        for step in windows.indices where bytes < MessageLimits.commitBytes {
            let partition = (first + step) % windows.count
            guard windows[partition].isDirty, !commit.parts.contains(where: { $0.partition == partition })
            else { continue }
            bytes += add(partition, to: &commit, now)
            turn = partition + 1
        }
        guard !commit.parts.isEmpty else { return nil }
        isCommitting = true
        return commit
    }

    private func add(_ partition: Int, to commit: inout MessageCommit, _ now: Instant) -> Int {
        let position = windows[partition].position(now)
        commit.parts.append(
            MessageCommit.Part(
                partition: partition, expected: windows[partition].stored, position: position,
                version: windows[partition].version))
        return position.metadata.utf8.count + 256
    }

    /// The commit is durable: what it says may be told, and what it counts may be given out.
    package mutating func committed(_ commit: MessageCommit) {
        isCommitting = false
        var back: [MessageKey] = []
        for part in commit.parts {
            windows[part.partition].stored = part.position
            windows[part.partition].durable = part.version
            windows[part.partition].endBurials(isDone: true)
            for index in windows[part.partition].entries.indices {
                let entry = windows[part.partition].entries[index]
                guard case .counting(let version) = entry.state, version <= part.version else { continue }
                windows[part.partition].set(.ready, at: index)
                let key = MessageKey(partition: part.partition, offset: entry.offset)
                if entry.deliveries > 1 { back.append(key) } else { ready.append(key) }
            }
        }
        // Somebody has asked for them.
        for key in back.reversed() { ready.prepend(key) }
    }

    /// The commit was not written, since the group has committed something else in some partitions, which
    /// are to be begun anew with `restart`. What it had buried is dying again, and the rest of it goes with
    /// the next.
    package mutating func refused(_ commit: MessageCommit) {
        isCommitting = false
        for part in commit.parts { windows[part.partition].endBurials(isDone: false) }
    }

    /// What the group is thought to have committed of a partition.
    package func stored(_ partition: Int) -> StoredPosition? { windows[partition].stored }

    /// Changes up to this one are durable in a partition.
    package func durableVersion(_ partition: Int) -> UInt64 { windows[partition].durable }

    /// Commits everything once more: what is committed is forgotten after a while without a commit.
    package mutating func refresh() { for partition in windows.indices { windows[partition].change() } }

    /// Takes back the deliveries that nobody heard of: nobody asks any more.
    package mutating func uncount() {
        for partition in windows.indices {
            for index in windows[partition].entries.indices {
                let entry = windows[partition].entries[index]
                switch entry.state {
                case .ready, .counting:
                    windows[partition].uncount(at: index)
                    returned.append(MessageKey(partition: partition, offset: entry.offset))
                default: break
                }
            }
        }
    }
}
