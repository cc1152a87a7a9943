// The words of `produce` for levels of acknowledgement and codecs.

#if Tool
import ArgumentParser
import Sluice

/// `--acks`
enum AcksArgument: String, ExpressibleByArgument, CaseIterable {
    case durable, written, none

    var level: Acknowledgement {
        switch self {
        case .durable: .durable
        case .written: .written
        case .none: .none
        }
    }
}

/// `-z`
enum CodecArgument: String, ExpressibleByArgument, CaseIterable {
    case none, gzip, snappy, lz4, zstd

    var codec: Compression {
        switch self {
        case .none: .uncompressed
        case .gzip: .gzip
        case .snappy: .snappy
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }
}
#endif
