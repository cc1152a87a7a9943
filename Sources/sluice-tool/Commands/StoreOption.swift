// Where the store is, for every command that opens one.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceLog
import SluiceTasks

struct StoreOption: ParsableArguments {
    @Option(
        name: .customLong("store"),
        help: ArgumentHelp("The store's directory, else $SLUICE_STORE, else ./sluice-data.", valueName: "dir")
    )
    var directory: String?

    var path: String { directory ?? System.environment("SLUICE_STORE") ?? "sluice-data" }

    /// Opens the store that is there.
    ///
    /// Throws `failed` when there is none: only `topic create` makes one.
    func open(_ configuration: StoreConfiguration = .init()) async throws -> StreamStore {
        try checkExists()
        return try await StreamStore.open(at: path, configuration: configuration)
    }

    /// Opens the store, runs `body`, and closes it, whatever comes of the body.
    func withStore<R>(
        _ configuration: StoreConfiguration = .init(), mayMake: Bool = false,
        _ body: (StreamStore) async throws -> R
    ) async throws -> R {
        let store =
            mayMake
            ? try await StreamStore.open(at: path, configuration: configuration)
            : try await open(configuration)
        // Whoever has it open answers for it.
        TaskRequests.serve(store)
        let result: R
        do {
            result = try await body(store)
        } catch {
            // The first failure is the one to tell; the store is closed as well as it can be.
            try? await store.close()
            throw error
        }
        try await store.close()
        return result
    }

    /// Changes something: opens the store for it, or has the process do it that has the store open.
    ///
    /// - Parameters:
    ///   - request: of Docs/Architecture.md, "control.sock", with its members.
    ///   - body: the same, done here.
    func change(
        mayMake: Bool = false, _ request: String, _ members: [String: JSONValue],
        _ body: (StreamStore) async throws -> Void
    ) async throws {
        do {
            try await withStore(.init(), mayMake: mayMake, body)
        } catch let error as StreamError {
            guard case .locked = error else { throw error }
            switch ControlClient.ask(path, request, members) {
            case .result: return
            case .refused(_, let message): throw ToolError.failed(message)
            case .silent: throw error
            }
        }
    }

    /// Asks the process that has the store open, or opens it to ask.
    func ask<R>(
        _ request: String, _ members: [String: JSONValue], _ read: (JSONValue) -> R?,
        _ body: (StreamStore) async throws -> R
    ) async throws -> R {
        do {
            return try await withStore(.init(), body)
        } catch let error as StreamError {
            guard case .locked = error else { throw error }
            switch ControlClient.ask(path, request, members) {
            case .result(let json):
                if let result = read(json) { return result }
                throw ToolError.failed("What the process answered that has the store open makes no sense.")
            case .refused(_, let message): throw ToolError.failed(message)
            case .silent: throw error
            }
        }
    }

    /// Opens the store to read, beside whoever writes it, and runs `body`.
    ///
    /// Never with the lock: who looks into a store from a shell must not keep a program from opening it.
    func withReader<R>(_ body: (ReadOnlyStore) async throws -> R) async throws -> R {
        try checkExists()
        let store = try await StreamStore.openReadOnly(at: path)
        defer { store.close() }
        if System.isTerminal(2), case .held(let process) = lockState {
            StandardError.print(
                "sluice: reading beside process \(process.map(String.init) ?? "?"), which writes")
        }
        return try await body(store)
    }

    /// Whether a process has the store open for writing.
    var isOpenElsewhere: Bool { lockState != .free }

    private var lockState: LockState { (try? PosixFileSystem().lockState(StorePaths(path).lock)) ?? .free }

    /// Throws when there is no store at the path, and says how to make one.
    func checkExists() throws {
        let status: FileStatus?
        do throws(IOError) {
            status = try looked()
        } catch {
            if error.errno == System.notADirectory { throw StreamError.notADirectory(path: path) }
            throw StreamError.io(operation: error.operation, file: error.path, errno: error.errno)
        }
        // Of what is there and is not a store, the library says what is wrong.
        if status != nil { return }
        throw ToolError.failed(
            """
            There is no store at \(path). Give its directory with --store DIR or SLUICE_STORE; \
            `sluice topic create NAME` and `sluice task publish NAME` make a store where there is none.
            """)
    }

    /// What is at the path; nil when that is nothing, or an empty directory.
    private func looked() throws(IOError) -> FileStatus? {
        let files = PosixFileSystem()
        guard let status = try files.status(path) else { return nil }
        if status.kind == .directory, try files.list(path).isEmpty { return nil }
        return status
    }

    /// The arguments with a `--store` that stands before a subcommand moved behind it, where it is declared.
    static func movedToTheEnd(_ arguments: some Collection<String>) -> [String] {
        var rest = Array(arguments)[...]
        var (commands, moved): ([String], [String]) = ([], [])
        while let argument = rest.first {
            if argument == "--store", rest.count > 1 {
                moved += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if argument.hasPrefix("--store=") {
                moved.append(argument)
                rest = rest.dropFirst()
            } else if commands.count < 2, !argument.hasPrefix("-") {
                commands.append(argument)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        // Before what is left, which may end in `--` and names.
        return commands + moved + rest
    }
}
#endif
