// The fuzzer: libFuzzer's driver around the target that SLUICE_FUZZ names.
//
//   SLUICE_FUZZ=batch fuzz [libFuzzer's options] [CORPUS…]
//   fuzz --targets          their names
//   fuzz --seeds DIRECTORY  inputs of every target, to begin a corpus with

import CFuzz

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@main
struct Main {
    static func main() {
        switch CommandLine.arguments.dropFirst().first {
        case "--targets": print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
        case "--seeds": Seeds.write(to: CommandLine.arguments.last ?? ".")
        default:
            guard target != nil else {
                print("SLUICE_FUZZ names no target; `fuzz --targets` lists them")
                exit(2)
            }
            var count = CommandLine.argc
            var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
            exit(LLVMFuzzerRunDriver(&count, &arguments, runOne))
        }
    }

    static let target = getenv("SLUICE_FUZZ").flatMap { FuzzTarget(rawValue: String(cString: $0)) }
}

/// One input; a failure ends the process as a trap does.
@_cdecl("sluice_fuzz_one")
func runOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let target = Main.target else { return -1 }
    let bytes = [UInt8](UnsafeBufferPointer(start: data, count: count))
    do throws(FuzzFailure) {
        try target.run(bytes)
        for batch in target.batches(bytes) { try Differential.check(batch: batch) }
        if target == .codecs { try Differential.check(codec: bytes) }
    } catch {
        fatalError("\(target.rawValue): \(error)")
    }
    return 0
}
