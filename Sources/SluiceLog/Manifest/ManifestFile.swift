// The manifest's file: frames of records. `manifest/000001.log`, then 000002 …
//
//   frame 0        the whole state as it was when the file was begun, in one frame
//   frame 1 …      the changes since, in order; a frame's records count together
//
// (1) The highest number whose frame 0 is whole is the manifest. One with a torn frame 0 was never in force:
// the file before it is removed only after the new one and its name are synced. (2) A torn frame at the end
// was not acknowledged. (3) An invalid frame with a whole one behind it is damage: nothing may be guessed,
// opening fails.

/// A manifest that has been read.
package struct LoadedManifest {
    package var state: ManifestState
    package var storeID: UniqueID
    /// The number in its file's name.
    package var number: Int
    /// Of the last whole frame.
    package var lastSequence: UInt64
    /// The first byte behind it.
    package var end: Int
    /// Bytes of a frame that was being written when the last process ended.
    package var tornBytes: Int
}

package enum ManifestFile {
    /// Reads the manifest in force. Changes nothing.
    ///
    /// Throws `corrupt` when there is none or it is damaged, `io`.
    package static func load(
        _ paths: StorePaths, storeID: UniqueID, _ files: any FileSystem
    ) throws(LogError) -> LoadedManifest {
        var newest: (file: String, reason: String)?
        for number in try numbers(paths, files).reversed() {
            let path = paths.manifest(number)
            let bytes = try read(path, files)
            let scan = Frame.scan(.manifest, storeID: storeID, in: bytes)
            guard let first = scan.frames.first else {
                newest = newest ?? (path, "no whole record is in it")
                continue
            }
            if first.position != 0 {
                throw .corrupt(file: path, position: 0, reason: "the first record is damaged")
            }
            if let gap = scan.gaps.first {
                throw .corrupt(
                    file: path, position: Int64(gap), reason: "a record is damaged, later ones are whole")
            }
            var state = ManifestState()
            for frame in scan.frames {
                do throws(MalformedRecord) {
                    var reader = BinaryReader(frame.payload)
                    while reader.left > 0 { state.apply(try ManifestRecord(from: &reader)) }
                } catch {
                    throw .corrupt(file: path, position: Int64(frame.position), reason: error.reason)
                }
            }
            return LoadedManifest(
                state: state, storeID: storeID, number: number, lastSequence: scan.frames.last?.sequence ?? 0,
                end: scan.end, tornBytes: scan.torn)
        }
        throw .corrupt(
            file: newest?.file ?? paths.manifest, position: 0,
            reason: newest?.reason ?? "the manifest is missing")
    }

    /// Writes `state` as the first frame of a file of its own, and syncs it and its name. The old file stays.
    package static func begin(
        _ paths: StorePaths, number: Int, sequence: UInt64, storeID: UniqueID, records: [ManifestRecord],
        _ files: any FileSystem
    ) throws(IOError) -> (file: FileID, size: Int64) {
        let frame = encode(records, sequence: sequence, storeID: storeID)
        let file = try files.open(paths.manifest(number), .replace)
        do {
            try files.writeAll(file, at: 0, frame, path: paths.manifest(number))
            try files.sync(file)
            if !PlantedBug.manifestNameNotSynced.isPlanted { try files.syncDirectory(paths.manifest) }
        } catch {
            files.close(file)
            throw error
        }
        return (file, Int64(frame.count))
    }

    package static func encode(_ records: [ManifestRecord], sequence: UInt64, storeID: UniqueID) -> [UInt8] {
        var writer = BinaryWriter()
        for record in records { record.encode(into: &writer) }
        return Frame.encode(.manifest, sequence: sequence, storeID: storeID, payload: writer.bytes)
    }

    /// No fewer bytes than a frame with these records has.
    package static func most(_ records: [ManifestRecord]) -> Int64 {
        Int64(records.reduce(FrameLayout.headerBytes) { $0 + $1.mostBytes })
    }

    /// The numbers of the manifest files there are, ascending.
    package static func numbers(_ paths: StorePaths, _ files: any FileSystem) throws(LogError) -> [Int] {
        do throws(IOError) {
            return try files.list(paths.manifest).compactMap {
                $0.name.hasSuffix(".log") ? Int($0.name.dropLast(4)) : nil
            }.sorted()
        } catch {
            throw .io(error)
        }
    }

    private static func read(_ path: String, _ files: any FileSystem) throws(LogError) -> [UInt8] {
        do throws(IOError) {
            return try files.readAll(path, limit: Limits.manifestBytes)
        } catch {
            throw .io(error)
        }
    }
}
