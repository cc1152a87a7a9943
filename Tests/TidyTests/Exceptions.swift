// What is allowed where: every list of the rules, in one place. A new exception is a line here, with its
// reason.

enum Allowed {
    /// What each target may import: arrows point down. The longest path that fits a file counts.
    static let imports: [(folder: String, modules: Set<String>)] = [
        ("Sources/SluiceLog", ["CLZ4", "CISAL", "CZstd", "CSnappy", "CSluiceSystem"]),
        ("Sources/SluiceLog/Posix", system.union(["CSluiceSystem"])),
        ("Sources/SluiceCore", ["SluiceLog"]),
        ("Sources/KafkaWire", []),
        (
            "Sources/Sluice",
            system.union([
                "SluiceCore", "SluiceLog", "CSluiceSystem", "Synchronization", "Logging", "Metrics",
                "CoreMetrics",
                "ServiceLifecycle",
            ])
        ),
        // Foundation for JSON: payloads and results are the users' types.
        (
            "Sources/SluiceTasks",
            [
                "Sluice", "SluiceCore", "SluiceLog", "Logging", "ServiceLifecycle", "Synchronization",
                "Foundation", "FoundationEssentials",
            ]
        ),
        ("Sources/SluiceFoundation", ["Sluice", "Foundation"]),
        // NIO is in here and nowhere else.
        (
            "Sources/SluiceServer",
            [
                "KafkaWire", "Sluice", "SluiceCore", "SluiceLog", "Logging", "Metrics", "CoreMetrics",
                "ServiceLifecycle", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOTLS", "NIOSSL", "CLibcrypto",
            ]
        ),
        // Of the system, the numbers of its errors: a simulated disk fails as a real one does.
        ("Sources/SluiceTesting", system.union(["SluiceLog", "SluiceCore", "Synchronization"])),
        ("Sources/SluiceMicro", ["SluiceLog", "SluiceTesting"]),
        (
            "Sources/sluice-tool",
            system.union([
                "Sluice", "SluiceFoundation", "SluiceLog", "SluiceCore", "ArgumentParser", "Foundation",
                "Logging", "Metrics", "SluiceServer", "SluiceTasks",
            ])
        ),
        (
            "Sources/sluice-tool/Bench",
            system.union([
                "Sluice", "SluiceLog", "SluiceCore", "SluiceTasks", "ArgumentParser", "Foundation", "Logging",
                "CSluiceBench", "Histogram", "Synchronization",
            ])
        ),
    ]
    private static let system: Set = ["Glibc", "Musl", "Darwin"]

    /// Where raw pointers may be named.
    static let pointers = [
        "Sources/SluiceLog/Bytes", "Sources/SluiceLog/Batch", "Sources/SluiceLog/Posix",
        // The system's mutexes, conditions and threads are handed around by address.
        "Sources/Sluice/Engine/Lock.swift", "Sources/Sluice/Engine/Thread.swift",
        // Where a record's parts are, in a batch that has been checked.
        "Sources/Sluice/Consuming/RecordFields.swift",
        // Bytes of a frame go from the socket's memory to the log's.
        "Sources/SluiceServer/Connection/FrameAssembler.swift",
        // What C and Swift append in turns lies in memory for both.
        "Sources/sluice-tool/Bench/BenchWorkload.swift", "Sources/sluice-tool/Bench/BenchTail.swift",
        "Sources/sluice-tool/Bench/BenchAppend.swift",
    ]

    /// The targets without threads, locks, tasks, clocks and randomness of their own.
    static let deterministic = ["Sources/SluiceLog", "Sources/SluiceCore", "Sources/KafkaWire"]

    /// Words of threads that are allowed in a deterministic target.
    static let concurrency: [(folder: String, word: String)] = [
        // The table of open files, which every thread of a store uses.
        ("Sources/SluiceLog/Posix/OpenPaths.swift", "pthread_mutex_t"),
        ("Sources/SluiceLog/Posix/OpenPaths.swift", "pthread_mutex_init"),
        ("Sources/SluiceLog/Posix/OpenPaths.swift", "pthread_mutex_destroy"),
        ("Sources/SluiceLog/Posix/OpenPaths.swift", "pthread_mutex_lock"),
        ("Sources/SluiceLog/Posix/OpenPaths.swift", "pthread_mutex_unlock"),
    ]

    /// What prints for a living.
    static let printing = ["Sources/sluice-tool"]

    static let maxColumns = 110
    static let maxColumnsOfMessage = 130
    static let maxLines = [("Sources", 400), ("Tests", 600)]
}
