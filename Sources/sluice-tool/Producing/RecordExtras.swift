// The parts of an input record that are rarely there: partition, timestamp, headers.

#if Tool
import Sluice
import SluiceLog

/// What a record has beside key and value, when its format has it.
struct RecordExtras {
    var partition: Int?
    var timestamp: Timestamp?
    var headers: [RecordHeader] = []
}

extension RecordSplitter {
    /// Reads the parts of the record that was found last. Throws `failed` with its line.
    func extras(in bytes: RawSpan) throws(ToolError) -> RecordExtras {
        var extras = RecordExtras()
        if let partition {
            guard let number = Int(text(bytes, partition)) else {
                throw bad(.partition, bytes, partition, "a number from 0 on")
            }
            extras.partition = number
        }
        if let timestamp {
            guard let number = Int64(text(bytes, timestamp)) else {
                throw bad(.timestamp, bytes, timestamp, "milliseconds since 1970")
            }
            extras.timestamp = Timestamp(millisecondsSince1970: number)
        }
        if let headers {
            guard let parsed = HeaderText.parse([UInt8](copying: bytes.extracting(headers))) else {
                throw bad(.headers, bytes, headers, "name=value,name=value, with names in UTF-8")
            }
            extras.headers = parsed
        }
        return extras
    }

    private func text(_ bytes: RawSpan, _ range: Range<Int>) -> String {
        String(decoding: bytes.extracting(range))
    }

    private func bad(_ field: RecordField, _ bytes: RawSpan, _ range: Range<Int>, _ wanted: String)
        -> ToolError
    {
        let shown = RecordFormat.shown([UInt8](copying: bytes.extracting(range)).prefix(40))
        return .failed(
            """
            \(place(records)) has "\(shown)" for \(field.name), which takes \(wanted). What came before it \
            has been appended. Put that right, or give a format (-f) that fits the input.
            """)
    }
}
#endif
