// Headers as text, for `%h`: one line that reads back to the same headers.
//
//   name=value,name=value         in the order of the record; a name without '=' has a null value
//
// (1) `\` before '=', ',' and `\` takes their meaning away; line feed, tab, carriage return and zero are `\n
// \t \r \0`, so that the text has none of the usual separators in it. (2) Other bytes are as they are. (3)
// Nothing at all is no headers; a lone header with an empty name and a null value is the one thing that does
// not read back.

#if Tool
import SluiceLog

enum HeaderText {
    /// Adds the headers in one line.
    static func print(_ headers: [RecordHeader], into text: inout TextBuffer) {
        for (index, header) in headers.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            print(header.key.utf8, into: &text)
            if let value = header.value {
                text.append(UInt8(ascii: "="))
                print(value, into: &text)
            }
        }
    }

    private static func print(_ bytes: some Collection<UInt8>, into text: inout TextBuffer) {
        text.reserve(2 * bytes.count)
        for byte in bytes {
            guard let letter = letter(for: byte) else {
                text.put(byte)
                continue
            }
            text.put(UInt8(ascii: "\\"))
            text.put(letter)
        }
    }

    /// What stands behind the backslash for a byte that cannot stand for itself.
    private static func letter(for byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "\\"): byte
        case UInt8(ascii: "\n"): UInt8(ascii: "n")
        case UInt8(ascii: "\t"): UInt8(ascii: "t")
        case UInt8(ascii: "\r"): UInt8(ascii: "r")
        case 0: UInt8(ascii: "0")
        default: nil
        }
    }

    /// Reads headers. nil when a name is not UTF-8, or the text ends behind a backslash.
    static func parse(_ bytes: [UInt8]) -> [RecordHeader]? {
        if bytes.isEmpty { return [] }
        var headers: [RecordHeader] = []
        var name: [UInt8]?
        var current: [UInt8] = []
        var rest = bytes[...]
        func end() -> Bool {
            guard let key = String(validating: name ?? current, as: UTF8.self) else { return false }
            headers.append(RecordHeader(key: key, value: name == nil ? nil : current))
            name = nil
            current = []
            return true
        }
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"):
                guard let letter = rest.popFirst() else { return nil }
                current.append(self.byte(for: letter))
            case UInt8(ascii: "=") where name == nil:
                name = current
                current = []
            case UInt8(ascii: ","): guard end() else { return nil }
            default: current.append(byte)
            }
        }
        return end() ? headers : nil
    }

    private static func byte(for letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "n"): UInt8(ascii: "\n")
        case UInt8(ascii: "t"): UInt8(ascii: "\t")
        case UInt8(ascii: "r"): UInt8(ascii: "\r")
        case UInt8(ascii: "0"): 0
        default: letter
        }
    }
}
#endif
