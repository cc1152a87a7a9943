// Base64: the vectors of RFC 4648, and what is none.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `the vectors of RFC 4648 go there and back`(bytes: String, text: String) {
        #expect(Base64.encode(Array(bytes.utf8)) == Array(text.utf8))
        #expect(Base64.decode(text.utf8) == Array(bytes.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zm9v====", "Zg==Zm9v", "Zh==", "Zm9=", "Zm 9",
        "Zm-_",
    ])
    func `what is no base64 is refused`(text: String) { #expect(Base64.decode(text.utf8) == nil) }

    @Test func `any bytes come back`() {
        var random = SeededRandom(seed: 1)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8(random.below(256)) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}
