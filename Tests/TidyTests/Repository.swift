// The project's own text, read once, or made up for a sample.

import Foundation

/// The files that rules look at.
struct Repository {
    let files: [SourceFile]

    init(_ texts: [String: String]) {
        files = texts.sorted { $0.key < $1.key }.map { SourceFile(path: $0.key, text: $0.value) }
    }

    /// The files at or below `folder`.
    func files(below folder: String) -> [SourceFile] { files.filter { $0.path.isBelow(folder) } }

    /// The Swift files of the products and of the tests.
    var swiftFiles: [SourceFile] {
        (files(below: "Sources") + files(below: "Tests")).filter { $0.path.hasSuffix(".swift") }
    }

    /// This package.
    static let here = Repository(readAll())

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func readAll() -> [String: String] {
        var texts: [String: String] = [:]
        for name in ["Package.swift", "Docs/Architecture.md"] {
            texts[name] = read(root.appending(path: name))
        }
        for folder in ["Sources", "Tests"] {
            let base = root.appending(path: folder)
            for case let name as String in FileManager.default.enumerator(atPath: base.path) ?? .init()
            where [".swift", ".c", ".h"].contains(where: name.hasSuffix) {
                texts[folder + "/" + name] = read(base.appending(path: name))
            }
        }
        return texts
    }

    private static func read(_ url: URL) -> String? { try? String(contentsOf: url, encoding: .utf8) }
}

extension String {
    /// Whether a path is `folder`, or below it.
    func isBelow(_ folder: String) -> Bool { self == folder || hasPrefix(folder + "/") }
}
