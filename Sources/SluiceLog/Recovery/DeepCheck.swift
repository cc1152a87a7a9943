// Reads every byte of a store: each sealed segment against its seal, each batch against its CRC and its
// place.

struct DeepCheck {
    let files: any FileSystem

    func run(_ plan: RecoveryPlan, _ report: inout RecoveryReport) {
        // What the scrub has found is looked at anew.
        report.findings.removeAll { if case .sealBroken = $0 { true } else { false } }
        for partition in plan.partitions {
            for sealed in partition.manifest.sealed {
                check(sealed, partition.paths(of: sealed).log, &report)
            }
            checkActive(partition, &report)
        }
    }

    private func check(_ sealed: SealedSegment, _ path: String, _ report: inout RecoveryReport) {
        // One that is missing or short has been reported by the plan.
        guard let size = (try? files.status(path))??.size, size >= sealed.size else { return }
        var check = SegmentCheck(sealed)
        let (step, bytesRead) = check.run(path, files, bytes: .max)
        report.bytesRead += bytesRead
        switch step {
        case .more, .sound, .missing: break
        case .failed:
            report.findings.append(.sealBroken(file: path, reason: "it could not be opened: too many files"))
        case .damaged(let damage), .unreadable(let damage):
            report.findings.append(
                .sealBroken(file: path, reason: "at byte \(damage.position): \(damage.reason)"))
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
            var crc: UInt32 = 0
            while position < recovery.position {
                switch try scanner.batch(at: position, expecting: offset) {
                case .valid(let header, let bytes):
                    crc = CRC32C.extend(crc, bytes.bytes)
                    position += Int64(header.totalBytes)
                    offset = header.nextOffset
                case .invalid(let reason):
                    report.findings.append(.corrupt(file: path, position: position, reason: reason))
                    return
                }
            }
            report.bytesRead += scanner.bytesRead
            var fault: String?
            if offset != recovery.offset {
                fault = "offset \(offset) where the recovery point says \(recovery.offset)"
            } else if crc != recovery.crc {
                // A batch's own checksum would be right in another partition too.
                fault = "the checksum of what lies before differs from the recovery point's"
            }
            if let fault {
                report.findings.append(.corrupt(file: path, position: position, reason: fault))
            }
        } catch {
            report.findings.append(
                .corrupt(file: path, position: 0, reason: "reading failed with error \(error.errno)"))
        }
    }
}
