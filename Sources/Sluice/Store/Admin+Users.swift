// Users: who may come in through a server that asks. The store keeps what their passwords are checked with,
// and never these.

import SluiceCore
package import SluiceLog
import Synchronization

/// A user of servers in front of a store.
public struct UserDescription: Sendable, Hashable {
    /// The user's name.
    public var name: String
    /// How the user can prove who that is, in Kafka's words: SCRAM-SHA-256, SCRAM-SHA-512.
    public var mechanisms: [String]
}

extension Admin {
    /// Every user, by name.
    public nonisolated(nonsending) func users() async throws(StreamError) -> [UserDescription] {
        try engine.checkOpen()
        return engine.read { $0.users }.map { user in
            UserDescription(name: user.name, mechanisms: user.credentials.map(\.mechanismName))
        }
    }

    /// Deletes a user: no new connection of that user gets in, and those there are end at their next request.
    ///
    /// - Throws: `unknownUser`, `noSpace`, `io`, `closed`.
    public nonisolated(nonsending) func deleteUser(_ name: String) async throws(StreamError) {
        try engine.checkOpen()
        _ = try await request { volume, id throws(LogError) in
            try volume.deleteUser(name, request: id)
        }.value().get()
        engine.userChanges.wrappingAdd(1, ordering: .releasing)
    }

    /// Makes a user of what `SluiceServer` made of a password, or gives one other credentials.
    ///
    /// - Throws: `userExists`, `illegalConfiguration` for a name that cannot be, `noSpace`, `io`, `closed`.
    package nonisolated(nonsending) func setUser(
        _ user: UserRecord, mayReplace: Bool
    ) async throws(StreamError) {
        try engine.checkOpen()
        try Self.checkUser(user.name)
        guard !user.credentials.isEmpty else {
            throw .illegalConfiguration(key: "credentials", value: "", reason: "a user needs one")
        }
        var random = SystemRandomNumberGenerator()
        let secret = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let waiter: Waiter<Int64>
        do throws(LogError) {
            waiter = try engine.request { volume, id throws(LogError) in
                try volume.setUser(user, mayReplace: mayReplace, secret: secret, request: id)
            }
        } catch {
            if case .tooLarge(let count, let limit) = error {
                throw .illegalConfiguration(
                    key: "users", value: "\(count)", reason: "accepted: up to \(limit)")
            }
            throw StreamError(error, at: nil)
        }
        _ = try await waiter.value().get()
        engine.userChanges.wrappingAdd(1, ordering: .releasing)
    }

    /// Whether there could be such a user: throws `illegalConfiguration`.
    package static func checkUser(_ name: String) throws(StreamError) {
        guard (1...255).contains(name.utf8.count) else {
            throw .illegalConfiguration(key: "user", value: name, reason: "accepted: 1 to 255 bytes of UTF-8")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw .illegalConfiguration(
                key: "user", value: name, reason: "control characters are not accepted")
        }
    }
}

extension UserCredential {
    fileprivate var mechanismName: String {
        switch mechanism {
        case 1: "SCRAM-SHA-256"
        case 2: "SCRAM-SHA-512"
        default: "\(mechanism)"
        }
    }
}

extension ServedStore {
    /// The user of that name.
    package func user(_ name: String) -> UserRecord? { engine.read { $0.user(name) } }

    /// Random bytes that only this store has; empty before its first user.
    package var userSecret: [UInt8] { engine.read { $0.userSecret } }

    /// Another number after each change of users.
    package var userChanges: Int { engine.userChanges.load(ordering: .acquiring) }
}
