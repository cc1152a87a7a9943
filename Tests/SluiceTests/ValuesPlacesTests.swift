// Offsets, timestamps, partitions, pending records: arithmetic and its limits, and how they print.

import Sluice
import Testing

@Suite struct OffsetTests {
    @Test func `an offset and a distance make an offset, two offsets a distance`() {
        var offset: Offset = 41
        offset += 1
        #expect(offset == 42 && offset + 8 == 50 && offset + -42 == 0)
        #expect(offset - 40 == Int64(2))
        #expect(Offset(rawValue: 7) == Offset(7) && Offset(7) < 8)
        #expect("\(offset)" == "42")
    }
}

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_357_034_400_000, "2013-01-01T10:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (Int64.max, "292278994-08-17T07:12:55.807Z"),
            (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ] as [(Int64, String)])
    func `a timestamp prints as ISO 8601`(milliseconds: Int64, text: String) {
        #expect("\(Timestamp(millisecondsSince1970: milliseconds))" == text)
    }

    @Test func `spans are added and subtracted in whole milliseconds`() {
        let moment = Timestamp(millisecondsSince1970: 1000)
        #expect(moment + .seconds(2) == Timestamp(millisecondsSince1970: 3000))
        #expect(moment - .milliseconds(1) == Timestamp(millisecondsSince1970: 999))
        #expect(moment + .microseconds(1999) == Timestamp(millisecondsSince1970: 1001))
        #expect(moment - Timestamp(millisecondsSince1970: 3500) == .milliseconds(-2500))
        #expect(Timestamp(millisecondsSince1970: 1) > Timestamp(millisecondsSince1970: -1))
    }

    @Test func `what is beyond 64 bits is the last moment there is`() {
        let (first, last) = (Timestamp(millisecondsSince1970: .min), Timestamp(millisecondsSince1970: .max))
        #expect(last + .seconds(1) == last && first - .seconds(1) == first)
        #expect(last + .seconds(Int64.max) == last && first + .seconds(Int64.min) == first)
        #expect(last - first == .milliseconds(Int64.max) - .milliseconds(Int64.min))
    }

    @Test func `now is after this test was written`() {
        #expect(Timestamp.now > Timestamp(millisecondsSince1970: 1_700_000_000_000))
    }
}

@Suite struct PlacesTests {
    @Test func `a partition prints as its directory and sorts by number`() {
        #expect("\(TopicPartition(topic: "flights", partition: 3))" == "flights-3")
        let sorted = [("b", 0), ("a", 10), ("a", 9)].map { TopicPartition(topic: $0, partition: $1) }.sorted()
        #expect(sorted.map(\.description) == ["a-9", "a-10", "b-0"])
    }

    @Test func `a pending record is 16 plain bytes`() {
        func plain<T: BitwiseCopyable>(_: T.Type) -> Int { MemoryLayout<T>.size }
        #expect(plain(PendingRecord.self) == 16)
        #expect(MemoryLayout<PendingRecord>.stride == 16)
    }

    @Test func `acknowledgements are ordered by strength`() {
        #expect(Acknowledgement.allCases == [.none, .written, .durable])
        #expect(Acknowledgement.none < .written && .written < Acknowledgement.durable)
    }

    @Test func `codecs go to the engine and back`() {
        for compression in Compression.allCases { #expect(Compression(compression.codec) == compression) }
    }
}
