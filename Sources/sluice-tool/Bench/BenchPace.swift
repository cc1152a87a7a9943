// What a loop of a benchmark goes by: which record is next, and when it is due.

#if Tool
import Foundation
import Sluice

/// Keys and headers as the options want them.
struct BenchKeys: Sendable {
    let keys: [[UInt8]]
    let headers: [RecordHeader]

    init(_ options: WorkloadOptions) {
        keys = (0..<options.keys).map { Array("key-\($0)".utf8) }
        headers = (0..<options.headers).map {
            RecordHeader(key: "header\($0)", value: Array("value-\($0)".utf8))
        }
    }

    var isEmpty: Bool { keys.isEmpty && headers.isEmpty }
}

/// The times at which records are due; without a rate, now.
struct BenchPace {
    private let interval: Double?
    private let begun = System.monotonicNanoseconds
    private var done = 0

    init(_ rate: Double?) { interval = rate.map { 1e9 / $0 } }

    private mutating func intended() -> Int64 {
        guard let interval else { return System.monotonicNanoseconds }
        defer { done += 1 }
        return begun + Int64(interval * Double(done))
    }

    /// Returns when the next record is due, with the time at which it was.
    mutating func next() async throws -> Int64 {
        let intended = intended()
        while true {
            let left = intended - System.monotonicNanoseconds
            if left <= 0 { return intended }
            // A sleep ends late; what is due within it is caught up with.
            if left > 200_000 {
                try await Task.sleep(for: .nanoseconds(left - 100_000), tolerance: .zero)
            } else {
                await Task.yield()
            }
        }
    }

    mutating func waitForNext() -> Int64 {
        let intended = intended()
        while true {
            let left = intended - System.monotonicNanoseconds
            if left <= 0 { return intended }
            if left > 200_000 { Thread.sleep(forTimeInterval: Double(left - 100_000) / 1e9) }
        }
    }
}

/// Runs `body` on a thread of its own, where it may block.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
#endif
