// The naive decoder's decompressors: others' libraries, and snappy by hand.

import CFuzz

enum Decompressors {
    /// By Kafka's number of the codec.
    static func decompress(_ source: [UInt8], _ codec: Int, _ limit: Int) throws(NaiveFault) -> [UInt8] {
        switch codec {
        case 1: return try call(fuzz_gzip, source, limit)
        case 2: return try snappy(source, limit)
        case 3: return try call(fuzz_lz4, source, limit)
        case 4: return try call(fuzz_zstd, source, limit)
        default: return source
        }
    }

    private typealias Function = (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?, Int) -> Int

    private static func call(
        _ function: Function, _ source: [UInt8], _ limit: Int
    ) throws(NaiveFault) -> [UInt8] {
        // Most inputs need little: the great buffer is made only for those that do not.
        for capacity in [min(limit, 64 << 10), limit] {
            var target = [UInt8](repeating: 0, count: capacity + 1)
            let size = target.withUnsafeMutableBufferPointer { buffer in
                source.withUnsafeBufferPointer {
                    function($0.baseAddress, $0.count, buffer.baseAddress, buffer.count)
                }
            }
            switch size {
            case -1: throw .compression
            case -3: throw .freedom
            case 0...capacity: return [UInt8](target[..<size])
            default: continue
            }
        }
        throw .tooLarge
    }

    // MARK: snappy

    /// xerial's framing, or one raw block.
    private static func snappy(_ source: [UInt8], _ limit: Int) throws(NaiveFault) -> [UInt8] {
        let magic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
        func isFramed(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.count >= 16 && bytes.starts(with: magic) }
        guard !source.isEmpty else { throw .compression }
        guard isFramed(source[...]) else { return try block(source[...], limit) }
        var rest = source[...]
        var output: [UInt8] = []
        while !rest.isEmpty {
            if isFramed(rest) {
                rest = rest.dropFirst(16)
                continue
            }
            guard rest.count >= 4 else { throw .compression }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length > 0, length <= rest.count else { throw .compression }
            output += try block(rest.prefix(length), limit - output.count)
            rest = rest.dropFirst(length)
        }
        return output
    }

    /// One raw block: format_description.txt of snappy.
    private static func block(_ source: ArraySlice<UInt8>, _ limit: Int) throws(NaiveFault) -> [UInt8] {
        var rest = source
        var length = 0
        for place in 0... {
            guard place < 5, let byte = rest.popFirst() else { throw .compression }
            length |= Int(byte & 0x7F) << (7 * place)
            if byte < 0x80 { break }
        }
        guard length <= UInt32.max else { throw .compression }
        guard length <= limit else { throw .tooLarge }
        var output: [UInt8] = []
        func number(_ count: Int) throws(NaiveFault) -> Int {
            guard rest.count >= count else { throw .compression }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        while let tag = rest.popFirst() {
            let high = Int(tag >> 2)
            if tag & 3 == 0 {
                let count = try high < 60 ? high + 1 : number(high - 59) + 1
                guard count <= rest.count, output.count + count <= length else { throw .compression }
                output += rest.prefix(count)
                rest = rest.dropFirst(count)
                continue
            }
            let count = tag & 3 == 1 ? (high & 7) + 4 : high + 1
            let offset =
                switch tag & 3 {
                case 1: try number(1) | (high >> 3) << 8
                case 2: try number(2)
                default: try number(4)
                }
            guard offset > 0, offset <= output.count, output.count + count <= length else {
                throw .compression
            }
            for _ in 0..<count { output.append(output[output.count - offset]) }
        }
        guard output.count == length else { throw .compression }
        return output
    }
}
