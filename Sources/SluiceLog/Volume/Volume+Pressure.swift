// What back pressure has learnt, kept for the next opening.

extension Volume {
    /// As it was recorded last; empty when it never was.
    package var pressureSnapshot: [UInt8] { manifest.state.pressure }

    /// Records it, with the next frame of the manifest. Nobody waits: without it the next opening learns
    /// anew.
    package mutating func keepPressure(_ bytes: [UInt8]) {
        guard closing == .open, failure == nil, bytes.count <= Limits.pressureBytes else { return }
        manifest.add(.pressure(bytes))
    }
}
