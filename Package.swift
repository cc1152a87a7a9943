// swift-tools-version: 6.2
import PackageDescription

// Traits keep a user of the library from resolving and building what only the tools need.
// `swift build` builds the library; `swift build --traits Tool` adds the command line, `sluice`.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
    .define("SLUICE_PLANTED", .when(traits: ["PlantedBugs"])),
]

let package = Package(
    name: "sluice",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Sluice", targets: ["Sluice"]),
        .library(name: "SluiceFoundation", targets: ["SluiceFoundation"]),
        .library(name: "SluiceTasks", targets: ["SluiceTasks"]),
        .library(name: "SluiceTesting", targets: ["SluiceTesting"]),
        .library(name: "KafkaWire", targets: ["KafkaWire"]),
        .library(name: "SluiceServer", targets: ["SluiceServer"]),
        .library(name: "CSluiceBench", targets: ["CSluiceBench"]),
        .library(name: "SluiceMicro", targets: ["SluiceMicro"]),
        .executable(name: "sluice", targets: ["sluice-tool"]),
    ],
    traits: [
        .trait(name: "Server", description: "The server that Kafka's clients talk to, SluiceServer."),
        .trait(name: "Tool", description: "The command line, sluice.", enabledTraits: ["Server"]),
        .trait(name: "PlantedBugs", description: "Bugs that the tests must find; never for use."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
        .systemLibrary(
            name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"]), .brew(["isa-l"])]),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        .systemLibrary(
            name: "CSnappy", pkgConfig: "snappy", providers: [.apt(["libsnappy-dev"]), .brew(["snappy"])]),
        // SHA-2, HMAC and PBKDF2 of the server; see Docs/Architecture.md for why not swift-crypto.
        .systemLibrary(
            name: "CLibcrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(name: "CSluiceSystem"),
        // The loops that benchmarks compare with. Part of the tool and of Benchmarks, not of the library.
        .target(name: "CSluiceBench", dependencies: ["CLZ4", "CISAL"]),

        .target(
            name: "SluiceLog",
            dependencies: ["CLZ4", "CISAL", "CZstd", "CSnappy", "CSluiceSystem"],
            swiftSettings: settings),
        .target(name: "SluiceCore", dependencies: ["SluiceLog"], swiftSettings: settings),
        .target(
            name: "Sluice",
            dependencies: [
                "SluiceCore", "SluiceLog", "CSluiceSystem",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        // Queues of tasks in a store.
        .target(
            name: "SluiceTasks",
            dependencies: [
                "Sluice", "SluiceCore", "SluiceLog",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        // The Kafka protocol's requests and responses as values and as bytes.
        .target(name: "KafkaWire", swiftSettings: settings),
        // The broker: Kafka's protocol over TCP. Empty without the trait.
        .target(
            name: "SluiceServer",
            dependencies: [
                "KafkaWire", "Sluice", "SluiceCore", "SluiceLog",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOTLS", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Server"])),
                .target(name: "CLibcrypto", condition: .when(traits: ["Server"])),
            ],
            swiftSettings: settings),
        .target(name: "SluiceFoundation", dependencies: ["Sluice"], swiftSettings: settings),
        .target(name: "SluiceTesting", dependencies: ["SluiceLog", "SluiceCore"], swiftSettings: settings),
        // The parts of an append and a replay, for Benchmarks.
        .target(name: "SluiceMicro", dependencies: ["SluiceLog", "SluiceTesting"], swiftSettings: settings),
        .executableTarget(
            name: "sluice-tool",
            dependencies: [
                "Sluice", "SluiceFoundation", "SluiceLog", "SluiceCore",
                .target(name: "SluiceTasks", condition: .when(traits: ["Tool"])),
                .target(name: "SluiceServer", condition: .when(traits: ["Tool"])),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser",
                    condition: .when(traits: ["Tool"])),
                .product(
                    name: "Histogram", package: "hdrhistogram-swift", condition: .when(traits: ["Tool"])),
                .target(name: "CSluiceBench", condition: .when(traits: ["Tool"])),
            ],
            swiftSettings: settings),

        .testTarget(
            name: "SluiceLogTests", dependencies: ["SluiceLog", "SluiceTesting"], swiftSettings: settings),
        .testTarget(
            name: "SluiceCoreTests",
            dependencies: ["SluiceCore", "SluiceLog", "SluiceTesting", "SluiceMicro"],
            swiftSettings: settings),
        .testTarget(
            name: "SluiceTests",
            dependencies: [
                "Sluice", "SluiceFoundation", "SluiceTesting", "SluiceCore", "SluiceLog", "CSluiceSystem",
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SluiceTasksTests",
            dependencies: [
                "SluiceTasks", "Sluice", "SluiceCore", "SluiceLog",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "KafkaWireTests", dependencies: ["KafkaWire", "SluiceTesting"], exclude: ["Golden"],
            swiftSettings: settings),
        .testTarget(
            name: "SluiceServerTests",
            dependencies: [
                "SluiceServer", "KafkaWire", "Sluice", "SluiceCore", "SluiceLog", "SluiceTesting",
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Server"])),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Server"])),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ToolTests", dependencies: ["sluice-tool", "Sluice", "SluiceLog"], swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["SluiceLog", "SluiceCore", "SluiceTesting", "KafkaWire"],
            swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ]
)
