// What a simulated group's logs say, and what must hold of them.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    struct LogRecord {
        var offset: Int64
        var key: [UInt8]
        var value: [UInt8]?

        /// The record's number, which its value begins with.
        var number: UInt64 { (value ?? []).prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
        /// Of a record of `out`, the number of the write that brought it.
        var keyNumber: UInt64 { key.reduce(0) { $0 << 8 | UInt64($1) } }
    }

    /// What can be seen to be committed.
    func visible() -> [Int: Int64] {
        var offsets: [Int: Int64] = [:]
        for (place, committed) in (try? coordinator.committed(groupID: Self.groupID)) ?? [] {
            offsets[index(place)] = committed?.offset
        }
        return offsets
    }

    /// A record is at an offset, as was read or told.
    func saw(_ value: UInt64, at offset: Int64, in partition: Int) throws(SimulationViolation) {
        let known = partitions[partition].records.updateValue(value, forKey: offset) ?? value
        try check(known == value, 7, "offset \(offset) of partition \(partition) was \(known), is \(value)")
    }

    func check() throws(SimulationViolation) {
        guard store != nil else { return }
        let offsets = visible()
        if isAtomic { for output in outputs.indices { try checkOutput(output) } }
        guard case .there = catalogue else { return }
        for partition in live {
            try checkInput(partition)
            let committed = offsets[partition] ?? 0
            let isSought = isOpen(committed, partition)
            if isSought { adopt(committed, partition) }
            let known = partitions[partition]
            try check(
                committed >= known.committed, 4,
                "what is committed of partition \(partition) is \(committed), was \(known.committed)")
            try check(
                isSought || known.sought ?? committed == committed, 4,
                "partition \(partition) was sought to \(known.sought ?? 0), committed is \(committed)")
            try check(
                isAtomic
                    ? committed <= reached(partition) || known.seeks.contains(committed)
                    : committed <= known.processed, 4,
                "\(committed) is committed of partition \(partition), processed are \(known.processed), "
                    + "written \(reached(partition))")
            partitions[partition].committed = committed
        }
    }

    private func checkInput(_ partition: Int) throws(SimulationViolation) {
        let number = number(partition)
        guard let range = try? store?.volume.offsets(number) else {
            throw violation(8, "partition \(partition) is not there")
        }
        let kept = max(partitions[partition].committed, partitions[partition].floor)
        try check(
            range.lowerBound <= kept, 6,
            "partition \(partition) begins at \(range.lowerBound), unlike \(kept)")
        let end = partitions[partition].end
        try check(range.upperBound >= end, 1, "partition \(partition) ended at \(end), is \(range)")
        var next = max(end, range.lowerBound)
        for record in try read(number, from: next, atMost: .max) {
            try check(record.offset == next, 2, "partition \(partition) has no record at \(next)")
            try saw(record.number, at: next, in: partition)
            let before = partitions[partition].records[next - 1] ?? 0
            try check(before < record.number, 2, "record \(record.number) is behind \(before)")
            next += 1
        }
        try check(next == range.upperBound, 2, "partition \(partition), \(range), is read to \(next)")
        partitions[partition].end = next
    }

    /// How far the writes of a partition's results have come in it.
    private func reached(_ partition: Int) -> Int64 {
        let last = outputs[partition % partitionCount].reached
        return written[last.write]?.partition == partition ? last.offset : 0
    }

    /// Whole writes, each once and in their order, each from where the one before it or a seek has gone; of a
    /// topic that was made anew from its beginning.
    private func checkOutput(_ output: Int) throws(SimulationViolation) {
        let number = number(Self.output, output)
        var next = outputs[output].end
        for record in try read(number, from: next, atMost: .max) {
            let (last, id) = (outputs[output].reached, record.keyNumber)
            guard record.offset == next, let write = written[id], write.partition % partitionCount == output
            else {
                throw violation(5, "output \(output) has write \(id) at \(record.offset), not \(next)")
            }
            let partition = write.partition
            let known = partitions[partition]
            if id != last.write {
                let whole = written[last.write]
                try check(
                    id > last.write && last.offset == whole?.range.upperBound ?? 0
                        && whole?.partition ?? partition <= partition, 5,
                    "output \(output) has write \(id) of \(partition) behind \(last)")
                let before = whole?.partition == partition ? whole : nil
                let sought = known.seeks[(before?.seeks ?? 0)..<max(write.seeks, before?.seeks ?? 0)]
                let begin = write.range.lowerBound
                try check(
                    begin == before?.range.upperBound ?? 0 || sought.contains(begin), 5,
                    "output \(output) has write \(id) of \(write.range) behind \(last), sought \(sought)")
                outputs[output].reached = (id, begin)
            }
            let place = outputs[output].reached.offset
            try check(
                record.number == known.records[place], 5,
                "output \(output) has \(record.number) at \(next), the input has "
                    + "\(known.records[place].map(String.init) ?? "nothing") at \(place)")
            outputs[output].reached.offset += 1
            next += 1
        }
        outputs[output].end = next
    }

    func checkOwners() throws(SimulationViolation) {
        var owners: [GroupPartition: Int] = [:]
        for (id, consumer) in consumers.sorted(by: { $0.key < $1.key }) where !consumer.isLost {
            for partition in consumer.member.owned {
                if let other = owners.updateValue(id, forKey: partition) {
                    throw violation(3, "\(partition) is owned by \(other) and \(id)")
                }
            }
        }
    }

    /// After an opening: everything that was acknowledged is there, and the coordinator knows it.
    func checkAfterOpening() throws(SimulationViolation) {
        outputs = outputs.map { _ in Output() }
        for partition in live where catalogue == .there {
            // From the beginning again.
            let known = partitions[partition]
            let range = (try? store?.volume.offsets(number(partition))) ?? 0..<0
            partitions[partition].end = range.lowerBound
            // What was told or seen below that is gone, or there; the same in either case.
            try check(range.upperBound >= known.end, 1, "\(partition) is \(range), not \(known.end)")
        }
        try check()
        for output in outputs.indices {
            let last = outputs[output].reached
            try check(
                last.offset == written[last.write]?.range.upperBound ?? 0, 5,
                "output \(output) has come to \(last)")
        }
        guard case .there = catalogue else { return }
        for partition in live {
            let known = partitions[partition]
            let found = Set(known.records.filter { $0.key < known.end }.values)
            try check(
                known.acknowledged.isSubset(of: found), 1,
                "records of partition \(partition) are lost: \(known.acknowledged.subtracting(found).sorted())"
            )
            guard isAtomic else { continue }
            let last = written[outputs[partition % partitionCount].reached.write]
            let seeks = last?.partition == partition ? last?.seeks ?? 0 : 0
            try check(
                known.committed == reached(partition) || known.seeks[seeks...].contains(known.committed), 5,
                "output of \(partition) has come to \(reached(partition)), committed is \(known.committed)")
        }
    }

    /// Records of a log from an offset on.
    func read(
        _ number: Int, from start: Int64, atMost count: Int
    ) throws(SimulationViolation) -> [LogRecord] {
        var found: [LogRecord] = []
        var fault: String?
        do throws(LogError) {
            guard let range = try store?.volume.offsets(number) else { return [] }
            var offset = max(start, range.lowerBound)
            while offset < range.upperBound, found.count < count, fault == nil {
                guard let view = try store?.volume.segment(number, at: offset) else {
                    fault = "there is no segment for offset \(offset) of \(range)"
                    break
                }
                fault = read(view, from: offset, &found)
                if view.endOffset <= offset, fault == nil { fault = "reading stands still at \(offset)" }
                offset = view.endOffset
            }
        } catch {
            fault = "\(error)"
        }
        if let fault { throw violation(1, "a log cannot be read: \(fault)") }
        return Array(found.prefix(count))
    }

    private func read(_ view: SegmentView, from start: Int64, _ found: inout [LogRecord]) -> String? {
        // Renamed, and the volume has not been told: a reader would ask again.
        var renamed = view.paths
        renamed.suffix = ""
        guard let bytes = files.contents(view.paths.log) ?? files.contents(renamed.log),
            bytes.count >= view.limit
        else { return "\(view.paths.log) has less than \(view.limit) bytes" }
        var position = 0
        let buffer = ByteBuffer(bytes)
        while position < Int(view.limit) {
            do throws(BatchError) {
                let head = ByteSlice(
                    buffer, start: position, count: min(BatchLayout.headerBytes, bytes.count - position))
                let header = try BatchHeader(head.bytes)
                guard position + header.totalBytes <= Int(view.limit) else {
                    return "the visible end of \(view.paths.log) is within a batch"
                }
                defer { position += header.totalBytes }
                guard !header.isControl, header.nextOffset > start else { continue }
                let batch = try DecodedBatch(
                    ByteSlice(buffer, start: position, count: header.totalBytes), with: &codecs,
                    maxBytes: 1 << 20)
                var cursor = batch.cursor
                while cursor.next() {
                    guard cursor.offset >= start else { continue }
                    let key = (0..<cursor.keyCount).map {
                        cursor.key?.load(fromByteOffset: $0, as: UInt8.self) ?? 0
                    }
                    let value = cursor.value.map { start in
                        (0..<cursor.valueCount).map { start.load(fromByteOffset: $0, as: UInt8.self) }
                    }
                    found.append(LogRecord(offset: cursor.offset, key: key, value: value))
                }
            } catch {
                return "\(view.paths.log) at \(position): \(error)"
            }
        }
        return nil
    }
}
