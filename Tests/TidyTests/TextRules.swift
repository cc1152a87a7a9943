// What a reader sees first: the head of a file, its length, its width.

let textRules = [
    Rule(
        "a Swift file begins with a comment that says what it is",
        planted: [
            (["Sources/A/A.swift": "import B\n"], ["Sources/A/A.swift:1"]),
            (["Tests/A/A.swift": "/// A\n"], ["Tests/A/A.swift:1"]),
            (["Sources/A/A.swift": "//\n// A\n"], ["Sources/A/A.swift:1"]),
            (["Sources/A/A.swift": ""], ["Sources/A/A.swift:1"]),
        ],
        clean: [["Sources/A/A.swift": "// What A is.\n"]]
    ) { repository in
        repository.swiftFiles.filter { !($0.lines.first ?? "").hasPrefix("// ") }.map {
            Finding($0, 1, "the first line is not a comment, `// What it is.`")
        }
    },

    Rule(
        "a file is one idea long",
        planted: [
            (["Sources/A/A.swift": numbered(401)], ["Sources/A/A.swift:401"]),
            (["Sources/A/a.c": numbered(402)], ["Sources/A/a.c:402"]),
            (["Tests/A/A.swift": numbered(601)], ["Tests/A/A.swift:601"]),
        ],
        clean: [["Sources/A/A.swift": numbered(400), "Tests/A/A.swift": numbered(600)]]
    ) { repository in
        Allowed.maxLines.flatMap { folder, limit in
            repository.files(below: folder).compactMap { file in
                // The empty line behind the last line feed is none.
                let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
                return count > limit ? Finding(file, count, "\(count) lines are over \(limit)") : nil
            }
        }
    },

    Rule(
        "a line is no wider than a page",
        planted: [
            (["Sources/A/A.swift": "// A\n" + String(repeating: "x", count: 111)], ["Sources/A/A.swift:2"]),
            (["Sources/A/a.h": String(repeating: "x", count: 111)], ["Sources/A/a.h:1"]),
        ],
        clean: [["Sources/A/A.swift": String(repeating: "ü", count: 110) + "\n"]]
    ) { repository in
        repository.files.filter { !$0.path.hasSuffix(".md") }.flatMap { file in
            file.lines.indices.filter { file.lines[$0].utf8.count > Allowed.maxColumns }.compactMap { index in
                let columns = file.lines[index].count
                // A message is not cut in two for a few columns.
                let isMessage = file.lines[index].drop { " +".contains($0) }.hasPrefix("\"")
                let limit = isMessage ? Allowed.maxColumnsOfMessage : Allowed.maxColumns
                return columns > limit
                    ? Finding(file, index + 1, "\(columns) columns are over \(limit)") : nil
            }
        }
    },

    Rule(
        "no space ends a line",
        planted: [
            (["Sources/A/A.swift": "// A\u{20}\nlet a = 1\n"], ["Sources/A/A.swift:1"]),
            (["Tests/A/A.swift": "// A\n\t\n"], ["Tests/A/A.swift:2"]),
        ],
        clean: [["Sources/A/A.swift": "// A\n\nlet a = 1\n"]]
    ) { repository in
        repository.files.filter { !$0.path.hasSuffix(".md") }.flatMap { file in
            file.lines.indices.filter { file.lines[$0].last?.isWhitespace ?? false }.map {
                Finding(file, $0 + 1, "white space at the end of the line")
            }
        }
    },

    Rule(
        "nothing is left for later in a comment",
        planted: [
            (["Sources/A/A.swift": "// A\n// TO" + "DO: later\n"], ["Sources/A/A.swift:2"]),
            (["Tests/A/A.swift": "let a = 1  // FIX" + "ME\n"], ["Tests/A/A.swift:1"]),
            (["Sources/A/a.c": "/* TO" + "DO */\n"], ["Sources/A/a.c:1"]),
        ],
        clean: [["Sources/A/A.swift": "// What there is to do is an issue.\nlet todoList = 1\n"]]
    ) { repository in
        let marks = ["TO" + "DO", "FIX" + "ME"]
        return repository.files.flatMap { file in
            file.lines.indices.filter { index in marks.contains { file.lines[index].contains($0) } }.map {
                Finding(file, $0 + 1, "do it, or make it an issue")
            }
        }
    },
]

private func numbered(_ count: Int) -> String { (1...count).map { "// \($0)\n" }.joined() }
