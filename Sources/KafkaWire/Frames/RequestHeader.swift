// The headers of frames.
//
//   request    apiKey i16, apiVersion i16, correlationID i32, clientID string; flexible: tagged fields
//   response   correlationID i32;                                              flexible: tagged fields
//
// (1) Nothing in a frame says whether it is flexible: key and version do. (2) The client's name has an i16
// length in flexible requests too. (3) A response to ApiVersions never has tagged fields in its header: a
// client that sends it cannot know yet which versions the broker has.

/// What a request begins with.
package struct RequestHeader: Hashable, Sendable {
    /// The number of the request.
    package var apiKey: Int16 = 0
    /// The version of its layout.
    package var apiVersion: Int16 = 0
    /// The client's number for the request, which the response repeats.
    package var correlationID: Int32 = 0
    /// What the client calls itself. Not read when the request is not known: it is not known where it would
    /// be.
    package var clientID: String?

    package init() {}

    /// The request, when it and its version are known.
    package var api: ApiKey? {
        ApiKey(rawValue: apiKey).flatMap { $0.versions.contains(apiVersion) ? $0 : nil }
    }

    /// Reads or writes the header; what follows is in the layout that it names.
    mutating func code(_ coder: inout some Coder) throws(WireError) {
        try coder.int16(&apiKey)
        try coder.int16(&apiVersion)
        try coder.int32(&correlationID)
        guard let api else { return }
        try coder.nullableString(&clientID)
        coder.begin(api, apiVersion)
        try coder.noTags()
    }
}
