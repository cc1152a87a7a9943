// What a producer gets when the store wants less than it sends.

package import SluiceCore

/// What a producer gets when the store wants less than it sends: by disk, or by the lag of groups.
public enum BackPressurePolicy: Hashable, Sendable {
    /// It waits, at most `maxBlock`.
    case throttle
    /// Its records are taken into a queue that is sent in so long; when that is full it waits. 1 ms to an
    /// hour.
    case buffer(latency: Duration)
    /// `busy`, at once: fail fast.
    case reject
    /// The oldest records make room, down to the topic's `retentionPromise`; counted and reported. What the
    /// promise keeps is waited for.
    case dropOldest
}

extension BackPressurePolicy {
    package init(_ setting: PressurePolicy) {
        switch setting {
        case .throttle: self = .throttle
        case .buffer(let milliseconds): self = .buffer(latency: .milliseconds(milliseconds))
        case .reject: self = .reject
        case .dropOldest: self = .dropOldest
        }
    }

    package var setting: PressurePolicy {
        switch self {
        case .throttle: .throttle
        case .buffer(let latency): .buffer(milliseconds: latency.wholeMilliseconds)
        case .reject: .reject
        case .dropOldest: .dropOldest
        }
    }
}
