// What is allowed where: every list of the rules, in one place. A new exception is a line here, with its reason.

enum Allowed {
    /// What each target may import: arrows point down. The longest path that fits a file counts.
    static let imports: [(folder: String, modules: Set<String>)] = [
        ("Sources/SluiceLog", codecs),
        ("Sources/SluiceLog/Bytes", codecs),
        // The system itself; the table of open paths is the one state that several threads share in the engine.
        ("Sources/SluiceLog/Posix", ["CSluiceSystem", "Glibc", "Darwin", "Synchronization"]),
        ("Sources/SluiceCore", ["SluiceLog"]),
        (
            "Sources/Sluice",
            [
                "SluiceCore", "SluiceLog", "CSluiceSystem", "Glibc", "Darwin", "Synchronization", "Logging",
                "Metrics", "ServiceLifecycle",
            ]
        ),
        ("Sources/SluiceFoundation", ["Sluice", "Foundation"]),
        ("Sources/SluiceTesting", ["SluiceLog", "SluiceCore", "Synchronization"]),
        (
            "Sources/sluice-tool",
            [
                "Sluice", "SluiceFoundation", "SluiceLog", "SluiceCore", "ArgumentParser", "Foundation", "Logging",
                "Glibc", "Darwin",
            ]
        ),
    ]
    private static let codecs: Set = ["CLZ4", "CISAL", "CZstd", "CSnappy", "CSluiceSystem"]

    /// Where raw pointers may be named.
    static let pointers = ["Sources/SluiceLog/Bytes", "Sources/SluiceLog/Batch", "Sources/SluiceLog/Posix"]

    /// The targets without threads, locks, tasks, clocks and randomness of their own.
    static let deterministic = ["Sources/SluiceLog", "Sources/SluiceCore"]

    /// Words of threads that are allowed in a deterministic target.
    static let concurrency: [(folder: String, word: String)] = [
        // Writers and readers of several threads look up paths of open files.
        ("Sources/SluiceLog/Posix", "Mutex")
    ]

    /// What prints for a living.
    static let printing = ["Sources/sluice-tool"]

    static let maxColumns = 110
    static let maxLines = [("Sources", 400), ("Tests", 600)]
}
