// Headers are the engine's own type, so that nothing is copied at the border.
//
// A typealias is not enough: a client that has the upcoming feature MemberImportVisibility would see the name
// without its members (tried with Swift 6.3.1). This export brings the one type, and none of SluiceLog's
// other names.

@_exported public import struct SluiceLog.RecordHeader
