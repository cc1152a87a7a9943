// Foundation's types as keys, values and moments.

import Foundation
import Sluice
import SluiceFoundation
import Testing

@Suite struct FoundationTests {
    @Test func `data lends its bytes, a slice only its own`() {
        for data in [Data(), Data([9, 8]), Data([9, 8, 7])[1...], Data(repeating: 7, count: 100_000)] {
            #expect(data.withRecordBytes(copy) == data)
        }
        #expect(Data?.none.withRecordBytes { $0 == nil })
        #expect(throws: StreamError.closed) {
            try Data([1]).withRecordBytes { (_: RawSpan?) throws(StreamError) in throw .closed }
        }
    }

    @Test func `dates and timestamps go both ways`() {
        for milliseconds: Int64 in [0, -1, 1_357_034_400_123, 1_795_483_174_091, -62_135_596_800_001] {
            let timestamp = Timestamp(millisecondsSince1970: milliseconds)
            #expect(Timestamp(Date(timestamp)) == timestamp)
        }
        #expect(Timestamp(Date(timeIntervalSince1970: 1e300)) == Timestamp(millisecondsSince1970: .max))
        #expect(Timestamp(Date(timeIntervalSince1970: -1e300)) == Timestamp(millisecondsSince1970: .min))
    }

    private func copy(_ bytes: RawSpan?) -> Data? {
        guard let bytes else { return nil }
        return Data(copying: bytes)
    }
}
