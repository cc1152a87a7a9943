// Kafka's murmur2: the vectors of the Java client's tests, and others from kafka-python.

import SluiceCore
import Testing

@Suite struct PartitionerTests {
    /// Kafka's `UtilsTest.testMurmur2`.
    @Test(
        arguments: [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] as [(String, Int32)])
    func `the hash is that of the Java client`(key: String, hash: Int32) {
        #expect(Partitioner.murmur2(Array(key.utf8).span.bytes) == hash)
    }

    /// The bytes `(37 i + 200) mod 256`, so that many have their high bit set; every length of the tail.
    ///
    /// By kafka-python 3.0.12, `murmur2(bytes((i * 37 + 200) % 256 for i in range(n)))` as a signed number.
    @Test(
        arguments: [
            (0, 275646681),
            (1, 425050138),
            (2, -1606385903),
            (3, -108754803),
            (4, 1386831423),
            (5, 580644288),
            (6, -1879261483),
            (7, -532381679),
            (8, 1482585343),
            (9, 210905472),
            (15, -27470952),
            (16, -1323797251),
            (17, 1979245164),
            (64, 1919917692),
            (255, 1811227029),
        ] as [(Int, Int32)])
    func `bytes above 127 and every tail hash as in kafka-python`(count: Int, hash: Int32) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
        #expect(Partitioner.murmur2(bytes.span.bytes) == hash)
    }

    @Test func `the hash does not depend on where the key lies in memory`() {
        let key = Array("a-little-bit-longer-string".utf8)
        for shift in 0..<8 {
            let moved = [UInt8](repeating: 0xFF, count: shift) + key
            #expect(Partitioner.murmur2(moved.span.bytes.extracting(droppingFirst: shift)) == -1_486_304_829)
        }
    }

    @Test func `the sign bit is cleared, not negated`() {
        let key = Array("21".utf8)
        let expected = Int(Int32(-973_932_308) & 0x7fff_ffff)
        for partitions in [1, 2, 3, 7, 1000, Int(Int32.max)] {
            #expect(
                Partitioner.partition(of: key.span.bytes, partitions: partitions) == expected % partitions)
        }
        #expect(Partitioner.partition(of: key.span.bytes, partitions: 7) == 3)
    }
}
