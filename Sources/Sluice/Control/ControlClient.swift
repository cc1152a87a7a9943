// Asking a live store: for the command line. Blocking, one request a connection.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import CSluiceSystem
package import SluiceCore
import SluiceLog

/// Speaks to the process that has a store open.
package enum ControlClient {
    /// What the store answered.
    package enum Answer: Sendable {
        case result(JSONValue)
        case refused(code: String, message: String)
        /// Nobody listens there, or whoever did has gone away.
        case silent
    }

    /// Sends one request and waits for its answer. Blocks; the answer may take long.
    package static func ask(_ store: String, _ request: String, _ members: [String: JSONValue]) -> Answer {
        let file = sluice_control_connect(store)
        guard file >= 0 else { return .silent }
        defer { close(file) }
        var input = ControlInput()
        return exchange(message(request, members), over: file, &input)
    }

    /// The bytes of a request.
    static func message(_ request: String, _ members: [String: JSONValue]) -> [UInt8] {
        var message = members
        message["version"] = .integer(ControlMessage.version)
        message["request"] = .string(request)
        return ControlMessage.encode(.object(message))
    }

    /// Sends a request over a connection that has none under way, and waits for its answer.
    static func exchange(_ bytes: [UInt8], over file: Int32, _ input: inout ControlInput) -> Answer {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { sluice_send(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return .silent }
            sent += count
        }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            switch input.next() {
            case .message(let bytes): return answer(bytes)
            case .broken: return .silent
            case .incomplete: break
            }
            let count = buffer.withUnsafeMutableBytes { sluice_receive(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return .silent }
            input.append(buffer[..<count])
        }
    }

    private static func answer(_ bytes: [UInt8]) -> Answer {
        guard let answer = try? JSONValue(parsing: bytes) else { return .silent }
        if let error = answer["error"] {
            return .refused(
                code: error["code"]?.string ?? "failed",
                message: error["message"]?.string ?? "It did not say why.")
        }
        return .result(answer["result"] ?? .null)
    }
}
