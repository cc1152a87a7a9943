// The messages of SCRAM as bytes, RFC 5802 section 7.
//
//   client first   "n," [ "a=" name ] "," "n=" name ",r=" nonce [ "," extensions ]
//   server first   "r=" both nonces ",s=" salt in base64 ",i=" iterations
//   client last    "c=" the beginning of the first up to its second comma, in base64 ",r=" both nonces
//                  [ "," extensions ] ",p=" proof in base64
//   server last    "v=" signature in base64
//
// (1) Channel binding is not there: a message begins with "n,". (2) Extensions are passed over; a mandatory
// one, "m=", is refused. (3) In a name "=2C" is ',' and "=3D" is '='; no other '=' is in it. (4) No bytes
// trap: what is not a message throws.

#if Server
import SluiceCore

/// A message that is none. The text is for the log.
struct MalformedToken: Error, Hashable {
    var reason: String
}

/// What a client begins with.
struct ScramClientFirst: Hashable {
    /// Whom he wants to be taken for; empty: himself.
    var authorization: String
    var name: String
    var nonce: [UInt8]
    /// Up to the second comma.
    var header: [UInt8]
    /// What is behind it.
    var bare: [UInt8]

    init(_ token: [UInt8]) throws(MalformedToken) {
        let parts = token.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count >= 4 else { throw MalformedToken(reason: "the first message has too few parts") }
        guard parts[0].elementsEqual("n".utf8) else {
            throw MalformedToken(reason: "channel binding is not there: the first message begins with \"n,\"")
        }
        authorization = parts[1].isEmpty ? "" : try Self.name(parts[1], "a")
        name = try Self.name(parts[2], "n")
        nonce = try ScramAttribute.value(parts[3], "r")
        guard !nonce.isEmpty, nonce.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw MalformedToken(reason: "the nonce is empty, or not of printable characters")
        }
        let headerCount = parts[0].count + parts[1].count + 2
        header = Array(token.prefix(headerCount))
        bare = Array(token.dropFirst(headerCount))
    }

    private static func name(_ part: ArraySlice<UInt8>, _ key: Unicode.Scalar) throws(MalformedToken)
        -> String
    {
        let value = try ScramAttribute.value(part, key)
        var bytes: [UInt8] = []
        var rest = value[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            let code = rest.prefix(2)
            rest = rest.dropFirst(2)
            if code.elementsEqual("2C".utf8) {
                bytes.append(UInt8(ascii: ","))
            } else if code.elementsEqual("3D".utf8) {
                bytes.append(UInt8(ascii: "="))
            } else {
                throw MalformedToken(reason: "a name has a '=' that stands for nothing")
            }
        }
        guard !bytes.isEmpty, !bytes.contains(0), let name = String(validating: bytes, as: UTF8.self) else {
            throw MalformedToken(reason: "a name is empty, or not UTF-8")
        }
        return name
    }
}

/// What a client ends with.
struct ScramClientFinal: Hashable {
    /// The header of the first message, once more.
    var header: [UInt8]
    var nonce: [UInt8]
    var proof: [UInt8]
    /// All before the proof: it is what the proof is about.
    var withoutProof: [UInt8]

    init(_ token: [UInt8]) throws(MalformedToken) {
        let parts = token.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count >= 3, let last = parts.last else {
            throw MalformedToken(reason: "the last message has too few parts")
        }
        guard let header = Base64.decode(try ScramAttribute.value(parts[0], "c")),
            let proof = Base64.decode(try ScramAttribute.value(last, "p"))
        else { throw MalformedToken(reason: "a part of the last message is not base64") }
        nonce = try ScramAttribute.value(parts[1], "r")
        self.header = header
        self.proof = proof
        withoutProof = Array(token.prefix(last.startIndex - 1 - token.startIndex))
    }
}

enum ScramAttribute {
    /// What is behind `key=`.
    static func value(_ part: ArraySlice<UInt8>, _ key: Unicode.Scalar) throws(MalformedToken) -> [UInt8] {
        guard part.starts(with: [UInt8(ascii: key), UInt8(ascii: "=")]) else {
            throw MalformedToken(reason: "\(key)= is not where it belongs")
        }
        return Array(part.dropFirst(2))
    }
}
#endif
