// Users in a store: kept over an opening, in a backup, and bounded.

import SluiceLog
import Testing

@testable import Sluice

@Suite struct UserTests {
    private func user(_ name: String, _ byte: UInt8 = 1) -> UserRecord {
        UserRecord(
            name: name,
            credentials: [
                UserCredential(mechanism: 1, iterations: 4096, salt: [byte], storedKey: [2], serverKey: [3])
            ])
    }

    @Test func `users are kept, and are in a backup with the secret`() async throws {
        let directory = try TemporaryDirectory()
        var store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        #expect(ServedStore(store).userSecret.isEmpty)
        try await store.admin.setUser(user("b"), mayReplace: false)
        try await store.admin.setUser(user("a"), mayReplace: false)
        try await store.admin.setUser(user("c"), mayReplace: false)
        try await store.admin.setUser(user("b", 9), mayReplace: true)
        try await store.admin.deleteUser("c")
        let secret = ServedStore(store).userSecret
        #expect(secret.count == 32)
        try await store.backup(to: directory("live"))
        try await store.close()
        for name in ["store", "live"] {
            store = try await StreamStore.open(at: directory(name), configuration: quiet())
            let served = ServedStore(store)
            #expect(
                try await store.admin.users()
                    == ["a", "b"].map {
                        UserDescription(name: $0, mechanisms: ["SCRAM-SHA-256"])
                    })
            #expect(served.user("b") == user("b", 9) && served.user("c") == nil)
            #expect(served.userSecret == secret)
            try await store.close()
        }
        #expect(try await StreamStore.salvage(directory("store"), to: directory("salvaged")) { _ in })
        store = try await StreamStore.open(at: directory("salvaged"), configuration: quiet())
        #expect(try await store.admin.users().map(\.name) == ["a", "b"])
        try await store.close()
    }

    @Test func `a name is taken from the moment that it is asked for`() async throws {
        try await withStore { store in
            await withTaskGroup { group in
                for number in 0..<16 as Range<UInt8> {
                    group.addTask {
                        (try? await store.admin.setUser(user("a", number), mayReplace: false)) != nil
                    }
                }
                var made = 0
                for await isMade in group where isMade { made += 1 }
                #expect(made == 1)
            }
            await #expect(throws: StreamError.userExists("a")) {
                try await store.admin.setUser(user("a"), mayReplace: false)
            }
            await #expect(throws: StreamError.unknownUser("z")) { try await store.admin.deleteUser("z") }
        }
    }

    @Test func `there are at most so many users`() async throws {
        try await withStore { store in
            try await withThrowingTaskGroup { group in
                for number in 0..<Limits.users {
                    group.addTask { try await store.admin.setUser(user("u\(number)"), mayReplace: false) }
                }
                try await group.waitForAll()
            }
            await #expect(throws: StreamError.self) {
                try await store.admin.setUser(user("more"), mayReplace: false)
            }
            try await store.admin.setUser(user("u1", 7), mayReplace: true)
            try await store.admin.deleteUser("u0")
            try await store.admin.setUser(user("more"), mayReplace: false)
            var large = user("large")
            large.credentials[0].salt = [UInt8](repeating: 0, count: Limits.userBytes)
            await #expect(throws: StreamError.self) {
                try await store.admin.setUser(large, mayReplace: true)
            }
        }
    }

    @Test func `bytes that are no user are refused`() {
        #expect(UserRecord(base64: user("a").base64) == user("a"))
        for text in [
            "", "AAAA", "!", user("a").base64 + "AAAA", UserRecord(name: "a", credentials: []).base64,
        ] {
            #expect(UserRecord(base64: text) == nil)
        }
    }
}
