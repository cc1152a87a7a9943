// What a long test counts, for the page of figures: a line that Scripts/torture reads.

import Foundation

/// Prints figures that a run has added up.
func printFigures(_ figures: [String: Int]) {
    guard let data = try? JSONSerialization.data(withJSONObject: figures, options: .sortedKeys) else {
        return
    }
    print("figures: \(String(decoding: data, as: UTF8.self))")
}
