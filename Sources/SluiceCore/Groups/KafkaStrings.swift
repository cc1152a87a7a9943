// Strings and runs of bytes as Kafka's formats without tags have them, beside the store's own.
//
//   string   i16 length, UTF-8; null is -1          bytes   i32 length, bytes; null is -1
//   array    i32 count, elements; null is -1
//
// (1) Reading throws on a length below -1, or over what is left. (2) What is written is within i16: callers
// check lengths where strings come in; a longer one is cut rather than trap.

import SluiceLog

extension BinaryWriter {
    /// UTF-8 behind its length as i16; null is -1.
    mutating func putShort(_ string: String?) {
        guard let string else { return put(Int16(-1)) }
        let utf8 = string.utf8.prefix(GroupLimits.stringBytes)
        put(Int16(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    /// Bytes behind their length as i32; null is -1.
    mutating func putRun(_ run: [UInt8]?) {
        guard let run else { return put(Int32(-1)) }
        put(Int32(run.count))
        bytes.append(contentsOf: run)
    }

    /// Partitions, grouped by topic in the order given: array of topic and array of i32.
    mutating func putTopics(_ partitions: [GroupPartition]) {
        let topics = partitions.groupedByTopic()
        put(Int32(topics.count))
        for (topic, numbers) in topics {
            putShort(topic)
            put(Int32(numbers.count))
            for number in numbers { put(number) }
        }
    }
}

extension BinaryReader {
    /// A string that may be null.
    mutating func shortString() throws(MalformedRecord) -> String? {
        let length = try integer(Int16.self)
        if length == -1 { return nil }
        guard let text = String(validating: try bytes(Int(length)), as: UTF8.self) else {
            throw MalformedRecord(reason: "a string is not UTF-8")
        }
        return text
    }

    /// A string that may not be null.
    mutating func requiredString() throws(MalformedRecord) -> String {
        guard let string = try shortString() else { throw MalformedRecord(reason: "a string is null") }
        return string
    }

    /// Bytes that may be null.
    mutating func run() throws(MalformedRecord) -> [UInt8]? {
        let length = try integer(Int32.self)
        return length == -1 ? nil : [UInt8](try bytes(Int(length)))
    }

    /// As many elements as the count says, each at least `minimumBytes` long; null is none.
    mutating func list<Element>(
        minimumBytes: Int, _ each: (inout BinaryReader) throws(MalformedRecord) -> Element
    ) throws(MalformedRecord) -> [Element] {
        let count = Int(try integer(Int32.self))
        if count == -1 { return [] }
        guard count >= 0, count <= left / minimumBytes else {
            throw MalformedRecord(reason: "\(count) elements do not fit \(left) bytes")
        }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try each(&self)) }
        return elements
    }

    /// What `putTopics` wrote.
    mutating func topics() throws(MalformedRecord) -> [GroupPartition] {
        try list(minimumBytes: 6) { reader throws(MalformedRecord) in
            let topic = try reader.requiredString()
            return try reader.list(minimumBytes: 4) { reader throws(MalformedRecord) in
                GroupPartition(topic: topic, partition: try reader.integer())
            }
        }.flatMap { $0 }
    }
}

extension [GroupPartition] {
    /// Topics in the order of their first partition here, each with its partitions.
    func groupedByTopic() -> [(topic: String, partitions: [Int32])] {
        var places: [String: Int] = [:]
        var topics: [(topic: String, partitions: [Int32])] = []
        for partition in self {
            if let last = topics.last, last.topic == partition.topic {
                topics[topics.count - 1].partitions.append(partition.partition)
            } else if let place = places[partition.topic] {
                topics[place].partitions.append(partition.partition)
            } else {
                places[partition.topic] = topics.count
                topics.append((partition.topic, [partition.partition]))
            }
        }
        return topics
    }
}
