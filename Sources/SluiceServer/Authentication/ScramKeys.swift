// What is kept of a password, RFC 5802 section 3: enough to see that somebody has it, and not it.
//
//   SaltedPassword = Hi(password, salt, iterations)
//   StoredKey      = H(HMAC(SaltedPassword, "Client Key"))
//   ServerKey      = HMAC(SaltedPassword, "Server Key")
//
// (1) Passwords are the bytes of UTF-8 as they come: Kafka's clients do not prepare them (RFC 4013) either.
// (2) Who steals a StoredKey has to guess passwords; he cannot sign in with it.

#if Server
import SluiceLog

extension UserCredential {
    /// How often a password is hashed, of credentials that are made here: RFC 7677 wants 4,096, Kafka takes
    /// up to 16,384. Clients pay it at each connection, the server for PLAIN only.
    static let standardIterations: Int32 = 10_000
    /// Bytes of a salt, of users that there are and of those that there are not.
    static let saltBytes = 32

    /// Which hash function it is for; nil when that is not known here.
    var hash: ScramHash? { ScramHash(rawValue: mechanism) }

    /// What is kept of `password`.
    init(
        _ hash: ScramHash, password: [UInt8], salt: [UInt8] = ScramHash.random(saltBytes),
        iterations: Int32 = standardIterations
    ) throws(ScramHash.Failure) {
        let salted = try hash.salted(password, salt: salt, iterations: iterations)
        let clientKey = try hash.authenticate(Array("Client Key".utf8), key: salted)
        self.init(
            mechanism: hash.rawValue, iterations: iterations, salt: salt,
            storedKey: try hash.digest(clientKey),
            serverKey: try hash.authenticate(Array("Server Key".utf8), key: salted))
    }

    /// What stands for a user that there is not: always the same for the same name, so that nobody can ask
    /// for names; nobody knows a password for it.
    static func imagined(
        _ hash: ScramHash, name: String, secret: [UInt8]
    ) throws(ScramHash.Failure) -> UserCredential {
        func derive(_ purpose: String) throws(ScramHash.Failure) -> [UInt8] {
            try hash.authenticate(Array("\(purpose) \(hash.rawValue) \(name)".utf8), key: secret)
        }
        return UserCredential(
            mechanism: hash.rawValue, iterations: standardIterations,
            salt: Array(try derive("salt").prefix(saltBytes)), storedKey: try derive("stored"),
            serverKey: try derive("server"))
    }

    /// Whether it is the password. Some milliseconds.
    func accepts(password: [UInt8]) throws(ScramHash.Failure) -> Bool {
        guard let hash else { return false }
        let other = try UserCredential(hash, password: password, salt: salt, iterations: iterations)
        return ScramHash.isEqual(other.storedKey, storedKey)
    }
}

extension UserRecord {
    /// The user's credential for a hash function.
    func credential(_ hash: ScramHash) -> UserCredential? { credentials.first { $0.hash == hash } }
}
#endif
