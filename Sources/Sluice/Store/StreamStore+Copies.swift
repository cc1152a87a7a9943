// Copies of a store: whole, of one moment; or of a damaged one, as much as there is.

import SluiceCore
package import SluiceLog

extension StreamStore {
    /// Copies the store, as it is now, to a directory that is a store then: one durable point of all
    /// partitions, while appends go on.
    ///
    /// Sealed segments are linked where the file system is the same, and take no room; the rest is copied.
    /// Everything is synced before the directory becomes a store: after a failure, a full disk or a crash
    /// there is none. The copy has the same store id, and opens as any store does.
    ///
    /// - Parameter path: must not exist or be empty; only its last component is made.
    /// - Throws: `notAStore` when something is there; `corrupt`, `offline` when a partition is damaged
    ///   (`sluice salvage` copies what is good); `noSpace`, `io`, `closed`.
    public nonisolated(nonsending) func backup(to path: String) async throws(StreamError) {
        try engine.checkOpen()
        // What is acknowledged by now is in the copy.
        let ends = engine.read { volume in volume.durableEnds }
        try await Self.backup(self.path, engine.files, to: path, atLeast: ends)
    }

    /// From the files, whoever has the store open.
    nonisolated(nonsending) static func backup(
        _ source: String, _ files: any FileSystem, to path: String,
        atLeast ends: [PartitionKey: JournalEnd] = [:]
    ) async throws(StreamError) {
        try await onThread("sluice-backup", source) { () throws(StreamError) in
            do throws(LogError) {
                var volume = try ReadOnlyVolume(source, files, interpret: { TopicSettings.interpret($0) })
                volume.told = ends
                try StoreBackup.make(of: &volume, at: path, files, now: .now)
            } catch {
                throw StreamError(error, at: nil)
            }
        }
    }

    /// Copies whatever is good of the store at `source` into a new one, and changes nothing of it. Returns
    /// whether nothing was lost.
    ///
    /// - Parameter report: told of what is copied and what is not.
    /// - Throws: `notAStore` when there is nothing like a store, or `path` is taken; `noSpace`, `io`.
    package nonisolated(nonsending) static func salvage(
        _ source: String, to path: String, report: @escaping @Sendable (SalvageNote) -> Void
    ) async throws(StreamError) -> Bool {
        try await onThread("sluice-salvage", source) { () throws(StreamError) in
            var random = SystemRandomNumberGenerator()
            do throws(LogError) {
                return try Salvage.run(
                    source, to: path, PosixFileSystem(), now: .now, random: &random,
                    interpret: TopicSettings.interpret, report: report)
            } catch {
                throw StreamError(error, at: nil)
            }
        }
    }
}
