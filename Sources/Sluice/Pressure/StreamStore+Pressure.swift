// Back pressure as a program sees it: what holds its producers up.

import SluiceCore

extension StreamStore {
    /// What holds the producers of a topic up: the rule in force, its numbers, the forecast, what to do.
    ///
    /// It looks at the store now. Throws `unknownTopic`, `closed`.
    public nonisolated(nonsending) func pressure(on topic: String) async throws(StreamError) -> PressureReport
    {
        try engine.checkOpen()
        let (settings, _) = try engine.topic(topic)
        let pressure = lease.pressure
        return try await engine.onReader { () throws(StreamError) -> PressureReport in
            guard let (input, output) = pressure.lookNow() else { throw .closed }
            return PressureReport(topic, settings, input, output)
        }
    }
}

extension PressureEngine {
    /// Looks, and tells what was seen and said; nil when the store has been closed.
    fileprivate func lookNow() -> (PressureInput, PressureOutput)? {
        look()
        return state.withLock { state in
            guard let input = state.input, let output = state.output else { return nil }
            return (input, output)
        }
    }
}
