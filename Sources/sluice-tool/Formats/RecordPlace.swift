// Where and when a record is, for printers: they take it wherever it came from.

#if Tool
/// A record's topic, partition, offset and time.
struct RecordPlace {
    var topic: String
    var partition: Int
    var offset: Int64
    /// Milliseconds since 1970.
    var timestamp: Int64
}
#endif
