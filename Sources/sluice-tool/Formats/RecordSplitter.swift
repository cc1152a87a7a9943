// Finds records in a stream of bytes by a format: `%v\n`, `%k\t%v\n`, `%v\0` …
//
// (1) A field ends where the literal behind it first occurs. A last field without one takes all the rest of
// the input, as one record. (2) No field but the last may contain what ends a record: a line without its tab
// is an error that names the line, rather than a key that runs over two lines. (3) At the end of the input
// the last separator may be missing. (4) Fields are ranges of the bytes given: nothing is copied.

#if Tool
/// Finds the fields of one record after another.
struct RecordSplitter {
    /// Where the fields of the last record are; nil for those that the format does not have.
    private(set) var key: Range<Int>?
    private(set) var value: Range<Int>?
    private(set) var headers: Range<Int>?
    private(set) var partition: Range<Int>?
    private(set) var timestamp: Range<Int>?
    /// Records found so far.
    private(set) var records = 0
    /// Whether the format has more than keys and values.
    let hasExtras: Bool

    /// A field and what ends it, as a range of `literals`; empty at the end of some formats.
    private struct Step {
        var field: RecordField
        var separator: Range<Int>
        var first: UInt8
        /// Whether the end of a record could occur in the field unnoticed.
        var mayHideEnd = false
    }

    private var steps: [Step] = []
    private var literals: [UInt8] = []
    /// What stands before the first field.
    private var prefix: Range<Int> = 0..<0
    /// Whether records are lines, so that their number is a line's.
    private var recordsAreLines = false

    /// Throws `usage` for a format that cannot be read back.
    init(_ format: RecordFormat) throws(ToolError) {
        hasExtras = [.partition, .timestamp, .headers].contains { format.contains($0) }
        var field: RecordField?
        for piece in format.pieces {
            switch piece {
            case .literal(let bytes):
                let range = literals.count..<(literals.count + bytes.count)
                literals += bytes
                if let field {
                    steps.append(Step(field: field, separator: range, first: bytes[0]))
                } else {
                    prefix = range
                }
                field = nil
            case .field(let next):
                if let field {
                    throw .usage(
                        "A format for reading needs text between \(field.name) and \(next.name)."
                    )
                }
                guard ![.topic, .offset].contains(next) else {
                    throw .usage(
                        "\(next.name) can only be printed: the topic is an argument, the offset is the log's."
                    )
                }
                guard !steps.contains(where: { $0.field == next }) else {
                    throw .usage("A format for reading has \(next.name) at most once.")
                }
                field = next
            }
        }
        if let field {
            steps.append(Step(field: field, separator: literals.count..<literals.count, first: 0))
        }
        guard steps.contains(where: { $0.field == .value || $0.field == .key }) else {
            throw .usage("A format for reading has %v, %k or both: what else is a record made of?")
        }
        for index in steps.indices.dropLast() {
            let end = literals[steps[steps.count - 1].separator]
            steps[index].mayHideEnd = !end.isEmpty && end != literals[steps[index].separator]
        }
        let newline = UInt8(ascii: "\n")
        recordsAreLines = literals.count { $0 == newline } == 1 && literals.last == newline
    }

    /// Finds the record that begins at `start`, and returns where the next one begins.
    ///
    /// nil: there is no whole record, and more of the input may complete it; or, when `isLast`, there is none
    /// left.
    /// - Parameter isLast: nothing follows `bytes`.
    mutating func next(in bytes: RawSpan, from start: Int, isLast: Bool) throws(ToolError) -> Int? {
        if start == bytes.byteCount { return nil }
        var place = start
        if !prefix.isEmpty {
            guard place + prefix.count <= bytes.byteCount || isLast else { return nil }
            guard matches(prefix, bytes, at: place) else {
                throw missing(prefix, before: true, steps[0].field)
            }
            place += prefix.count
        }
        for index in steps.indices {
            let step = steps[index]
            let isLastField = index == steps.count - 1
            let end = step.separator.isEmpty ? nil : find(step.separator, step.first, bytes, from: place)
            if step.mayHideEnd, hidesEnd(bytes, place..<(end ?? bytes.byteCount)) {
                throw missing(step.separator, before: false, step.field)
            }
            if let end {
                set(step.field, place..<end)
                place = end + step.separator.count
            } else {
                guard isLast else { return nil }
                guard isLastField else { throw missing(step.separator, before: false, step.field) }
                set(step.field, place..<bytes.byteCount)
                place = bytes.byteCount
            }
        }
        records += 1
        return place
    }

    @inline(__always)
    private mutating func set(_ field: RecordField, _ range: Range<Int>) {
        switch field {
        case .key: key = range
        case .value: value = range
        case .headers: headers = range
        case .partition: partition = range
        case .timestamp: timestamp = range
        case .topic, .offset: break
        }
    }

    /// Where the separator first occurs from `start` on.
    @inline(__always)
    private func find(_ separator: Range<Int>, _ first: UInt8, _ bytes: RawSpan, from start: Int) -> Int? {
        var place = start
        while let found = System.index(of: first, in: bytes, from: place, to: bytes.byteCount) {
            if separator.count == 1 || matches(separator, bytes, at: found) { return found }
            place = found + 1
        }
        return nil
    }

    private func matches(_ literal: Range<Int>, _ bytes: RawSpan, at place: Int) -> Bool {
        guard place + literal.count <= bytes.byteCount else { return false }
        for (index, byte) in zip(place..., literals[literal]) where bytes.byte(at: index) != byte {
            return false
        }
        return true
    }

    /// Whether what ends a record occurs in `range`, which is of a field that is not the last.
    private func hidesEnd(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
        guard let last = steps.last else { return false }
        return find(last.separator, last.first, bytes.extracting(range), from: 0) != nil
    }

    private func missing(_ literal: Range<Int>, before: Bool, _ field: RecordField) -> ToolError {
        let text = RecordFormat.shown(literals[literal])
        return .failed(
            """
            \(self.place(records + 1)) has no "\(text)" \(before ? "before" : "after") \(field.name). What \
            came before it has been appended. Put that right, or give a format (-f) that fits the input.
            """)
    }

    /// How the record, counted from 1, is called: `Line 17`.
    func place(_ number: Int) -> String { (recordsAreLines ? "Line " : "Record ") + String(number) }
}
#endif
