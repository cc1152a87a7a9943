// A record as one line of JSON, what `consume` prints unless told otherwise:
//
//   {"topic":"t","partition":0,"offset":17,"timestamp":1385254800000,"key":"UA","value":"…","headers":[]}
//   a header   {"key":"name","value":"…"}        headers may repeat, so they are an array
//
// Bytes that are not UTF-8 stand under "key_base64" and "value_base64" instead; Kafka's null is null.

#if Tool
import SluiceLog

enum JSONPrinter {
    /// Adds the record and a line feed.
    static func print(
        _ place: RecordPlace, key: RawSpan?, value: RawSpan?, headers: [RecordHeader],
        into text: inout TextBuffer
    ) {
        text.append("{\"topic\":\"")
        text.append(place.topic)  // Topic names have nothing to escape.
        text.append("\",\"partition\":")
        text.append(decimal: Int64(place.partition))
        text.append(",\"offset\":")
        text.append(decimal: place.offset)
        text.append(",\"timestamp\":")
        text.append(decimal: place.timestamp)
        text.append(UInt8(ascii: ","))
        text.append(member: "key", key)
        text.append(UInt8(ascii: ","))
        text.append(member: "value", value)
        text.append(",\"headers\":")
        print(headers, into: &text)
        text.append("}\n")
    }

    /// Adds the headers as an array.
    static func print(_ headers: [RecordHeader], into text: inout TextBuffer) {
        text.append(UInt8(ascii: "["))
        for (index, header) in headers.enumerated() {
            text.append(index == 0 ? "{" : ",{")
            var key = header.key
            key.withUTF8 { text.append(member: "key", $0.span.bytes) }
            text.append(UInt8(ascii: ","))
            if let value = header.value {
                value.withUnsafeBufferPointer { text.append(member: "value", $0.span.bytes) }
            } else {
                text.append(member: "value", nil)
            }
            text.append(UInt8(ascii: "}"))
        }
        text.append(UInt8(ascii: "]"))
    }
}
#endif
