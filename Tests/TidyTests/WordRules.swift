// Words that do not belong: threads in the engine, traps and printing in a library, sleeping in a test.

let wordRules = [
    Rule(
        "the engine and its state machines know no threads, locks, tasks, clocks and randomness",
        planted: [
            (
                ["Sources/SluiceLog/A.swift": "// A\nfunc f() async {\n await g() }\n"],
                places("SluiceLog", 2, 3)
            ),
            (
                ["Sources/SluiceCore/A.swift": "let m = Mutex(0)\nlet a: Atomic<Int>\n"],
                places("SluiceCore", 1, 2)
            ),
            (
                ["Sources/SluiceCore/A.swift": "pthread_mutex_lock(&m)\nTask { }\n"],
                places("SluiceCore", 1, 2)
            ),
            (
                ["Sources/SluiceLog/A.swift": "Thread.sleep(1)\n\nlet c = ContinuousClock()"],
                places("SluiceLog", 1, 3)
            ),
            (["Sources/SluiceLog/A.swift": "let x = \"\\(await f())\""], places("SluiceLog", 1)),
            (["Sources/SluiceLog/A.swift": "var g = SystemRandomNumberGenerator()"], places("SluiceLog", 1)),
        ],
        clean: [
            ["Sources/SluiceLog/Posix/OpenPaths.swift": "pthread_mutex_lock(mutex)\n"],
            [
                "Sources/SluiceLog/A.swift":
                    "// No async, no Task.\n/* await */ let a = \"\"\"\n await\n \"\"\"\n"
            ],
            ["Sources/SluiceLog/A.swift": "let asynchronous = TaskName, b = #\"Task \\(await)\"#\n"],
            ["Sources/Sluice/A.swift": "func f() async { await g() }\n"],
        ]
    ) { repository in
        let banned: Set<Substring> = [
            "async", "await", "Mutex", "Atomic", "Thread", "Task", "ContinuousClock", "SuspendingClock",
            "SystemRandomNumberGenerator",
        ]
        return Allowed.deterministic.flatMap(repository.files(below:)).flatMap { file in
            file.words.filter { word in
                (banned.contains(word.text) || word.text.hasPrefix("pthread"))
                    && !Allowed.concurrency.contains { file.path.isBelow($0.folder) && $0.word == word.text }
            }.map { Finding(file, $0.line, "\($0.text) in a target that is to be deterministic") }
        }
    },

    Rule(
        "a library neither traps on purpose nor prints, and takes the time from its caller",
        planted: [
            (
                ["Sources/Sluice/A.swift": "fatalError(\"no\")\ntry! f()\nx as! Int\n"],
                places("Sluice", 1, 2, 3)
            ),
            (
                ["Sources/Sluice/A.swift": "print(1)\nSwift.print (2)\nprint(\"a\")"],
                places("Sluice", 1, 2, 3)
            ),
            (["Sources/sluice-tool/A.swift": "usleep(5)\nlet d = Date()\n"], places("sluice-tool", 1, 2)),
        ],
        clean: [
            ["Sources/sluice-tool/A.swift": "print(1)\n"],
            [
                "Sources/Sluice/A.swift":
                    "format.print(1)\nlet print = 1\ntry? f()\nx as? Int\nDate(timestamp)\n"
            ],
            ["Sources/Sluice/A.swift": "// try! as! fatalError( print(\nlet a = \"print(1) try!\"\n"],
            ["Tests/A/A.swift": "try! f()\n"],
        ]
    ) { repository in
        repository.files(below: "Sources").flatMap { file in
            file.words.indices.filter { isBanned(file.words[$0], after: file.words[..<$0].last, in: file) }
                .map {
                    Finding(file, file.words[$0].line, "\(file.words[$0].text) does not belong into Sources")
                }
        }
    },

    Rule(
        "a test does not sleep",
        planted: [
            (
                ["Tests/A/A.swift": "try await Task.sleep(for: .seconds(1))\nusleep(3)\n"],
                ["Tests/A/A.swift:1", "Tests/A/A.swift:2"]
            )
        ],
        clean: [["Tests/A/A.swift": "clock.sleepers\nlet sleep = 3\n// Task.sleep(1)\n"]]
    ) { repository in
        repository.files(below: "Tests").flatMap { file in
            file.words.filter {
                ["sleep", "usleep", "nanosleep"].contains($0.text) && $0.next == UInt8(ascii: "(")
            }
            .map { Finding(file, $0.line, "\($0.text): wait for what is to happen instead") }
        }
    },
]

private func isBanned(_ word: SourceFile.Word, after previous: SourceFile.Word?, in file: SourceFile) -> Bool
{
    let isCall = word.next == UInt8(ascii: "(")
    let isMember = word.before == UInt8(ascii: ".") && previous?.text != "Swift"
    switch word.text {
    case "try", "as": return word.after == UInt8(ascii: "!")
    case "fatalError", "usleep": return isCall
    case "print": return isCall && !isMember && !Allowed.printing.contains { file.path.isBelow($0) }
    case "Date": return isCall && file.lines[word.line - 1].contains("Date()")
    default: return false
    }
}

private func places(_ target: String, _ lines: Int...) -> [String] {
    lines.map { "Sources/\(target)/A.swift:\($0)" }
}
