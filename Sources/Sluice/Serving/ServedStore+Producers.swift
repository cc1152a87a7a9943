// Ids for idempotent producers.

import SluiceLog

extension ServedStore {
    /// A producer id that nobody has had, nor will: on record before it is given.
    ///
    /// Throws `closed`, `io`, `noSpace`.
    package nonisolated(nonsending) func newProducerID() async throws(StreamError) -> Int64 {
        while true {
            try engine.checkOpen()
            if let id = engine.withVolume(isUrgent: false, { $0.takeProducerID() }) { return id }
            let waiter: Waiter<Int64>
            do throws(LogError) {
                waiter = try engine.request { volume, request throws(LogError) in
                    try volume.reserveProducerIDs(request: request)
                }
            } catch {
                throw StreamError(error, at: nil)
            }
            _ = try await waiter.value().get()
        }
    }
}
