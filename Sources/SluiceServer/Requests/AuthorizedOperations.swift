// What a client may do: everything that there is, since nobody is kept from anything who is let in.
//
// A bit for each operation, by Kafka's number: 3 read, 4 write, 5 create, 6 delete, 7 alter, 8 describe,
// 9 cluster action, 10 describe configs, 11 alter configs, 12 idempotent write.

/// Bits of operations, told to those who ask.
enum AuthorizedOperations {
    static let topic = bits(3, 4, 5, 6, 7, 8, 10, 11)
    static let group = bits(3, 6, 8)
    static let cluster = bits(5, 7, 8, 9, 10, 11, 12)

    private static func bits(_ operations: Int32...) -> Int32 { operations.reduce(0) { $0 | 1 << $1 } }
}
