// A certificate of 127.0.0.1 and keys, made for these tests and trusted by nobody else.

#if Server
import Foundation
import NIOSSL

enum TestTLS {
    /// For localhost and 127.0.0.1, until 2126.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBmzCCAUGgAwIBAgIUe4VAY4IICVsp/BqQMonO7EZjFckwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODA2MjgzOVoYDzIxMjYxMTA0
        MDYyODM5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAARb+pSiO463er8ootGK3bX6RP2rNvxlLuZwVDMUMobtT21+0CC0nSgg
        iZbshQnWnboDsTBosDHKUfctcM8ut5Nso28wbTAdBgNVHQ4EFgQUIF+KVEuaky9v
        EQaTkIX8x9r+va8wHwYDVR0jBBgwFoAUIF+KVEuaky9vEQaTkIX8x9r+va8wDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSAAwRQIhAPJNfsLjI1yLRgKErNDzGxsRjMc9xgiZSIYfx8L3VBAxAiAC
        lKCis1ImZ+BqiajETagvVLRyNg+oz1YXHzoHvYm+Bw==
        -----END CERTIFICATE-----
        """
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg00AHb9gFdNOiM6PO
        daeYhQ2Tc3QbVY6N98IlX2Plve+hRANCAARb+pSiO463er8ootGK3bX6RP2rNvxl
        LuZwVDMUMobtT21+0CC0nSggiZbshQnWnboDsTBosDHKUfctcM8ut5Ns
        -----END PRIVATE KEY-----
        """
    /// As the first, with `otherKey`.
    static let otherCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIBmzCCAUGgAwIBAgIUVoM1nP8EEViVn+NlhKTN7Ht1oXIwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODA5MTgyOFoYDzIxMjYxMTA0
        MDkxODI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAARMi3F7cbuNjvQVDH6kKjzkOIwhxp2DxEVjda95Ko1WowLjztrCwbfB
        ifjGiPdPjzO+2hHWXFba4T5iafa6zj7Xo28wbTAdBgNVHQ4EFgQUmMFpMZXeTW8c
        oDVSpI/XWZ/dtxIwHwYDVR0jBBgwFoAUmMFpMZXeTW8coDVSpI/XWZ/dtxIwDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSAAwRQIgYAWvAykWVnRUgAifZQ0tb7JpL75ovD1trzJC01ol/0YCIQCP
        oDam/mPiW3iVMrQSbBxiyyMkWHTwMUp1lSuRzHRn+g==
        -----END CERTIFICATE-----
        """
    static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9TygGZB1QazLzvjC
        4tAXE/Whnn6S1bEuxzhttQy7U4OhRANCAARMi3F7cbuNjvQVDH6kKjzkOIwhxp2D
        xEVjda95Ko1WowLjztrCwbfBifjGiPdPjzO+2hHWXFba4T5iafa6zj7X
        -----END PRIVATE KEY-----
        """
    /// The same, behind a passphrase.
    static let encryptedKey = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhCp1145ENt8gICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEE56FS28TYBmnP6GOT2bs28EgZAE
        5KJ59gQESPSC8//iExaQz4cCLyH+hB3wRcnIn/GBUMNZyc+TZ2/McfO9jLARmlXp
        8lQnrpNsIdBcr16CVmRCQzF9fiTtlSg4US99d+l3I3K7wbji2f+xJfRnFerJ6xZj
        AyDxBdUgJakZI/T+0hCAVDVYe9SXCyYgo4V71pn4yC7n3yWUmwtDmlcbbtERGVw=
        -----END ENCRYPTED PRIVATE KEY-----
        """

    /// Runs `body` with a file that has the text.
    static func withFile<R>(_ text: String, _ body: (String) throws -> R) throws -> R {
        let path = NSTemporaryDirectory() + "/sluice-tls-\(UUID().uuidString).pem"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return try body(path)
    }

    /// A client that believes the certificate, and no other.
    static func clientContext(_ certificate: String = certificate) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        let trusted = try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem)
        configuration.trustRoots = .certificates([trusted])
        return try NIOSSLContext(configuration: configuration)
    }
}
#endif
