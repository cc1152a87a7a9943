// A task's status as the control socket and `sluice task … --json` have it.
//
//   {"id":"…","name":"thumbnail","state":"retrying","attempt":2,"due":1700000000000,"tenant":"…",
//    "progress":0.5,"note":"…","lastError":"…","history":[{"number":1,"began":…,"ended":…,"cause":"…"}]}
//
// What there is nothing to say of is not there.

import Sluice
import SluiceCore

extension TaskStatus {
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "id": .string(id.description), "name": .string(name), "state": .string("\(state)"),
            "attempt": .integer(Int64(attempt)), "due": .integer(due.millisecondsSince1970),
        ]
        if !waitsFor.isEmpty { members["waitsFor"] = .array(waitsFor.map { .string($0.description) }) }
        members["tenant"] = tenant.map { .string($0) }
        members["progress"] = progress.map { .number($0) }
        members["note"] = note.map { .string($0) }
        members["lastError"] = lastError.map { .string($0) }
        if !history.isEmpty { members["history"] = .array(history.map(\.json)) }
        return .object(members)
    }
}

extension TaskStatus.Attempt {
    fileprivate var json: JSONValue {
        [
            "number": .integer(Int64(number)), "began": .integer(began.millisecondsSince1970),
            "ended": .integer(ended.millisecondsSince1970), "cause": .string(cause),
        ]
    }
}
