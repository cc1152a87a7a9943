// The formats of `-f` and `-o`: fields and literal text, as rpk and kcat have them.
//
//   %t topic   %p partition   %o offset   %k key   %v value   %d ms since 1970   %h headers   %% a percent
//   \n line feed   \t tab   \0 the byte zero   \r carriage return   \\ a backslash
//
// (1) Anything else behind '%' or '\' is an error: a format that is misread would damage data in silence. (2)
// Every other character stands for its UTF-8.

#if Tool
/// What a place in a format stands for.
enum RecordField: UInt8, CaseIterable {
    case topic = 0x74
    case partition = 0x70
    case offset = 0x6F
    case key = 0x6B
    case value = 0x76
    case timestamp = 0x64
    case headers = 0x68

    /// As it is written in a format.
    var name: String { "%" + String(UnicodeScalar(rawValue)) }
}

/// A format that has been read.
struct RecordFormat: Hashable {
    /// A field, or bytes that stand for themselves.
    enum Piece: Hashable {
        case field(RecordField)
        case literal([UInt8])
    }

    /// Never two literals in a row, never an empty one.
    private(set) var pieces: [Piece] = []

    /// Reads a format. Throws `usage` with what is wrong and where.
    init(_ text: String) throws(ToolError) {
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"): try appendField(rest.popFirst(), text)
            case UInt8(ascii: "\\"): try appendEscape(rest.popFirst(), text)
            default: append(byte)
            }
        }
    }

    /// Whether the format has the field.
    func contains(_ field: RecordField) -> Bool { pieces.contains(.field(field)) }

    private mutating func append(_ byte: UInt8) {
        if case .literal(let bytes)? = pieces.last {
            pieces[pieces.count - 1] = .literal(bytes + [byte])
        } else {
            pieces.append(.literal([byte]))
        }
    }

    private mutating func appendField(_ letter: UInt8?, _ text: String) throws(ToolError) {
        if letter == UInt8(ascii: "%") { return append(UInt8(ascii: "%")) }
        guard let letter, let field = RecordField(rawValue: letter) else {
            throw .usage(
                """
                The format "\(text)" has \(Self.shown("%", letter)), which is no field. The fields are %t %p \
                %o %k %v %d %h; %% is a percent sign.
                """)
        }
        pieces.append(.field(field))
    }

    private mutating func appendEscape(_ letter: UInt8?, _ text: String) throws(ToolError) {
        switch letter {
        case UInt8(ascii: "n"): append(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): append(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): append(UInt8(ascii: "\r"))
        case UInt8(ascii: "0"): append(0)
        case UInt8(ascii: "\\"): append(UInt8(ascii: "\\"))
        default:
            throw .usage(
                """
                The format "\(text)" has \(Self.shown("\\", letter)), which is no escape. The escapes are \
                \\n \\t \\0 \\r, and \\\\ for a backslash.
                """)
        }
    }

    private static func shown(_ mark: String, _ letter: UInt8?) -> String {
        guard let letter else { return "a \(mark) at its end" }
        return letter > 0x20 && letter < 0x7F
            ? mark + String(UnicodeScalar(letter)) : "a \(mark) before a strange byte"
    }
}

extension RecordFormat {
    /// How literal bytes are shown in a message: as they are written in a format.
    static func shown(_ literal: some Sequence<UInt8>) -> String {
        literal.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "\n"): text += "\\n"
            case UInt8(ascii: "\t"): text += "\\t"
            case UInt8(ascii: "\r"): text += "\\r"
            case UInt8(ascii: "\\"): text += "\\\\"
            case UInt8(ascii: "%"): text += "%%"
            case 0: text += "\\0"
            case 0x20..<0x7F: text.unicodeScalars.append(UnicodeScalar(byte))
            default: text += "?"
            }
        }
    }
}
#endif
