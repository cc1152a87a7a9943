// Bugs that are put in on purpose, to see whether the tests find them.
//
// Each stands where one would be made: `if !PlantedBug.x.isPlanted { … }`. Without the trait PlantedBugs
// `isPlanted` is a constant, and the optimiser leaves nothing of it. With the trait SLUICE_BUG names the one
// in force; `Scripts/planted-bugs` takes one after another.

#if SLUICE_PLANTED
#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
#endif

/// A bug that can be planted.
package enum PlantedBug: String, Sendable, CaseIterable {
    // Promises
    case acknowledgeAtWrite, failedSyncCounts, failedCommitCounts, showBeforeDurable, answerDeletionEarly
    // Syncs
    case commitWithoutSync, segmentWithoutSync, rollWithoutSync, closeWithoutSync, manifestWithoutSync
    case segmentNameNotSynced, partitionNameNotSynced, journalNameNotSynced, manifestNameNotSynced
    case healWithoutRewriting
    // The journal, and how far the log is safe
    case journalEntryMissing, journalReusedEarly, recoveryPointEarly, windowIgnored, promiseIgnored
    // Recovery
    case journalIgnored, journalNotSecured, tailNotRewritten, lastBatchCut, offsetsUsedTwice, tornBatchTaken
    case journalSequenceUsedTwice
    // Order, wholeness, space
    case orderForgotten, partOfBatchLeft, waitersForgotten, growthNotCounted, reservationKept
    // Records that go
    case consumedFloorIgnored, olderValueKept, tombstoneDroppedEarly, swapWithoutSync, renameBeforeRecord
    // Idempotent producers
    case producersForgotten, producersAheadOfPoint, sequenceGapTaken, rememberedBeforeWritten
    case duplicateAnsweredEarly, producerIDsGivenTwice
    // Groups
    case staleGenerationCommits, commitDuringRebalance, failedStoreCounts
    // Tasks
    case staleTokenHolds, heartbeatShortens, attemptNotCounted, leaseNotWritten, groupLeftEarly
    case taskDueEarly, momentFiredAgain, uniqueKeyForgotten, poisonInCompany, resultForgotten
    case bucketFullAtOpening, tenantLeftAside, tenantNotSettled, limitsNotWritten
    case predecessorRemoved, failureNotPassedOn, firstOfAllIsEnough

    // Messages
    case deliveryNotCounted, delayNotCommitted, windowNotCommitted, staleMessageHolds, refusedBurialKept

    #if SLUICE_PLANTED
    private static let inForce = getenv("SLUICE_BUG").flatMap { PlantedBug(rawValue: String(cString: $0)) }

    /// Whether this one is in force.
    package var isPlanted: Bool { Self.inForce == self }
    #else
    /// Whether this one is in force.
    @inline(__always) package var isPlanted: Bool { false }
    #endif
}
