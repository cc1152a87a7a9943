// The table in Docs/Configuration.md is the table in the code.

import Foundation
import SluiceCore
import Testing

@Suite struct ConfigurationDocumentTests {
    @Test func `the document has the table of the code, row for row`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "Docs/Configuration.md"), encoding: .utf8)
        #expect(
            document.contains(TopicSettings.Keys.markdown),
            "Docs/Configuration.md should hold:\n\(TopicSettings.Keys.markdown)")
    }
}
