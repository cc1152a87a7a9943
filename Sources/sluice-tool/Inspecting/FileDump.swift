// Which dump fits a file: by its name and its place, as Docs/Format.md has them.

#if Tool
import Sluice
import SluiceLog

enum FileDump {
    /// Prints what the file holds. Returns whether it is sound; a torn end is.
    static func print(_ path: String, records: Bool, to output: inout StandardOutput) throws -> Bool {
        let files = PosixFileSystem()
        do {
            guard let status = try files.status(path) else {
                throw ToolError.failed(
                    "There is no file \(path). Segments are in topics/NAME-PARTITION/ of a store.")
            }
            guard status.kind == .file else {
                throw ToolError.failed(
                    "\(path) is not a file. Segments are in topics/NAME-PARTITION/ of a store.")
            }
            let parts = path.split(separator: "/")
            let folder = parts.dropLast().last ?? ""
            switch (parts.last ?? "", folder) {
            case (let name, _) where name.hasSuffix(".index"):
                return try IndexDump.printOffsets(path, files, to: &output)
            case (let name, _) where name.hasSuffix(".timeindex"):
                return try IndexDump.printTimes(path, files, to: &output)
            case (_, "manifest"): return try FrameDump.print(.manifest, path, files, to: &output)
            case (_, "journal"): return try FrameDump.print(.journal, path, files, to: &output)
            default: return try LogDump.print(path, records: records, files, to: &output)
            }
        } catch let error as IOError {
            throw StreamError.io(operation: error.operation, file: error.path, errno: error.errno)
        }
    }
}
#endif
