// The style that a formatter cannot see is a test: the rules over the whole project, and the rules over
// samples.
//
// (1) A rule is checked over every file and reports path and line. (2) Every rule has samples that it must
// find: a rule that cannot fail is a defect. (3) Exceptions are lines in Exceptions.swift, with their
// reasons.

import Testing

@Suite struct TidyTests {
    @Test(arguments: Rule.all)
    func `the project keeps the rule`(rule: Rule) {
        let findings = rule.check(.here).map(\.description)
        if findings.isEmpty { return }
        Issue.record("\(findings.count) findings:\n\(findings.joined(separator: "\n"))")
    }

    @Test(arguments: Rule.all)
    func `the rule finds what is planted, and where`(rule: Rule) {
        #expect(!rule.planted.isEmpty)
        for sample in rule.planted {
            // A place may go on with a word of the message, where several findings share the line.
            let findings = rule.check(Repository(sample.files))
            #expect(findings.count == sample.places.count, "\(sample.files) gave \(findings)")
            for place in sample.places {
                let parts = place.split(separator: " ", maxSplits: 1)
                let isFound = findings.contains {
                    $0.place == parts[0] && (parts.count == 1 || $0.message.hasPrefix(parts[1] + " "))
                }
                #expect(isFound, "\(place) is not among \(findings)")
            }
        }
    }

    @Test(arguments: Rule.all)
    func `the rule leaves alone what only looks alike`(rule: Rule) {
        for files in rule.clean { #expect(rule.check(Repository(files)).map(\.description) == []) }
    }

    @Test func `the project is what is read`() {
        let paths = Set(Repository.here.files.map(\.path))
        for path in [
            "Package.swift", "Sources/SluiceLog/Bytes/ByteBuffer.swift", "Sources/CSluiceSystem/system.c",
            "Sources/CSluiceSystem/include/CSluiceSystem.h", "Tests/TidyTests/TidyTests.swift",
        ] {
            #expect(paths.contains(path))
        }
    }

    @Test(arguments: [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d\n */ e", "a               \n    e"),
        (#"a("b // c") d"#, #"a(        ) d"#),
        (#"a("b\"c\\") d"#, #"a(        ) d"#),
        (#"a("b \(c("d")) e") f"#, #"a(     c(   )    ) f"#),
        ("a(#\"b\"c\\(d)\"#) e", "a(           ) e"),
        ("\"\"\"\n a \"b\" \\(c) \\\n d\n\"\"\" e", "   \n         c   \n  \n    e"),
        ("`a b` c", "      c"),
        ("a / b", "a / b"),
    ])
    func `only code is code`(source: String, code: String) {
        #expect(codeOnly(source) == code)
    }
}
