// A run under pressure as a drawing: rates, what is unread, the disk.

#if Tool
import Sluice

/// Three panels over one axis of time, as SVG.
struct PressurePlot {
    private let samples: [PressureSample]
    private let width = 760.0
    private let height = 150.0
    private let left = 70.0
    private let gap = 34.0

    init(_ samples: [PressureSample]) { self.samples = samples }

    private struct Line {
        var name: String
        var colour: String
        var values: [Double]
        var isDashed = false
    }

    /// The drawing.
    var text: String {
        let panels: [(String, [Line])] = [
            (
                "MB/s",
                [
                    Line(name: "sent", colour: "#1b6ca8", values: samples.map { $0.sentRate / 1e6 }),
                    Line(name: "read", colour: "#d1495b", values: samples.map { $0.readRate / 1e6 }),
                ]
            ),
            (
                "MB unread",
                [
                    Line(name: "unread", colour: "#1b6ca8", values: level(\.lag) { $0.waitingBytes }),
                    Line(name: "X*", colour: "#777", values: level(\.lag) { $0.targetBytes }, isDashed: true),
                    Line(name: "S", colour: "#bbb", values: level(\.lag) { $0.softBytes }, isDashed: true),
                ]
            ),
            (
                "MB on disk",
                [
                    Line(
                        name: "used", colour: "#1b6ca8",
                        values: samples.map { Double($0.report.disk.usedBytes) / 1e6 }),
                    Line(
                        name: "H", colour: "#d1495b",
                        values: samples.map { Double($0.report.disk.limitBytes) / 1e6 }, isDashed: true),
                ]
            ),
        ]
        var body = ""
        for (index, panel) in panels.enumerated() {
            body += draw(panel.0, panel.1, top: gap + Double(index) * (height + gap))
        }
        let total = gap + Double(panels.count) * (height + gap) + 10
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(left + width + 90)) \(Int(total))" \
            font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            \(body)</svg>

            """
    }

    private func level(
        _ path: KeyPath<PressureReport, PressureReport.Level?>, _ value: (PressureReport.Level) -> Int64
    ) -> [Double] {
        samples.map { $0.report[keyPath: path].map { Double(value($0)) / 1e6 } ?? 0 }
    }

    private func draw(_ unit: String, _ lines: [Line], top: Double) -> String {
        // A single spike does not flatten the rest.
        let sorted = lines.flatMap(\.values).sorted()
        let highest = max(sorted.isEmpty ? 1 : sorted[sorted.count * 98 / 100] * 1.1, 1)
        let seconds = max(samples.last?.seconds ?? 1, 1)
        func x(_ time: Double) -> Double { left + time / seconds * width }
        func y(_ value: Double) -> Double { top + height - min(value / highest, 1) * height }
        var text = """
            <text x="\(left)" y="\(top - 8)">\(unit)</text>
            <rect x="\(left)" y="\(top)" width="\(width)" height="\(height)" fill="none" stroke="#999"/>

            """
        for part in 0...4 {
            let value = highest * Double(part) / 4
            text += Self.label("\(Int(value.rounded()))", left - 8, y(value) + 4, anchor: "end")
            let time = seconds * Double(part) / 4
            text += Self.label("\(Int(time.rounded())) s", x(time), top + height + 15, anchor: "middle")
        }
        for (index, line) in lines.enumerated() {
            let points = zip(samples, line.values).map { "\(Self.short(x($0.seconds))),\(Self.short(y($1)))" }
            let dash = line.isDashed ? " stroke-dasharray=\"5 4\"" : ""
            text += "<polyline fill=\"none\" stroke=\"\(line.colour)\" stroke-width=\"1.6\"\(dash) points=\""
            text += points.joined(separator: " ") + "\"/>\n"
            text +=
                "<text x=\"\(left + width + 8)\" y=\"\(top + 14 + Double(index) * 16)\" fill=\"\(line.colour)\">"
            text += "\(line.name)</text>\n"
        }
        return text
    }

    private static func label(_ text: String, _ x: Double, _ y: Double, anchor: String) -> String {
        "<text x=\"\(short(x))\" y=\"\(short(y))\" text-anchor=\"\(anchor)\" fill=\"#555\">\(text)</text>\n"
    }

    private static func short(_ number: Double) -> Double { (number * 10).rounded() / 10 }
}
#endif
