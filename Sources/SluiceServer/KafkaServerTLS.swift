// The certificate and the key that a server shows.

#if Server
import NIOSSL
import SluiceLog

/// A certificate and its key: with one, a server speaks TLS (1.2 and later), and nothing else.
///
/// A server reads the files again once a minute, and shows a new certificate to those who connect from then
/// on.
public struct KafkaServerTLS: Sendable {
    let context: NIOSSLContext
    private let certificateFile: String
    private let keyFile: String
    private let certificates: [NIOSSLCertificate]

    /// Reads the certificate, with those of the authorities behind it if there are any, and the key from
    /// files in PEM. Blocks for as long as that takes.
    public init(certificateFile: String, keyFile: String) throws(Problem) {
        try Self.check(certificateFile)
        try Self.check(keyFile)
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(certificateFile) else {
            throw .noCertificate(file: certificateFile)
        }
        // A key that wants a passphrase is refused: there may be nobody to type one.
        let key = try? NIOSSLPrivateKey(file: keyFile, format: .pem) { (setter: ([UInt8]) -> Void) in
            setter([])
        }
        guard let key else { throw .noKey(file: keyFile) }
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
        // BoringSSL compares the two.
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw .mismatch(certificateFile: certificateFile, keyFile: keyFile)
        }
        self.context = context
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.certificates = certificates
    }

    /// What the files have now; nil when it is the same certificate.
    func renewed() throws(Problem) -> Self? {
        let read = try Self(certificateFile: certificateFile, keyFile: keyFile)
        return read.certificates == certificates ? nil : read
    }

    private static func check(_ file: String) throws(Problem) {
        do throws(IOError) {
            guard let status = try PosixFileSystem().status(file) else {
                throw IOError(operation: "stat", path: file, errno: 2)
            }
            guard status.kind == .file else { throw IOError(operation: "read", path: file, errno: 21) }
        } catch {
            throw .unreadable(file: file, errno: error.errno)
        }
    }

    /// Why a certificate and a key cannot be used.
    public enum Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// The file is not there, or is no file; the system's error number.
        case unreadable(file: String, errno: Int32)
        /// No certificate in PEM is in the file, or it may not be read.
        case noCertificate(file: String)
        /// No private key in PEM is in the file, or it needs a passphrase, or it may not be read.
        case noKey(file: String)
        /// The key is another certificate's.
        case mismatch(certificateFile: String, keyFile: String)

        /// What is wrong, and what to do.
        public var description: String {
            switch self {
            case .unreadable(let file, let errno):
                errno == 2
                    ? "There is no file \(file) for TLS. Give the certificate and its key as files in PEM."
                    : "\(file) cannot be read for TLS (error \(errno)). It must be a file in PEM."
            case .noCertificate(let file):
                """
                \(file) has no certificate that can be read. It must be in PEM (BEGIN CERTIFICATE), the \
                server's own first, and readable by this user.
                """
            case .noKey(let file):
                """
                \(file) has no private key that can be read. It must be in PEM (BEGIN PRIVATE KEY), without \
                a passphrase, and readable by this user.
                """
            case .mismatch(let certificate, let key):
                """
                The key in \(key) does not belong to the first certificate in \(certificate). The server's \
                own certificate comes first, those of its authorities behind it.
                """
            }
        }
    }
}
#endif
