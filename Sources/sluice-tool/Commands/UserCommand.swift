// `sluice user …`: who may come in where `sluice serve --sasl` asks.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceServer

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Make, list and delete the users that `sluice serve --sasl` lets in.",
        subcommands: [UserCreate.self, UserList.self, UserDelete.self])
}

struct UserCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a user, or give one another password.",
        discussion: """
            The password is the first line of --password-file; else the environment's SLUICE_PASSWORD; else \
            it is asked for, twice, and not shown; else, without a terminal, the first line of standard \
            input. It is never an argument: others could see it in the list of processes. The store keeps \
            salted hashes of it (SCRAM), not itself. A server that runs lets the user in at once.
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Option(help: ArgumentHelp("A file with the password in its first line.", valueName: "file"))
    var passwordFile: String?

    @Flag(help: "If there is such a user, give him this password; his connections end.")
    var replace = false

    @OptionGroup var store: StoreOption

    func run() async throws {
        // Before anybody types one.
        try Admin.checkUser(name)
        try store.checkExists()
        let user = try Admin.user(name, password: try await Password.read(file: passwordFile, user: name))
        try await store.change("setUser", ["user": .string(user.base64), "mayReplace": .bool(replace)]) {
            try await $0.admin.setUser(user, mayReplace: replace)
        }
        try StandardOutput.print(replace ? "user \(name) has that password" : "created user \(name)")
    }
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the users.")

    @OptionGroup var store: StoreOption

    func run() async throws {
        let users = try await store.ask(
            "users", [:], { $0["users"]?.array }, { try await $0.admin.users().map(\.json) })
        var table = Table(["NAME", "MECHANISMS"])
        for user in users {
            let mechanisms = (user["mechanisms"]?.array ?? []).compactMap(\.string)
            table.add([user["name"]?.string ?? "-", mechanisms.joined(separator: ", ")])
        }
        try StandardOutput.print(table.text)
    }
}

struct UserDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a user.",
        discussion: "No new connection of his gets in; those there are end at their next request.")

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        try await store.change("deleteUser", ["user": .string(name)]) {
            try await $0.admin.deleteUser(name)
        }
        try StandardOutput.print("deleted user \(name)")
    }
}
#endif
