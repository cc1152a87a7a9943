// Prints records, as JSON or by a format.

#if Tool
import SluiceLog

/// Prints records in one of two ways.
struct RecordPrinter {
    /// nil: JSON.
    private let format: RecordFormat?
    /// Whether headers are printed at all: they are copied for it.
    let usesHeaders: Bool

    /// Throws `usage` for a format that makes no sense.
    init(format text: String?) throws(ToolError) {
        if let text {
            let format = try RecordFormat(text)
            self.format = format
            usesHeaders = format.contains(.headers)
        } else {
            format = nil
            usesHeaders = true
        }
    }

    /// Adds the record to `text`.
    @inline(__always)
    func print(
        _ place: RecordPlace, key: RawSpan?, value: RawSpan?, headers: [RecordHeader],
        into text: inout TextBuffer
    ) {
        if let format {
            format.print(place, key: key, value: value, headers: headers, into: &text)
        } else {
            JSONPrinter.print(place, key: key, value: value, headers: headers, into: &text)
        }
    }
}

extension RecordFormat {
    /// Adds the record as the format says. Null prints as nothing, as in rpk; nothing ends a record but what
    /// the format has at its end.
    func print(
        _ place: RecordPlace, key: RawSpan?, value: RawSpan?, headers: [RecordHeader],
        into text: inout TextBuffer
    ) {
        for piece in pieces {
            switch piece {
            case .literal(let bytes): bytes.withUnsafeBufferPointer { text.append($0.span.bytes) }
            case .field(.topic): text.append(place.topic)
            case .field(.partition): text.append(decimal: Int64(place.partition))
            case .field(.offset): text.append(decimal: place.offset)
            case .field(.timestamp): text.append(decimal: place.timestamp)
            case .field(.key): if let key { text.append(key) }
            case .field(.value): if let value { text.append(value) }
            case .field(.headers): HeaderText.print(headers, into: &text)
            }
        }
    }
}
#endif
