// swift-tools-version: 6.2
import PackageDescription

// The fuzzer stands beside the package, as Benchmarks does: nobody who uses the library builds it, and so it
// may have flags that are not safe. `Scripts/fuzz` builds it with the sanitizers, and runs it.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "fuzzing",
    platforms: [.macOS(.v15)],
    // By name: a nested package's parent would otherwise be called after the folder that it was cloned into.
    dependencies: [.package(name: "sluice", path: "..")],
    targets: [
        .target(
            name: "CFuzz",
            linkerSettings: [.linkedLibrary("lz4"), .linkedLibrary("zstd"), .linkedLibrary("z")]),
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "CFuzz", .product(name: "SluiceTesting", package: "sluice"),
                .product(name: "KafkaWire", package: "sluice"),
            ],
            swiftSettings: settings,
            // gold fails on what AddressSanitizer links.
            linkerSettings: [.unsafeFlags(["-use-ld=lld"], .when(platforms: [.linux]))]),
    ]
)
