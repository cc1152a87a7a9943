// Batches and LZ4 frames made by other implementations, as hex: the format does not change unless these do.
//
// (1) Batches: kafka-python 3.0.12, DefaultRecordBatchBuilder, from the records of `Golden.records`. (2)
// LZ4 frames: lz4 4.4.5 for Python (liblz4's LZ4F), from `Golden.frameContent`.

@testable import SluiceLog

enum Golden {
    /// What each golden batch holds, in order.
    static let records: [TestRecord] = {
        let base: Int64 = 1_700_000_000_000
        var records = [
            TestRecord(base, "k0", "v0"),
            TestRecord(base + 1, nil, "tombless"),
            TestRecord(base + 70, "key", nil),
            TestRecord(
                base - 5, "", "",
                [.init(key: "h", value: [0x78]), .init(key: "n", value: nil), .init(key: "", value: [])]),
        ]
        for i in 4..<12 {
            let json = #"{"id":\#(i),"city":"Graz","temp":21.5,"ok":true}"#
            let value = String(repeating: json, count: i == 11 ? 3 : 1)
            records.append(TestRecord(base + 1000 * Int64(i), "user-\(i)", value))
        }
        return records
    }()

    /// The bytes that hexadecimal digits stand for; blanks, line ends and comments behind `//` are skipped.
    static func hex(_ text: String) -> [UInt8] {
        var digits: [UInt8] = []
        for line in text.split(separator: "\n") {
            for byte in line.utf8 {
                if byte == UInt8(ascii: "/") { break }
                if let digit = Character(UnicodeScalar(byte)).hexDigitValue { digits.append(UInt8(digit)) }
            }
        }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The batch without compression, field by field.
    static let plain = hex(
        """
        0000000000000000  // base offset 0
        00000299          // batch length 665
        00000000          // partition leader epoch 0
        02                // magic 2
        bce824d6          // crc
        0000              // attributes: codec none
        0000000b          // last offset delta 11
        0000018bcfe56800  // base timestamp 1700000000000
        0000018bcfe592f8  // max timestamp 1700000011000
        ffffffffffffffff  // producer id -1
        ffff              // producer epoch -1
        ffffffff          // base sequence -1
        0000000c          // record count 12
        14000000046b3004763000  // record 0
        1c0002020110746f6d626c65737300  // record 1
        14008c0104066b65790100  // record 2
        1e00090600000602680278026e010000  // record 3
        7200c03e080c757365722d34587b226964223a342c2263697479223a224772617a222c2274656d70  // record 4
        223a32312e352c226f6b223a747275657d00
        7200904e0a0c757365722d35587b226964223a352c2263697479223a224772617a222c2274656d70  // record 5
        223a32312e352c226f6b223a747275657d00
        7200e05d0c0c757365722d36587b226964223a362c2263697479223a224772617a222c2274656d70  // record 6
        223a32312e352c226f6b223a747275657d00
        7200b06d0e0c757365722d37587b226964223a372c2263697479223a224772617a222c2274656d70  // record 7
        223a32312e352c226f6b223a747275657d00
        7200807d100c757365722d38587b226964223a382c2263697479223a224772617a222c2274656d70  // record 8
        223a32312e352c226f6b223a747275657d00
        7400d08c01120c757365722d39587b226964223a392c2263697479223a224772617a222c2274656d  // record 9
        70223a32312e352c226f6b223a747275657d00
        7800a09c01140e757365722d31305a7b226964223a31302c2263697479223a224772617a222c2274  // record 10
        656d70223a32312e352c226f6b223a747275657d00
        ae0200f0ab01160e757365722d31318e027b226964223a31312c2263697479223a224772617a222c  // record 11
        2274656d70223a32312e352c226f6b223a747275657d7b226964223a31312c2263697479223a2247
        72617a222c2274656d70223a32312e352c226f6b223a747275657d7b226964223a31312c22636974
        79223a224772617a222c2274656d70223a32312e352c226f6b223a747275657d00
        """)

    /// What each frame below holds.
    static let frameContent = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 % 61 * 3) }

    /// The same records, gzip.
    static let gzip = hex(
        """
        00000000000000000000011900000000023c98cf4c00010000000b0000018bcfe568000000018bcfe592f8ffffffffff
        ffffffffffffffffff0000000c1f8b0800eee2046b02ff1361606060c9366029336090616062621428c9cf4dca492d2e
        661061e8616461cb4ead64649063e06463606063ca60aa60ca63646028623860c7c1535a9c5aa46b1251ad9499a26465
        a2a3949c5952a964a5e45e9458a5a4a354929a5ba0646564a867aaa3949fad645552549a5a0bd439c18f0ba2d314aad3
        94589d0f6279203acda03acd88d5b921970fa2d31caad39c589d0db502109d16509d16c4e92c61b8d0c32804d16a09d5
        6a499cd60a8605731845f8c05a0d0da2207a0d0d88d3bc8e89e1c36a4631a86ec33e26a87643a2b4d34e310300dcf52e
        d768020000
        """)

    /// The same records, snappy, in xerial framing.
    static let snappy = hex(
        """
        0000000000000000000001450000000002b1672fbb00020000000b0000018bcfe568000000018bcfe592f8ffffffffff
        ffffffffffffffffff0000000c82534e4150505900000000010000000100000100e804f07d14000000046b3004763000
        1c0002020110746f6d626c6573730014008c0104066b657901001e00090600000602680278026e0100007200c03e080c
        757365722d34587b226964223a342c2263697479223a224772617a222c2274656d70223a32312e352c226f6b223a7472
        75657d007200904e0a0c757365722d35587b22013a04352c9a3a000ce05d0c0c057400360d7400369e3a0008b06d0e09
        3a0c37587b22017400379e3a0008807d10093a00380d3a0038963a00147400d08c0112093b00390d3b0039963b001878
        00a09c01140e05ea0831305a09b1043130963d0018ae0200f0ab01160d3e08318e020d3f0031923f00fe2d00662d0000
        00
        """)

    /// The same records, lz4.
    static let lz4 = hex(
        """
        00000000000000000000013d0000000002acdf71a000030000000b0000018bcfe568000000018bcfe592f8ffffffffff
        ffffffffffffffffff0000000c04224d1868406802000000000000dbf5000000f26514000000046b30047630001c0002
        020110746f6d626c6573730014008c0104066b657901001e00090600000602680278026e0100007200c03e080c757365
        722d34587b226964223a342c2263697479223a224772617a222c2274656d70223a32312e352c226f6b223a747275657d
        007200904e0a3a0013353a001f353a001532e05d0c3a0013363a001f363a001532b06d0e3a0013373a001f373a001532
        807d103a0013383a001f383a0013627400d08c01123b0013393b001f393b0013717800a09c01140e5e013231305a5f01
        2f31303d001373ae0200f0ab01163e0033318e023f001f313f00120f2d0043507275657d0000000000
        """)

    /// The same records, zstd.
    static let zstd = hex(
        """
        0000000000000000000001150000000002999dcae500040000000b0000018bcfe568000000018bcfe592f8ffffffffff
        ffffffffffffffffff0000000c28b52ffd606801d50600540a14000000046b30047630001c0002020110746f6d626c65
        73730014008c0104066b657901001e00090600000602680278026e0100007200c03e080c757365722d34587b22696422
        3a342c2263697479223a224772617a222c2274656d70223a32312e352c226f6b223a747275657d007200904e0a3535e0
        5d0c3636b06d0e3737807d1038387400d08c011239397800a09c01140e31305a3130ae0200f0ab0116318e0231001600
        07d504e05d21f2082233c7d6c35f67e4e1b2e01d64c636030c9e807cc1304139e018c05c5004b80bb009ca01c7e88ea9
        28
        """)

    /// The records area as one raw snappy block, as librdkafka writes it.
    static let snappyRawArea = hex(
        """
        e804f07d14000000046b30047630001c0002020110746f6d626c6573730014008c0104066b657901001e000906000006
        02680278026e0100007200c03e080c757365722d34587b226964223a342c2263697479223a224772617a222c2274656d
        70223a32312e352c226f6b223a747275657d007200904e0a0c757365722d35587b22013a04352c9a3a000ce05d0c0c05
        7400360d7400369e3a0008b06d0e093a0c37587b22017400379e3a0008807d10093a00380d3a0038963a00147400d08c
        0112093b00390d3b0039963b00187800a09c01140e05ea0831305a09b1043130963d0018ae0200f0ab01160d3e08318e
        020d3f0031923f00fe2d00662d000000
        """)

    /// The records area as a zstd frame that does not tell its length.
    static let zstdStreamedArea = hex(
        """
        28b52ffd0058d50600540a14000000046b30047630001c0002020110746f6d626c6573730014008c0104066b65790100
        1e00090600000602680278026e0100007200c03e080c757365722d34587b226964223a342c2263697479223a22477261
        7a222c2274656d70223a32312e352c226f6b223a747275657d007200904e0a3535e05d0c3636b06d0e3737807d103838
        7400d08c011239397800a09c01140e31305a3130ae0200f0ab0116318e023100160007d504e05d21f2082233c7d6c35f
        67e4e1b2e01d64c636030c9e807cc1304139e018c05c5004b80bb009ca01c7e88ea928
        """)

    /// The records area as two gzip members.
    static let gzipMembersArea = hex(
        """
        1f8b08000000000002031361606060c9366029336090616062621428c9cf4dca492d2e661061e8616461cb4ead646490
        63e06463606063ca60aa60ca63646028623860c7c1535a9c5aa46b1251ad9499a26465a2a3949c5952a964a5e45e9458
        a5a4a354929a5ba0646564a867aaa3949fad645552549a5a0bd439c18f0ba2d314aad394589d0f6279203acda03acd88
        d5b921970fa2d31caad39c589d0db502109d16409d0028d617422c0100001f8b0800000000000203cb4c51b2b2d0514a
        ce2ca954b252722f4aac52d2512a49cd2d50b23232d433d551cacf56b22a292a4dad652861b8d0c328c4535a9c5aa46b
        1951ad9409d46a499cd60a8605731845f8c05a0d0da2207a0d0d88d3bc8e89e1c36a4631a86ec33e26a87643a2b4d34e
        31030059c44a963c010000
        """)

    /// Linked blocks of 64 KiB, content size.
    static let frameLinked = hex(
        """
        04224d184840f0490200000000001d48010000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e
        5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffab503336393c3f0a0100000feaffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe85075787b7e81540000000f3d00
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffff2250abaeb1b40000000000
        """)

    /// Independent blocks of 64 KiB, block and content checksums, no content size.
    static let frameChecksums = hex(
        """
        04224d187440bd48010000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e5154575a5d606366
        696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffab503336
        393c3f6846d6b248010000ff2e4245484b4e5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8
        abaeb1b4000306090c0f1215181b1e2124272a2d303336393c3f3d00ffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffab507578
        7b7e81c0d667c091000000ff2e84878a8d909396999c9fa2a5a8abaeb1b4000306090c0f1215181b1e2124272a2d3033
        36393c3f4245484b4e5154575a5d606366696c6f7275787b7e813d00ffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffe450abaeb1b400f524447e000000002df43fe2
        """)

    /// Linked blocks of 64 KiB, block and content checksums, content size.
    static let frameLinkedChecksums = hex(
        """
        04224d185c40f049020000000000e948010000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e
        5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffab503336393c3f6846d6b20a0100000feaffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe85075787b7e819d1ce3
        16540000000f3d00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff2250abaeb1b40078310107000000
        002df43fe2
        """)

    /// One block of at most 256 KiB, content checksum.
    static let frameBlock5 = hex(
        """
        04224d186c50f0490200000000001293020000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e
        5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe6
        50abaeb1b400000000002df43fe2
        """)

    /// One block of at most 1 MiB, content checksum.
    static let frameBlock6 = hex(
        """
        04224d186c50f0490200000000001293020000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e
        5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe6
        50abaeb1b400000000002df43fe2
        """)

    /// One block of at most 4 MiB, content checksum.
    static let frameBlock7 = hex(
        """
        04224d186c50f0490200000000001293020000ff2e000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e
        5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b43d00ffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe6
        50abaeb1b400000000002df43fe2
        """)
}
