// The codecs of a batch's records. SluiceLog's `Codec` is the same list with the numbers of the format.

package import SluiceLog

/// How the records of a batch are compressed, all together. Kafka: compression.type.
///
/// There is no case `none`: as a `Compression?`, `.none` would mean nil.
public enum Compression: Hashable, CaseIterable, Sendable {
    /// As they are.
    case uncompressed
    /// The default: the fastest.
    case lz4
    /// For readers that have only this one.
    case gzip
    /// The smallest result.
    case zstd
    /// Near to lz4, for readers that have only this one.
    case snappy

    /// The codec in the engine's words.
    package var codec: Codec {
        switch self {
        case .uncompressed: Codec.none
        case .lz4: .lz4
        case .gzip: .gzip
        case .zstd: .zstd
        case .snappy: .snappy
        }
    }

    /// The engine's codec in the words of the API.
    package init(_ codec: Codec) {
        switch codec {
        case .none: self = .uncompressed
        case .lz4: self = .lz4
        case .gzip: self = .gzip
        case .zstd: self = .zstd
        case .snappy: self = .snappy
        }
    }
}
