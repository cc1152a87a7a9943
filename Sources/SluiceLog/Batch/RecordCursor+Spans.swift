// A cursor's key and value as spans.

extension RecordCursor {
    /// The key; nil is Kafka's null. The batch must be alive.
    package var keySpan: RawSpan? {
        @_lifetime(borrow self)
        get {
            guard let key else { return nil }
            return unsafe _overrideLifetime(RawSpan(_unsafeStart: key, byteCount: keyCount), borrowing: self)
        }
    }

    /// The value; nil is Kafka's null. The batch must be alive.
    package var valueSpan: RawSpan? {
        @_lifetime(borrow self)
        get {
            guard let value else { return nil }
            return unsafe _overrideLifetime(
                RawSpan(_unsafeStart: value, byteCount: valueCount), borrowing: self)
        }
    }
}
