// Who may import whom, and where raw memory is.

let layeringRules = [
    Rule(
        "a target imports only what lies below it",
        planted: [
            (
                ["Sources/SluiceLog/Batch/A.swift": "// A\nimport Foundation\n"],
                ["Sources/SluiceLog/Batch/A.swift:2"]
            ),
            (["Sources/SluiceLog/A.swift": "// A\nimport Glibc\n"], ["Sources/SluiceLog/A.swift:2"]),
            (
                ["Sources/SluiceCore/A.swift": "// A\npackage import Sluice\n"],
                ["Sources/SluiceCore/A.swift:2"]
            ),
            (
                [
                    "Sources/Sluice/A.swift":
                        "// A\nimport SluiceLog\n@preconcurrency public import struct NIOCore.A\n"
                ],
                ["Sources/Sluice/A.swift:3"]
            ),
            (["Sources/Sluice/A.swift": "// A\nimport Foundation\n"], ["Sources/Sluice/A.swift:2"]),
            (["Sources/SluiceTesting/A.swift": "// A\nimport Sluice\n"], ["Sources/SluiceTesting/A.swift:2"]),
            (["Sources/New/A.swift": "// A\nimport Sluice\n"], ["Sources/New/A.swift:1"]),
        ],
        clean: [
            ["Sources/SluiceLog/Posix/A.swift": "// A\n#if canImport(Glibc)\nimport Glibc\n#endif\n"],
            [
                "Sources/SluiceCore/A.swift":
                    "// import Foundation\nlet a = \"import Foundation\"\nimport SluiceLog\n"
            ],
            ["Sources/Sluice/A.swift": "// A\n@_exported public import struct SluiceLog.RecordHeader\n"],
        ]
    ) { repository in
        repository.swiftFiles.filter { $0.path.isBelow("Sources") }.flatMap { file -> [Finding] in
            let rows = Allowed.imports.filter { file.path.isBelow($0.folder) }
            guard let row = rows.max(by: { $0.folder.utf8.count < $1.folder.utf8.count }) else {
                return [Finding(file, 1, "this target has no line in Exceptions.swift: what may it import?")]
            }
            return file.imports.filter { !row.modules.contains($0.module) }.map {
                Finding(file, $0.line, "\(row.folder) may not import \($0.module)")
            }
        }
    },

    Rule(
        "raw pointers are named only in their folders",
        planted: [
            (
                [
                    "Sources/SluiceLog/Volume/A.swift":
                        "// A\nlet a: UnsafeRawPointer\nlet b: UnsafeMutablePointer<Int>\n"
                ],
                ["Sources/SluiceLog/Volume/A.swift:2", "Sources/SluiceLog/Volume/A.swift:3"]
            ),
            (["Sources/Sluice/A.swift": "let a: UnsafeRawBufferPointer"], ["Sources/Sluice/A.swift:1"]),
            (["Sources/SluiceTesting/A.swift": "let a: OpaquePointer"], ["Sources/SluiceTesting/A.swift:1"]),
        ],
        clean: [
            ["Sources/SluiceLog/Bytes/A.swift": "let a: UnsafeRawPointer"],
            ["Sources/SluiceLog/Volume/A.swift": "// UnsafeRawPointer is for the folder of bytes.\n"],
            ["Sources/SluiceCore/A.swift": "let a = span.unsafeLoad(as: UInt8.self)\n"],
        ]
    ) { repository in
        repository.files(below: "Sources").filter { file in
            !Allowed.pointers.contains { file.path.isBelow($0) }
        }
        .flatMap { file in
            file.words.filter { $0.text.isPointer }.map {
                Finding(file, $0.line, "\($0.text) outside the folders of raw memory (Exceptions.swift)")
            }
        }
    },

    Rule(
        "the manifest has no unsafe flags: nobody could depend on the package",
        planted: [
            (["Package.swift": "// p\nlet s = [.unsafeFlags([\"-Ounchecked\"])]\n"], ["Package.swift:2"])
        ],
        clean: [["Package.swift": "// No unsafeFlags here.\n"]]
    ) { repository in
        repository.files(below: "Package.swift").flatMap { file in
            file.words.filter { $0.text == "unsafeFlags" }.map { Finding(file, $0.line, "unsafeFlags") }
        }
    },

    Rule(
        "every folder of Sources is named in Docs/Architecture.md",
        planted: [
            (
                [
                    "Docs/Architecture.md": "`SluiceLog`, SluiceLog/Batches, SluiceCore/Name\n",
                    "Sources/SluiceLog/Batch/A.swift": "", "Sources/SluiceCore/Name/A.swift": "",
                ],
                ["Docs/Architecture.md:1 SluiceCore", "Docs/Architecture.md:1 SluiceLog/Batch"]
            ),
            (["Sources/Sluice/A.swift": ""], ["Docs/Architecture.md:1 Sluice"]),
        ],
        clean: [
            [
                "Docs/Architecture.md": "| Sources/SluiceLog | engine |\n| `SluiceLog/Batch/` | bytes |\n",
                "Sources/SluiceLog/Batch/A.swift": "", "Sources/SluiceLog/B.swift": "",
            ]
        ]
    ) { repository in
        let page = repository.files(below: "Docs/Architecture.md").first?.lines.joined(separator: "\n") ?? ""
        return repository.sourceFolders.filter { !page.names(folder: $0) }.map {
            Finding(
                path: "Docs/Architecture.md", line: 1, "\($0) is a folder of Sources and is not named here")
        }
    },
]

extension SourceFile {
    /// The modules that the file imports.
    fileprivate var imports: [(module: String, line: Int)] {
        words.indices.filter { words[$0].text == "import" }.compactMap { index in
            // `import struct Module.Name`: the module is the word behind the kind.
            let kinds: Set<Substring> = [
                "struct", "class", "enum", "protocol", "typealias", "func", "let", "var",
            ]
            let rest = words[(index + 1)...].prefix(2).filter { $0.line == words[index].line }
            guard let word = rest.first(where: { !kinds.contains($0.text) }) else { return nil }
            return (String(word.text), word.line)
        }
    }
}

extension Substring {
    fileprivate var isPointer: Bool {
        (hasPrefix("Unsafe") && hasSuffix("Pointer")) || self == "OpaquePointer"
    }
}

extension Repository {
    /// Every folder below Sources that holds, at any depth, a file; without the C targets' `include`.
    fileprivate var sourceFolders: [String] {
        var folders: Set<String> = []
        for file in files(below: "Sources") {
            let parts = file.path.split(separator: "/").dropFirst().dropLast().filter { $0 != "include" }
            for count in parts.indices { folders.insert(parts[...count].joined(separator: "/")) }
        }
        return folders.sorted()
    }
}

extension String {
    /// Whether the folder itself is named, not only one whose name begins alike, or one within it.
    fileprivate func names(folder: String) -> Bool {
        ranges(of: folder).contains { range in
            let before = self[..<range.lowerBound].last
            var rest = self[range.upperBound...]
            if rest.first == "/" { rest = rest.dropFirst() }
            let isWord = { (character: Character) in
                character.isLetter || character.isNumber || "_-".contains(character)
            }
            return !(before.map(isWord) ?? false) && !(rest.first.map(isWord) ?? false)
        }
    }
}
