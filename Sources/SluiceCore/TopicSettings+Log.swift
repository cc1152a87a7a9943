// The part of a topic's settings that the engine obeys; compression.type is for producers to obey.

package import SluiceLog

extension TopicSettings {
    /// The settings as the log wants them. They are valid.
    package var log: LogSettings {
        var log = LogSettings()
        log.segmentBytes = segmentBytes
        log.adaptsSegments = segmentBytes == Keys.segmentBytes.standard
        log.segmentMilliseconds = segmentMilliseconds
        log.indexIntervalBytes = indexIntervalBytes
        log.retentionMilliseconds = retentionMilliseconds
        log.retentionBytes = retentionBytes
        log.promiseMilliseconds = retentionPromiseMilliseconds
        log.maxMessageBytes = Int(maxMessageBytes)
        log.isDurable = durability == .durable
        log.usesLogAppendTime = timestampType == .logAppendTime
        log.isDeleted = cleanupPolicy.contains(.delete)
        log.isCompacted = cleanupPolicy.contains(.compact)
        log.deleteRetentionMilliseconds = deleteRetentionMilliseconds
        log.minDirtyRatio = minCleanableDirtyRatio
        log.minCompactionLagMilliseconds = minCompactionLagMilliseconds
        log.isUntilConsumed = retention == .untilConsumed
        return log
    }
}
