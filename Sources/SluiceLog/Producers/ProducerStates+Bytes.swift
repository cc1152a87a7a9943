// What is known of producers, as bytes of the manifest. All big-endian.
//
//   count u32 · producers: id i64 · epoch i16 · last append i64 · count u8 · batches, oldest first:
//     first sequence i32 · last sequence i32 · base offset i64 · timestamp i64
//
// Valid iff: ids, epochs, sequences and offsets are not negative, and a producer has one to five batches. In
// the order of the ids, so that the same state has the same bytes.

extension ProducerStates {
    /// No fewer bytes than it is encoded in.
    var mostBytes: Int { 4 + count * Self.mostBytesPerProducer }

    static let mostBytesPerProducer = 19 + ProducerState.keptBatches * 24

    func encode(into writer: inout BinaryWriter) {
        writer.put(byID.sorted { $0.key < $1.key }) { writer, producer in
            writer.put(producer.key)
            writer.put(producer.value.epoch)
            writer.put(producer.value.lastAppend)
            writer.put(UInt8(producer.value.batches.count))
            for batch in producer.value.batches {
                writer.put(batch.firstSequence)
                writer.put(batch.lastSequence)
                writer.put(batch.baseOffset)
                writer.put(batch.timestamp)
            }
        }
    }

    init(from reader: inout BinaryReader) throws(MalformedRecord) {
        self.init()
        let producers = try reader.array(minimumBytes: 43, Self.producer)
        for (id, state) in producers { set(id, state) }
    }

    private static func producer(
        _ reader: inout BinaryReader
    ) throws(MalformedRecord) -> (Int64, ProducerState) {
        let id: Int64 = try reader.integer()
        var state = ProducerState(
            epoch: try reader.integer(), lastAppend: try reader.integer(), batches: [])
        let count = Int(try reader.integer(UInt8.self))
        guard id >= 0, state.epoch >= 0, (1...ProducerState.keptBatches).contains(count) else {
            throw MalformedRecord(reason: "producer \(id) of epoch \(state.epoch) with \(count) batches")
        }
        for _ in 0..<count {
            let batch = KeptBatch(
                firstSequence: try reader.integer(), lastSequence: try reader.integer(),
                baseOffset: try reader.integer(), timestamp: try reader.integer())
            guard batch.firstSequence >= 0, batch.lastSequence >= 0,
                0...Limits.endOffset ~= batch.baseOffset
            else {
                throw MalformedRecord(reason: "producer \(id) with a batch at \(batch.baseOffset)")
            }
            state.batches.append(batch)
        }
        return (id, state)
    }
}
