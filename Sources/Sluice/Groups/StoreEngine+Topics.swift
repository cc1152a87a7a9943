// What groups need to know of the catalogue.

import SluiceLog

extension StoreEngine {
    /// The topics of a subscription that there are. Throws
    /// `illegalConfiguration` for a pattern that is not one.
    func topics(of subscription: TopicSubscription) throws(StreamError) -> [String] {
        let all = partitionCounts()
        switch subscription {
        case .names(let names):
            return names.filter { all[$0] != nil }
        case .pattern(let pattern):
            let expression: Regex<AnyRegexOutput>
            do {
                expression = try Regex(pattern)
            } catch {
                throw .illegalConfiguration(
                    key: "topics", value: pattern, reason: "accepted: a regular expression")
            }
            return all.keys.filter { name in
                // Inner names are not meant by a dot and a star.
                !name.hasPrefix("__") && ((try? expression.wholeMatch(in: name)) ?? nil) != nil
            }
        }
    }

    /// Every topic with its number of partitions.
    func partitionCounts() -> [String: Int32] {
        read { volume in
            Dictionary(uniqueKeysWithValues: volume.topics.map { ($0.name, $0.partitions) })
        }
    }
}
