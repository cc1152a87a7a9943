// Users by name and password: what is kept of a password is made here, and nothing of it goes further.

#if Server
public import Sluice
package import SluiceLog

extension Admin {
    /// Makes a user who can come in through a server with `sasl`, by SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN.
    ///
    /// The store keeps salted hashes of the password (RFC 5802), never itself.
    ///
    /// - Parameters:
    ///   - name: 1 to 255 bytes of UTF-8 without control characters.
    ///   - password: 1 to 1,024 bytes of UTF-8 without NUL; taken as it is, without preparation.
    ///   - mayReplace: whether a user of that name gets the password instead; his connections then end at
    ///     their next request.
    /// - Throws: `userExists`, `illegalConfiguration`, `noSpace`, `io`, `closed`.
    public nonisolated(nonsending) func createUser(
        _ name: String, password: String, mayReplace: Bool = false
    ) async throws(StreamError) {
        try await setUser(try Self.user(name, password: password), mayReplace: mayReplace)
    }

    /// What is kept of a user. Some ten milliseconds. Throws `illegalConfiguration`, `unsupported`.
    package static func user(_ name: String, password: String) throws(StreamError) -> UserRecord {
        try checkUser(name)
        // The value is told to nobody.
        guard (1...1024).contains(password.utf8.count), !password.utf8.contains(0) else {
            throw .illegalConfiguration(
                key: "password", value: "…", reason: "accepted: 1 to 1,024 bytes of UTF-8 without NUL")
        }
        do throws(ScramHash.Failure) {
            var credentials: [UserCredential] = []
            for hash in ScramHash.allCases {
                credentials.append(try UserCredential(hash, password: Array(password.utf8)))
            }
            return UserRecord(name: name, credentials: credentials)
        } catch {
            throw .unsupported("\(error)")
        }
    }
}
#endif
