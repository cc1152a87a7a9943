// A user as the manifest knows him: what a server needs to see that he has the password, and never that.
//
//   credential   mechanism u8 · iterations i32 · salt, stored key, server key: lists of u8
//
// (1) The fields are those of RFC 5802, section 3, and mean nothing to this layer. (2) A mechanism that is
// not known is kept as it is.

/// What SCRAM keeps of a password, for one hash function.
package struct UserCredential: Hashable, Sendable {
    /// Kafka's numbers: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
    package var mechanism: UInt8
    package var iterations: Int32
    package var salt: [UInt8]
    package var storedKey: [UInt8]
    package var serverKey: [UInt8]

    package init(
        mechanism: UInt8, iterations: Int32, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]
    ) {
        self.mechanism = mechanism
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}

/// A user, with a credential for each mechanism.
package struct UserRecord: Hashable, Sendable {
    package var name: String
    /// None: there is no such user any more.
    package var credentials: [UserCredential]

    package init(name: String, credentials: [UserCredential]) {
        self.name = name
        self.credentials = credentials
    }
}

extension UserRecord {
    /// Its bytes, as in the manifest and on the control socket.
    package func encode(into writer: inout BinaryWriter) {
        writer.put(name)
        writer.put(credentials) { writer, credential in
            writer.put(credential.mechanism)
            writer.put(credential.iterations)
            for bytes in [credential.salt, credential.storedKey, credential.serverKey] {
                writer.put(bytes) { $0.put($1) }
            }
        }
    }

    package init(from reader: inout BinaryReader) throws(MalformedRecord) {
        name = try reader.string()
        credentials = try reader.array(minimumBytes: 17) { reader throws(MalformedRecord) in
            UserCredential(
                mechanism: try reader.integer(), iterations: try reader.integer(),
                salt: try Self.list(&reader), storedKey: try Self.list(&reader),
                serverKey: try Self.list(&reader))
        }
    }

    static func list(_ reader: inout BinaryReader) throws(MalformedRecord) -> [UInt8] {
        Array(try reader.bytes(Int(try reader.integer(UInt32.self))))
    }

    /// No fewer bytes than it is encoded in.
    var mostBytes: Int {
        credentials.reduce(16 + name.utf8.count) {
            $0 + 20 + $1.salt.count + $1.storedKey.count + $1.serverKey.count
        }
    }
}
