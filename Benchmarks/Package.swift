// swift-tools-version: 6.2
import PackageDescription

// Benchmarks stand beside the package, so that a user of the library does not resolve or build them.
//
//     swift run -c release --package-path Benchmarks churn DIRECTORY [SECONDS]
//     Scripts/pressure-test

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    // By name: a nested package's parent would otherwise be called after the folder that it was cloned into.
    dependencies: [.package(name: "sluice", path: "..")],
    targets: [
        .executableTarget(name: "churn", dependencies: [.product(name: "Sluice", package: "sluice")]),
        .executableTarget(name: "pressure", dependencies: [.product(name: "Sluice", package: "sluice")]),
    ]
)
