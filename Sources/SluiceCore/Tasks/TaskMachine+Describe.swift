// What a queue says of itself and its tasks.

extension TaskMachine {
    /// What memory knows of a task. Throws `unknownTask`.
    package func status(of task: TaskIdentity) throws(TaskRefusal) -> TaskSummary {
        summary(try find(task))
    }

    /// The task of a sequence, if it is there.
    package func task(_ sequence: UInt64) -> TaskSummary? {
        slot(of: sequence).flatMap { entries[Int($0)].isProvisional ? nil : summary($0) }
    }

    /// How many tasks are in each state.
    package var stateCounts: [TaskState: Int] {
        Dictionary(uniqueKeysWithValues: TaskState.allCases.map { ($0, counts[Int($0.rawValue)]) })
    }

    /// Whether anything is available; it may be another's than who asks, or wait for its group.
    package var hasAvailable: Bool { !isPaused && counts[Int(TaskState.available.rawValue)] > 0 }

    /// The attempts of a task that did not succeed; nil when memory has none, as of one in a final state.
    package func history(of task: TaskIdentity) -> TaskHistory? {
        (try? find(task)).flatMap { histories[$0] }
    }

    /// All tasks, in every state.
    package var taskCount: Int { slots.count }

    /// Leases that somebody has.
    package var leaseCount: Int { leases.count }

    /// Tasks in the order of their publishing, behind a sequence; O(n) in all of the queue.
    package func tasks(
        in states: Set<TaskState>, name: String? = nil, behind sequence: UInt64 = 0, limit: Int
    ) -> [TaskSummary] {
        let number = name.map { numbers[$0] }
        let found = entries.indices.filter { index in
            let entry = entries[index]
            return entry.sequence > sequence && states.contains(entry.state) && !entry.isProvisional
                && (number == nil || number == entry.name)
        }
        return found.sorted { entries[$0].sequence < entries[$1].sequence }.prefix(limit)
            .map { summary(UInt32($0)) }
    }

    /// Every task that was published, in the order of that; O(n log n).
    package var accounts: [TaskAccount] {
        entries.indices.filter { entries[$0].sequence != 0 && !entries[$0].isProvisional }
            .sorted { entries[$0].sequence < entries[$1].sequence }
            .map { index in
                let (slot, entry) = (UInt32(index), entries[index])
                return TaskAccount(
                    task: identity(slot), name: names[Int(entry.name)], state: entry.state,
                    attempt: entry.attempt, deliveries: entry.deliveries, losses: entry.losses,
                    time: entry.time, holder: leases[slot]?.holder, visibility: leases[slot]?.visibility,
                    group: extras[slot]?.group, tenant: tenants[Int(entry.tenant)].name,
                    priority: entry.priority, expires: entry.isExpiryLifted ? nil : extras[slot]?.expires,
                    history: histories[slot])
            }
    }

    func summary(_ slot: UInt32) -> TaskSummary {
        let entry = entries[Int(slot)]
        return TaskSummary(
            task: identity(slot), name: names[Int(entry.name)], state: entry.state, attempt: entry.attempt,
            deliveries: entry.deliveries, priority: entry.priority,
            tenant: tenants[Int(entry.tenant)].name, time: entry.time,
            progress: extras[slot]?.progress, definitionOffset: entry.definitionOffset,
            standingOffset: entry.hasStanding ? entry.standingOffset : nil, awaited: awaited(slot),
            isSettled: entry.pending == 0)
    }
}
