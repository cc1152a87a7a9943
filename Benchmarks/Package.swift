// swift-tools-version: 6.2
import PackageDescription

// Benchmarks stand beside the package, so that a user of the library does not resolve or build them. Those of
// the whole store are `sluice bench`.
//
//     Scripts/bench-micro                                             the parts, each alone
//     swift package --package-path Benchmarks benchmark               the same, times alone
//     swift run -c release --package-path Benchmarks churn DIRECTORY [SECONDS]
//     Scripts/pressure-test
//     Scripts/bench-peers

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        // By name: a nested package's parent would otherwise be called after the folder that it was cloned into.
        .package(name: "sluice", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    ],
    targets: [
        .executableTarget(name: "churn", dependencies: [.product(name: "Sluice", package: "sluice")]),
        .executableTarget(name: "pressure", dependencies: [.product(name: "Sluice", package: "sluice")]),
        // valgrind 3.19 cannot read the debug information that Swift 6.3 writes.
        .executableTarget(
            name: "micro-part",
            dependencies: [
                .product(name: "SluiceMicro", package: "sluice"),
                .product(name: "CSluiceBench", package: "sluice"),
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"], .when(platforms: [.linux]))]),
        .executableTarget(
            name: "Micro",
            dependencies: [
                .product(name: "SluiceMicro", package: "sluice"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Micro",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ]
)
