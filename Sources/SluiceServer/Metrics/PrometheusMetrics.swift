// Metrics as Prometheus reads them: what swift-metrics hands over, kept as numbers and written as text.
//
//   # TYPE sluice_server_requests_total counter
//   sluice_server_requests_total{api="Produce"} 42
//
// (1) A label with the same dimensions is the same series, however often it is made. (2) A series is never
// forgotten; beyond `maxSeries` new ones are counted nowhere but in `sluice_metrics_dropped_series`. (3)
// Times are written in seconds, as a summary without quantiles: count and sum.

public import CoreMetrics
import Sluice

/// A `MetricsFactory` whose numbers can be read as text. To be given to `MetricsSystem.bootstrap`.
public final class PrometheusMetrics: MetricsFactory, Sendable {
    private struct State: Sendable {
        var series: [SeriesKey: Series] = [:]
        var droppedSeries = 0
    }

    private let state = Locked(State())

    /// Series that are kept: one for each topic and counter, with room for tens of thousands of topics.
    static let maxSeries = 200_000

    /// No numbers yet.
    public init() {}

    /// All series, in the text format of Prometheus, version 0.0.4.
    public func text() -> String {
        let (series, dropped) = state.withLock { ($0.series, $0.droppedSeries) }
        var lines: [String] = []
        var name = ""
        for (key, series) in series.sorted(by: { $0.key < $1.key }) {
            if key.name != name {
                name = key.name
                lines.append("# TYPE \(name) \(series.kind.rawValue)")
            }
            lines += series.lines(key)
        }
        if dropped > 0 {
            lines.append("# TYPE sluice_metrics_dropped_series counter")
            lines.append("sluice_metrics_dropped_series \(dropped)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: Series.Kind) -> Series {
        let key = SeriesKey(label, dimensions)
        return state.withLock { state in
            if let series = state.series[key] { return series }
            let series = Series(kind)
            if state.series.count < Self.maxSeries {
                state.series[key] = series
            } else {
                state.droppedSeries += 1
            }
            return series
        }
    }

    // MARK: MetricsFactory

    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }

    /// A gauge, or with `aggregate` a count and a sum.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, aggregate ? .summary : .gauge)
    }

    /// A count and a sum of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .summary)
    }

    /// Does nothing: a series goes on where it was when its label is made again.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: as for counters.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: as for counters.
    public func destroyTimer(_ handler: any TimerHandler) {}
}

/// What tells series apart.
struct SeriesKey: Hashable, Comparable, Sendable {
    var name: String
    /// `{api="Produce"}`, or nothing.
    var labels: String

    /// Characters that a name may not have become `_`.
    init(_ label: String, _ dimensions: [(String, String)]) {
        name = Self.name(label)
        let pairs = dimensions.map { "\(Self.name($0.0))=\"\(Self.escaped($0.1))\"" }
        labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
    }

    static func < (a: SeriesKey, b: SeriesKey) -> Bool {
        a.name == b.name ? a.labels < b.labels : a.name < b.name
    }

    private static func name(_ text: String) -> String {
        var result = ""
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "_"
            }
        }
        return result.isEmpty ? "_" : result
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// The numbers of one series.
final class Series: CounterHandler, RecorderHandler, TimerHandler, Sendable {
    enum Kind: String, Sendable { case counter, gauge, summary }

    private struct Numbers: Sendable {
        var count: Int64 = 0
        var value = 0.0
    }

    let kind: Kind
    private let numbers = Locked(Numbers())

    init(_ kind: Kind) { self.kind = kind }

    func increment(by amount: Int64) {
        numbers.withLock { $0.count = $0.count.addingSaturated(amount) }
    }

    func reset() { numbers.withLock { $0 = Numbers() } }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        numbers.withLock { numbers in
            numbers.count = numbers.count.addingSaturated(1)
            numbers.value = kind == .gauge ? value : numbers.value + value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func lines(_ key: SeriesKey) -> [String] {
        let numbers = numbers.withLock { $0 }
        switch kind {
        case .counter: return ["\(key.name)\(key.labels) \(numbers.count)"]
        case .gauge: return ["\(key.name)\(key.labels) \(numbers.value)"]
        case .summary:
            return [
                "\(key.name)_sum\(key.labels) \(numbers.value)",
                "\(key.name)_count\(key.labels) \(numbers.count)",
            ]
        }
    }
}
