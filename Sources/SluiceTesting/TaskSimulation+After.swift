// Tasks that run after others, in a simulated life of a queue. (14) None begins before all that it runs after
// have ended as asked. (15) None waits for what has ended, and a failure is passed on, once everything that
// follows has been done; nothing is given up without one. (16) What an unfinished task runs after is there.

import SluiceCore
import SluiceLog

extension TaskSimulation {
    /// Some tasks that are there, for one to run after.
    func predecessors() -> [TaskIdentity] {
        let accounts = machine.accounts
        guard !accounts.isEmpty else { return [] }
        // Most of what was published last: so chains come about.
        return (0..<random.within(1...3)).map { _ in
            accounts[accounts.count - 1 - random.below(min(random.pick([3, 50]), accounts.count))].task
        }
    }

    /// After every step, and what follows from it.
    func checkAfter(_ accounts: [TaskAccount]) throws {
        let states = Dictionary(uniqueKeysWithValues: accounts.map { ($0.task, $0.state) })
        for account in accounts {
            guard let draft = drafts[account.task], !draft.after.isEmpty else { continue }
            let name = "\(account.task.sequence)"
            // What a redriven one runs after may be gone.
            if !account.state.isFinal, !touched.contains(account.task) {
                for task in draft.after where states[task] == nil {
                    throw broken("\(name) runs after \(task.sequence), which is not there")
                }
            }
            let failed = draft.after.filter { states[$0].map { $0.isFinal && $0 != .succeeded } ?? false }
            if account.state == .waiting {
                outcome.waiting += 1
                guard machine.nextWall != 0 else { continue }
                if !failed.isEmpty, !draft.runsAnyway {
                    throw broken("\(name) waits for \(failed[0].sequence), which has failed")
                }
                if draft.after.allSatisfy({ states[$0]?.isFinal ?? true }) {
                    throw broken("\(name) waits for what has ended")
                }
            }
            guard account.state == .cancelled, !givenUp.contains(account.task),
                ended[account.task] != .cancelled, !touched.contains(account.task),
                !cancelling.contains(account.task)
            else { continue }
            givenUp.insert(account.task)
            outcome.givenUp += 1
            // One that has failed may have been redriven, or removed, in the same step.
            guard
                draft.after.contains(where: { task in
                    failed.contains(task) || touched.contains(task) || states[task] == nil
                }), !draft.runsAnyway
            else { throw broken("\(name) is given up, and nothing that it runs after has failed") }
        }
    }

    /// (14) Of a task that is given out for the first time.
    func checkBegin(_ task: LeasedTask) throws {
        guard task.lease.token == 1, let draft = drafts[task.lease.task], !touched.contains(task.lease.task)
        else { return }
        for other in draft.after {
            guard let state = try? machine.status(of: other).state else {
                throw broken("\(task.lease.task.sequence) begins, and \(other.sequence) is not there")
            }
            guard state == .succeeded || draft.runsAnyway && state.isFinal else {
                throw broken("\(task.lease.task.sequence) begins while \(other.sequence) is \(state)")
            }
        }
    }
}
