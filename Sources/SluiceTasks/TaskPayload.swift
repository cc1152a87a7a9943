// Tasks as types: what a handler gets and what it gives back, in JSON.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a task is about: a value that its handler gets.
///
/// ```swift
/// struct Thumbnail: TaskPayload {
///     struct Output: Codable, Sendable { var path: String }
///     static let taskName = "thumbnail"
///     var source: String
/// }
/// ```
public protocol TaskPayload: Codable, Sendable {
    /// What the handler returns, and `TaskHandle.result` gives.
    associatedtype Output: Codable & Sendable = NoOutput
    /// The kind of task, as it is in the log: to be kept when the type is renamed. 1 to 249 bytes.
    static var taskName: String { get }
}

/// What a task returns that returns nothing.
public struct NoOutput: Codable, Sendable, Hashable {
    /// Nothing.
    public init() {}
}

/// Payloads and results are JSON: what is in the log can be read by anyone, and fields can be added.
enum TaskCoder {
    static func encode(_ value: some Encodable) throws(TaskError) -> [UInt8] {
        do {
            return [UInt8](try JSONEncoder().encode(value))
        } catch {
            throw .coding(type: "\(type(of: value))", reason: "\(error)")
        }
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: ArraySlice<UInt8>
    ) throws(TaskError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch {
            throw .coding(type: "\(type)", reason: "\(error)")
        }
    }
}
