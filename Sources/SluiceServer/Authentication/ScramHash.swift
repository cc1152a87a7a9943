// The hash functions of SCRAM, RFC 5802 section 2.2, by OpenSSL's libcrypto: nothing is computed here.
//
// (1) A function that fails, as in a library that was told to do without it, throws; it never gives bytes
// that look like a hash. (2) Comparing takes as long for bytes that differ early as for equal ones.

#if Server
import CLibcrypto

/// The hash function of a mechanism; the raw value is Kafka's number of the mechanism.
enum ScramHash: UInt8, CaseIterable, Sendable {
    case sha256 = 1
    case sha512 = 2

    /// libcrypto could not do it.
    struct Failure: Error, Hashable, CustomStringConvertible {
        var description: String { "libcrypto does not compute this hash here" }
    }

    /// Bytes of a hash.
    var count: Int { self == .sha256 ? 32 : 64 }

    /// H(bytes).
    func digest(_ bytes: [UInt8]) throws(Failure) -> [UInt8] {
        let algorithm = self == .sha256 ? EVP_sha256() : EVP_sha512()
        var result = [UInt8](repeating: 0, count: count)
        guard EVP_Digest(bytes, bytes.count, &result, nil, algorithm, nil) == 1 else { throw Failure() }
        return result
    }

    /// HMAC(key, bytes).
    func authenticate(_ bytes: [UInt8], key: [UInt8]) throws(Failure) -> [UInt8] {
        let algorithm = self == .sha256 ? EVP_sha256() : EVP_sha512()
        var result = [UInt8](repeating: 0, count: count)
        guard HMAC(algorithm, key, Int32(key.count), bytes, bytes.count, &result, nil) != nil else {
            throw Failure()
        }
        return result
    }

    /// Hi(password, salt, iterations), which is PBKDF2. Some milliseconds.
    func salted(_ password: [UInt8], salt: [UInt8], iterations: Int32) throws(Failure) -> [UInt8] {
        let algorithm = self == .sha256 ? EVP_sha256() : EVP_sha512()
        var result = [UInt8](repeating: 0, count: count)
        let isDone = password.withUnsafeBufferPointer { password in
            password.withMemoryRebound(to: CChar.self) { password in
                PKCS5_PBKDF2_HMAC(
                    password.baseAddress, Int32(password.count), salt, Int32(salt.count), iterations,
                    algorithm, Int32(count), &result)
            }
        }
        guard isDone == 1 else { throw Failure() }
        return result
    }

    /// Whether the bytes are the same; it tells nobody, by the time that it takes, where they differ.
    static func isEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        first.count == second.count && CRYPTO_memcmp(first, second, first.count) == 0
    }

    /// Random bytes.
    static func random(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }
}
#endif
