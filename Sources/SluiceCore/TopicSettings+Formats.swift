// How the values of topic settings are written as text, and which texts are values.
//
// (1) `parse` of what `print` gives is the value. (2) Pure functions.

/// How a type of value is written as text, and which texts are values.
struct SettingFormat<Value: Sendable>: Sendable {
    let accepted: String
    /// Texts that someone has reason to expect to work, and why they do not.
    var refused: [String: String] = [:]
    let parse: @Sendable (String) -> Value?
    let print: @Sendable (Value) -> String
}

extension SettingFormat where Value == Int64 {
    static func integer(_ range: ClosedRange<Int64>) -> Self {
        Self(
            accepted: describe(range),
            parse: { text in Int64(text).flatMap { range.contains($0) ? $0 : nil } },
            print: { String($0) })
    }
}

extension SettingFormat where Value == Int64? {
    /// An integer, or -1 for none.
    static func integerOrNone(_ range: ClosedRange<Int64>) -> Self {
        Self(
            accepted: "-1 (no limit), " + describe(range),
            parse: { text in
                switch Int64(text) {
                case -1: .some(nil)
                case let number? where range.contains(number): number
                default: nil
                }
            },
            print: { $0.map { String($0) } ?? "-1" })
    }
}

extension SettingFormat where Value: Hashable {
    /// One of some words. Each value has one.
    static func words(_ words: [(word: String, value: Value)], refused: [String: String] = [:]) -> Self {
        Self(
            accepted: words.map(\.word).joined(separator: ", "), refused: refused,
            parse: { text in words.first { $0.word == text }?.value },
            print: { value in words.first { $0.value == value }?.word ?? "" })
    }

    /// Some of some words, with commas between them, at least one. Written in the order of `words`.
    static func wordSet(_ words: [(word: String, value: Value)]) -> Self where Value: OptionSet {
        let names = words.map(\.word)
        return Self(
            accepted: names.joined(separator: ", ") + " or several with commas",
            parse: { text in
                var value: Value = []
                for part in split(text) {
                    guard let word = words.first(where: { $0.word == part }) else { return nil }
                    value.formUnion(word.value)
                }
                return value.isEmpty ? nil : value
            },
            print: { value in
                words.filter { value.isSuperset(of: $0.value) }.map(\.word).joined(separator: ",")
            })
    }

    /// One of the words of an enumeration.
    static func words(_ cases: [Value], refused: [String: String] = [:]) -> Self
    where Value: RawRepresentable<String> {
        words(cases.map { ($0.rawValue, $0) }, refused: refused)
    }
}

extension SettingFormat where Value == Double {
    /// From 0 to 1.
    static var fraction: Self {
        Self(
            accepted: "0 to 1", parse: { text in Double(text).flatMap { (0...1).contains($0) ? $0 : nil } },
            print: { "\($0)" })
    }
}

extension SettingFormat where Value == [String] {
    /// Names with commas between them, each once.
    static var names: Self {
        Self(
            accepted: "names with commas between them",
            parse: { text in
                let names = text.isEmpty ? [] : split(text)
                return names.contains("") || Set(names).count < names.count ? nil : names
            },
            print: { $0.joined(separator: ",") })
    }
}

/// The parts between commas, without the spaces around them.
private func split(_ text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

private func describe(_ range: ClosedRange<Int64>) -> String {
    range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
}
