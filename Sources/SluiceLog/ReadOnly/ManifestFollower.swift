// The manifest of a store that another process may be writing: read once, then followed frame by frame.
//
// (1) A file is only appended to, one frame at a time: what is not a whole frame at the end is being written.
// (2) A new file is in force once its first frame is whole; the old one is removed after that. A look that
// falls in between is made again.

struct ManifestFollower {
    /// What a look found.
    enum Change { case nothing, grown, replaced }

    let paths: StorePaths
    let files: any FileSystem
    private(set) var loaded: LoadedManifest

    var state: ManifestState { loaded.state }

    init(_ paths: StorePaths, storeID: UniqueID, _ files: any FileSystem) throws(LogError) {
        self.paths = paths
        self.files = files
        loaded = try Self.load(paths, storeID, files)
    }

    /// How often a look may fall between a new file and the removal of the old one.
    private static let maxAttempts = 16

    private static func load(
        _ paths: StorePaths, _ storeID: UniqueID, _ files: any FileSystem
    ) throws(LogError) -> LoadedManifest {
        var attempt = 1
        while true {
            do throws(LogError) {
                return try ManifestFile.load(paths, storeID: storeID, files)
            } catch {
                // A file that was listed and is gone, or one whose first frame is being written: what comes
                // next is whole. Real damage is still there at the last attempt.
                attempt += 1
                guard attempt <= maxAttempts else { throw error }
            }
        }
    }

    /// Takes in what has been written since the last look.
    mutating func look() throws(LogError) -> Change {
        let newest = try ManifestFile.numbers(paths, files).last
        if newest == loaded.number, let isGrown = try grow() { return isGrown ? .grown : .nothing }
        let before = loaded
        loaded = try Self.load(paths, loaded.storeID, files)
        // A newer file whose first frame is being written leaves the old one in force.
        let isSame = loaded.number == before.number && loaded.lastSequence == before.lastSequence
        return isSame ? .nothing : .replaced
    }

    /// Applies the frames behind the last one; nil when the file is gone.
    private mutating func grow() throws(LogError) -> Bool? {
        let bytes: [UInt8]
        do throws(IOError) {
            let path = paths.manifest(loaded.number)
            guard let size = try files.status(path)?.size else { return nil }
            guard size > Int64(loaded.end) else { return false }
            bytes = try files.readAll(path, from: Int64(loaded.end), limit: Limits.manifestBytes)
        } catch  where error.errno == IOError.notFound {
            return nil
        } catch {
            throw .io(error)
        }
        var position = 0
        while let frame = Frame.decode(.manifest, storeID: loaded.storeID, in: bytes, at: position),
            frame.sequence > loaded.lastSequence
        {
            do throws(MalformedRecord) {
                var reader = BinaryReader(frame.payload)
                while reader.left > 0 { loaded.state.apply(try ManifestRecord(from: &reader)) }
            } catch {
                throw .corrupt(
                    file: paths.manifest(loaded.number), position: Int64(loaded.end + position),
                    reason: error.reason)
            }
            loaded.lastSequence = frame.sequence
            position = frame.end
        }
        loaded.end += position
        return position > 0
    }
}

extension IOError {
    /// ENOENT, which Linux and Darwin number alike.
    static let notFound: Int32 = 2
}
