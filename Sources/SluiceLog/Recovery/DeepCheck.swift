// Reads every byte of a store: each sealed segment against its seal, each batch against its CRC and its
// place.

struct DeepCheck {
    let files: any FileSystem

    func run(_ plan: RecoveryPlan, _ report: inout RecoveryReport) {
        for partition in plan.partitions {
            for sealed in partition.manifest.sealed { check(sealed, partition, &report) }
            checkActive(partition, &report)
        }
    }

    private func check(_ sealed: SealedSegment, _ partition: PartitionPlan, _ report: inout RecoveryReport) {
        let paths = partition.paths(of: sealed)
        do throws(IOError) {
            var scanner = try TailScanner(path: paths.log, files: files, entries: [])
            defer { scanner.close() }
            guard scanner.size >= sealed.size else { return }
            var crc: UInt32 = 0
            var position: Int64 = 0
            var batches: Int64 = 0
            var offset = sealed.baseOffset
            var fault: String?
            while position < sealed.size {
                // Compaction leaves gaps, but nothing goes back.
                let due = sealed.generation == 0 ? offset : nil
                guard case .valid(let header, let bytes) = try scanner.batch(at: position, expecting: due),
                    position + Int64(header.totalBytes) <= sealed.size, header.baseOffset >= offset
                else {
                    if case .invalid(let reason) = try scanner.batch(at: position, expecting: due) {
                        fault = "at byte \(position): \(reason)"
                    } else {
                        fault = "a batch at byte \(position) runs beyond the end, or goes back"
                    }
                    break
                }
                crc = CRC32C.extend(crc, bytes.bytes)
                position += Int64(header.totalBytes)
                offset = header.nextOffset
                batches += 1
            }
            report.bytesRead += scanner.bytesRead
            if fault == nil, crc != sealed.crc { fault = "its checksum differs from the seal's" }
            if fault == nil, batches != sealed.batches || offset != sealed.endOffset {
                fault =
                    "it holds \(batches) batches up to offset \(offset), the seal says \(sealed.batches) and "
                    + "\(sealed.endOffset)"
            }
            if let fault { report.findings.append(.sealBroken(file: paths.log, reason: fault)) }
        } catch {
            report.findings.append(
                .sealBroken(file: paths.log, reason: "reading failed with error \(error.errno)"))
        }
    }

    /// What lies below the recovery point; what lies above has been read by the plan.
    private func checkActive(_ partition: PartitionPlan, _ report: inout RecoveryReport) {
        let recovery = partition.manifest.recovery
        guard recovery.position > 0, partition.fileSize >= recovery.position else { return }
        let path = SegmentPaths(directory: partition.directory, baseOffset: recovery.baseOffset).log
        do throws(IOError) {
            var scanner = try TailScanner(path: path, files: files, entries: [])
            defer { scanner.close() }
            var position: Int64 = 0
            var offset = recovery.baseOffset
            while position < recovery.position {
                switch try scanner.batch(at: position, expecting: offset) {
                case .valid(let header, _):
                    position += Int64(header.totalBytes)
                    offset = header.nextOffset
                case .invalid(let reason):
                    report.findings.append(.corrupt(file: path, position: position, reason: reason))
                    return
                }
            }
            report.bytesRead += scanner.bytesRead
            if offset != recovery.offset {
                report.findings.append(
                    .corrupt(
                        file: path, position: position,
                        reason: "offset \(offset) where the recovery point says \(recovery.offset)"))
            }
        } catch {
            report.findings.append(
                .corrupt(file: path, position: 0, reason: "reading failed with error \(error.errno)"))
        }
    }
}
