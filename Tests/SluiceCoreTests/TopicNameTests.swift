// Names of topics: the boundaries of Kafka's rule, and which names cannot stand side by side.

import SluiceCore
import Testing

@Suite struct TopicNameTests {
    @Test(arguments: [
        "a", "Z", "0", "_", "-", "...", "a.b", "__consumer_offsets", String(repeating: "x", count: 249),
    ])
    func `a legal name has nothing against it`(name: String) {
        #expect(TopicName.check(name) == nil)
    }

    @Test(arguments: [
        ("", "it is empty"),
        (".", "\".\" is a directory, not a name"),
        ("..", "\"..\" is a directory, not a name"),
        (String(repeating: "x", count: 250), "it has 250 characters, 249 is the most"),
        ("a b", "a space is not one of the letters a-z and A-Z, the digits, '.', '_' and '-'"),
        ("a/b", "'/' is not one of the letters a-z and A-Z, the digits, '.', '_' and '-'"),
        (
            "a\u{1B}",
            "the control character U+001B is not one of the letters a-z and A-Z, the digits, '.', '_' and '-'"
        ),
        ("zürich", "'ü' (U+00FC) is not one of the letters a-z and A-Z, the digits, '.', '_' and '-'"),
    ])
    func `an illegal name is refused with the reason`(name: String, reason: String) {
        #expect(TopicName.check(name) == reason)
    }

    @Test func `only the ASCII letters are letters`() {
        let legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
        for value in UInt32(0)..<0x250 {
            let scalar = Unicode.Scalar(value)!
            let isLegal = legal.unicodeScalars.contains(scalar)
            #expect((TopicName.check("x\(scalar)") == nil) == isLegal, "U+\(String(value, radix: 16))")
        }
    }

    @Test func `names that differ in case or in dot and underscore collide`() {
        #expect(TopicName.collisionKey("Flights.EU") == TopicName.collisionKey("flights_eu"))
        #expect(TopicName.collisionKey("flights-eu") != TopicName.collisionKey("flights_eu"))
        #expect(TopicName.collisionKey("A.b_C-9") == "a_b_c-9")
    }
}
