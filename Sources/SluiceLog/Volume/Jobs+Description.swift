// Jobs and results in words: for traces and logs. The same job always has the same words.

extension IOJob: CustomStringConvertible {
    /// What is to be done, and to which file.
    public var description: String {
        switch self {
        case .write(let job):
            let journalled = job.group == nil ? "" : ", journalled"
            return
                "write \(job.batches.count) batches to \(job.file.paths.log) at \(job.position)\(journalled)"
        case .commit(let job):
            let members = job.members.map {
                "\($0.partition) to \($0.endOffset)\($0.isDirect ? " directly" : "")"
            }
            let direct = job.direct.map { "\($0.partition)" }.joined(separator: ", ")
            let frame = job.frame.map { "frame \($0.sequence) at \($0.slot):\($0.position)" } ?? "no frame"
            return
                "commit [\(members.joined(separator: ", "))], groups \(job.groups), syncs [\(direct)], \(frame)"
        case .manifest(let job):
            let words = job.records.map(\.words).joined(separator: "; ")
            return job.replacement.map { "begin manifest \($0): \(words)" } ?? "record \(words)"
        case .sync(let job):
            return
                "sync [\(job.targets.map { "\($0.partition) to \($0.point.offset)" }.joined(separator: ", "))]"
        case .roll(let job): return "roll \(job.file.paths.log) at \(job.sealed.endOffset)"
        case .remove(let job):
            let closed = job.close.isEmpty ? "" : ", closing \(job.close.count) files"
            switch job.target {
            case .segments(let paths): return "remove \(paths.map(\.log))\(closed)"
            case .topic(let topic): return "remove topic \(topic.name)\(closed)"
            case .swapped(let job):
                return "rename \(job.renames.map(\.from.log)), remove \(job.removed.map(\.log))"
            case .tails(let tails): return "write the index entries of \(tails.count) segments"
            }
        case .journal(let job): return "make journal \(job.number)"
        case .compact(let job): return "compact \(job.partition), \(job.bytes) bytes"
        case .measure: return "measure"
        case .scrub(let job): return "read \(job.path) again, \(job.bytes) bytes"
        case .reserve(let job): return "make the reserve file, \(job.bytes) bytes"
        }
    }
}

extension IOResult: CustomStringConvertible {
    /// What came of it.
    public var description: String {
        switch self {
        case .write(let result):
            let dirty = result.isDirty ? ", not cut back" : ""
            return "\(result.written) written\(dirty), \(Self.words(result.error))"
        case .commit(let result):
            let direct = result.direct.map { Self.words($0.error) }
            return "\(Self.words(result.error)), syncs \(direct)"
        case .manifest(let result):
            let given = result.freed > 0 ? ", without the reserve" : ""
            if case .failure(let error) = result.place { return Self.words(error) + given }
            return "done" + given
        case .reserve(let result): return Self.words(result.error)
        case .journal(let result):
            if case .failure(let error) = result.file { return Self.words(error) }
            return "done"
        case .measure(.success(let bytes)): return "\(bytes) bytes"
        case .measure(.failure(let error)): return Self.words(error)
        case .sync(let results): return "\(results.map { Self.words($0.error) })"
        case .roll(let result): return Self.words(result.error)
        case .remove(let result): return "\(Self.words(result.error)), \(result.freed) bytes freed"
        case .compact(let result): return "\(result.bytes) bytes, \(result.step.words)"
        case .scrub(let result): return "\(result.bytesRead) bytes, \(result.step)"
        }
    }

    private static func words(_ error: IOError?) -> String {
        error.map { "\($0.operation) of \($0.path) failed with error \($0.errno)" } ?? "done"
    }
}

extension CompactionStep {
    /// What comes next.
    fileprivate var words: String {
        switch self {
        case .more: "more"
        case .swap(let swap, _): swap.words
        case .finished(let point): "clean up to \(point.firstDirty)"
        case .failed(let error): "\(error.operation) of \(error.path) failed with error \(error.errno)"
        }
    }
}

extension SegmentSwap {
    fileprivate var words: String {
        let new = added.map { "\($0.baseOffset).\($0.generation) to \($0.endOffset), \($0.size) bytes" }
        return "\(new) for \(removed), clean up to \(point.firstDirty), damaged to \(point.damagedEnd)"
    }
}

extension ManifestRecord {
    /// What it says, without the ids of topics.
    package var words: String {
        switch self {
        case .opened(let boot, _, let floor): "opened in \(boot), journal from \(floor)"
        case .closed: "closed"
        case .topicCreated(let topic): "topic \(topic.name) with \(topic.partitions) partitions"
        case .topicConfigured(_, let settings): "settings \(settings.map { "\($0.key)=\($0.value)" })"
        case .partitionsAdded(_, let total): "partitions, \(total) now"
        case .topicDeleted: "topic deleted"
        case .topicForgotten: "topic forgotten"
        case .rolled(let key, let sealed):
            "rolled \(key.partition): \(sealed.baseOffset) to \(sealed.endOffset), \(sealed.size) bytes"
        case .recoveryPoint(let key, let point):
            "point \(key.partition): \(point.offset) at \(point.position), ceiling \(point.ceiling)"
        case .logStart(let key, let offset): "log start \(key.partition): \(offset)"
        case .restarted(let key, let offset): "restarted \(key.partition): \(offset)"
        case .leaderEpoch(let key, let epoch): "epoch \(key.partition): \(epoch)"
        case .damaged(let key, let position): "damaged \(key.partition): below \(position)"
        case .swapped(let key, let swap): "swapped \(key.partition): \(swap.words)"
        case .pressure(let bytes): "pressure: \(bytes.count) bytes"
        case .scrubbed(let point):
            point.isOver ? "scrubbed" : "scrubbed \(point.key.partition) to \(point.offset)"
        case .segmentDamaged(let key, let base, let damage):
            "segment \(base) of \(key.partition): \(damage?.reason ?? "sound")"
        case .producerIDs(let end): "producer ids below \(end)"
        case .producers(let key, let states): "producers \(key.partition): \(states.byID.keys.sorted())"
        case .user(let user): "user \(user.name)\(user.credentials.isEmpty ? " deleted" : "")"
        case .userSecret: "secret of the users"
        }
    }
}
