// 128 random bits that name a store or a topic, written as Kafka writes them.

/// The identity of a store or a topic: a topic that is deleted and made again has another one.
public struct UniqueID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new one. Never all zero, nor 0…01, which mean something else to Kafka's clients; never with a
    /// leading '-'.
    package init(using random: inout some RandomNumberGenerator) {
        // The top two bits are cleared: the text then never begins with '-', which command lines take for an
        // option.
        high = random.next() >> 2 | 1
        low = random.next()
    }

    /// 22 characters of base64url, as in Kafka's `meta.properties` and `partition.metadata`.
    public var description: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        // 128 bits and 4 zero bits, six at a time from the top.
        for digit in 0..<22 {
            var value: UInt64 = 0
            for bit in (digit * 6)..<(digit * 6 + 6) {
                let one =
                    bit < 64 ? high >> (63 - UInt64(bit)) & 1 : bit < 128 ? low >> (127 - UInt64(bit)) & 1 : 0
                value = value << 1 | one
            }
            text.append(alphabet[Int(value)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads what `description` wrote; nil when it is not that.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 22 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (digit, character) in text.utf8.enumerated() {
            let value: UInt64
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt64(character - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt64(character - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt64(character - UInt8(ascii: "0")) + 52
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            for place in 0..<6 {
                let bit = digit * 6 + place
                guard bit < 128 else { break }
                let one = value >> (5 - UInt64(place)) & 1
                if bit < 64 { high |= one << (63 - UInt64(bit)) } else { low |= one << (127 - UInt64(bit)) }
            }
        }
        self.init(high: high, low: low)
    }
}
