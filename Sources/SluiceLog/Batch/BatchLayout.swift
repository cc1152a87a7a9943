// A record batch, Kafka's RecordBatch v2, the same bytes in memory, in a segment and on the wire. All
// big-endian.
//
//   off  field                   type  note
//     0  base_offset             i64   given by the log when the batch is appended
//     8  batch_length            i32   bytes behind this field: total - 12, at least 49
//    12  partition_leader_epoch  i32   given by the log
//    16  magic                   i8    2
//    17  crc                     u32   CRC-32C of bytes 21 to the end
//    21  attributes              i16   bits 0-2 codec, 3 log append time, 4 transactional, 5 control, 6
//    delete horizon 23  last_offset_delta       i32   the last offset is base_offset + this, also when
//    compaction removed records 27  base_timestamp          i64   ms; that of the first record
//    35  max_timestamp           i64   ms; with bit 3 the time of the append, which then holds for every
//    record 43  producer_id             i64   -1: none
//    51  producer_epoch          i16   -1: none
//    53  base_sequence           i32   -1: none
//    57  records_count           i32   0 in a batch that compaction emptied
//    61  records                       compressed together unless the codec is none
//
//   A record: length varint (bytes behind it) · attributes i8 (0) · timestamp_delta varlong · offset_delta
//   varint
//     · key_length varint (-1: null) · key · value_length varint (-1: null) · value
//     · header_count varint · headers: key_length varint · key · value_length varint (-1: null) · value
//
// Valid iff: magic is 2; 49 <= batch_length; base_offset, last_offset_delta and records_count are not
// negative; the count is at most last_offset_delta + 1; the next offset fits 64 bits; the codec is known;
// the CRC is right; and the records area holds exactly records_count records whose offset deltas rise
// strictly up to last_offset_delta.
//
// (1) Base offset, length, epoch and magic are outside the CRC: the log assigns the first and third in
// place, without touching the payload. (2) Nothing in a batch can be rebuilt: it is the data.
//
// Source: Apache Kafka, DefaultRecordBatch.java and DefaultRecord.java.

/// Where the fields of a batch are, as byte offsets from its start.
package enum BatchLayout {
    package static let baseOffset = 0
    package static let batchLength = baseOffset + 8
    package static let partitionLeaderEpoch = batchLength + 4
    package static let magic = partitionLeaderEpoch + 4
    package static let crc = magic + 1
    package static let attributes = crc + 4
    package static let lastOffsetDelta = attributes + 2
    package static let baseTimestamp = lastOffsetDelta + 4
    package static let maxTimestamp = baseTimestamp + 8
    package static let producerID = maxTimestamp + 8
    package static let producerEpoch = producerID + 8
    package static let baseSequence = producerEpoch + 2
    package static let recordCount = baseSequence + 4
    package static let records = recordCount + 4

    /// Bytes up to and with `batch_length`: what must be read to know how long a batch is.
    package static let lengthPrefix = partitionLeaderEpoch
    /// Bytes of a batch before its records.
    package static let headerBytes = records
    /// The least `batch_length`.
    package static let minBatchLength = headerBytes - lengthPrefix
    /// The only format version that is read or written.
    package static let currentMagic: Int8 = 2
    /// The least bytes of a record: seven fields of one byte.
    package static let minRecordBytes = 7
}

/// The bits of a batch's attributes.
package enum BatchAttributes {
    package static let codecMask: Int16 = 0x07
    package static let logAppendTime: Int16 = 0x08
    package static let transactional: Int16 = 0x10
    package static let control: Int16 = 0x20
    package static let deleteHorizon: Int16 = 0x40
}
