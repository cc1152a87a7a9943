// A logical place in a partition. A place in a file is a position, an Int64: the two do not mix.

/// The number of a record within its partition. The first is 0; gaps may occur.
@frozen
public struct Offset: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The number. What a store gives out is not negative.
    public let rawValue: Int64

    /// The offset with this number.
    @inlinable public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The offset with this number.
    @inlinable public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// By number.
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// The offset `distance` behind this one; a negative distance goes back. Traps beyond 64 bits.
    ///
    /// There is no `Offset − Int64`: beside `Offset − Offset`, a literal could mean either.
    @inlinable public static func + (offset: Self, distance: Int64) -> Self {
        Self(offset.rawValue + distance)
    }

    /// Moves the offset by `distance`.
    @inlinable public static func += (offset: inout Self, distance: Int64) { offset = offset + distance }

    /// How far `b` is before `a`. Not the number of records between them: there may be gaps.
    @inlinable public static func - (a: Self, b: Self) -> Int64 { a.rawValue - b.rawValue }
}

extension Offset: ExpressibleByIntegerLiteral {
    /// The offset that a literal says.
    @inlinable public init(integerLiteral value: Int64) { self.init(value) }
}

extension Offset: CustomStringConvertible {
    /// The number in digits.
    public var description: String { String(rawValue) }
}
