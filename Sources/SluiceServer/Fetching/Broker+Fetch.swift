// Fetch: whole batches, as they are on the disk.
//
//   look whether anything is there ─ no ─► wait for a watermark, the clock, or a request behind it ─┐
//        ▲ yes: memory for the answer ─► read ─► enough, an error, or late? answer ─ no ─────────────┤
//        └───────────────────────────────────────────────────────────────────────────────────────────┘
//
// (1) Nothing is decoded. (2) What is in the page cache is read here; the rest by the store's readers. (3) A
// fetch that waits has no memory.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

extension Broker {
    /// Answers a fetch, when there is enough or its time is over.
    nonisolated(nonsending) func fetch(
        _ request: FetchRequest, _ context: RequestContext, _ session: FetchSession
    ) async -> Answer {
        if request.sessionEpoch > 0 {
            // A place in a session that was never given.
            return .response(.fetch(.with { $0.errorCode = .fetchSessionIdNotFound }))
        }
        let throttle = charge(0, context.clientID, .consumed)
        let work = FetchWork(request, session.topics, version: context.version)
        if throttle > 0 {
            metrics.throttle()
            var response = work.response([:])
            response.throttleTimeMs = throttle.throttleMilliseconds
            return .response(.fetch(response), throttleNanoseconds: throttle)
        }
        let limit = work.limit(settings.fetchBytes)
        let deadline = Instant.monotonicNow.addingSaturated(
            Int64(min(max(request.maxWaitMs, 0), Self.longestWaitMs)) * 1_000_000)
        while true {
            // Held before it is looked: what comes in between is not missed.
            let held = delayedFetches.hold(work.numbers, until: deadline)
            defer { delayedFetches.release(held) }
            let mayWait = Instant.monotonicNow < deadline && session.holds(held) && !work.hasError
            let isThere = work.look(served)
            if isThere || !mayWait {
                guard await responses.take(limit) else { return .close }
                let runs = isThere ? await read(work, limit, session) : [:]
                let bytes = runs.values.reduce(0) { $0 + $1.bytes }
                if bytes >= Int(request.minBytes) || !mayWait || work.hasError {
                    return answer(work, runs, bytes, reserved: limit, context)
                }
                responses.giveBack(limit)
            }
            guard await held.woken.value() == true, !Task.isCancelled else { return .close }
        }
    }

    /// Of Kafka's clients the greatest default is half a second.
    private static let longestWaitMs: Int32 = 300_000

    private func answer(
        _ work: FetchWork, _ runs: [Int: FetchWork.Read], _ bytes: Int, reserved: Int,
        _ context: RequestContext
    ) -> Answer {
        let held = min(reserved, bytes)
        responses.giveBack(reserved - held)
        _ = charge(bytes, context.clientID, .consumed)
        metrics.fetch(bytes: bytes)
        let records = runs.sorted { $0.key < $1.key }.compactMap { $0.value.run?.bytes }
        let budget = responses
        let written: @Sendable () -> Void = { budget.giveBack(held) }
        return .response(.fetch(work.response(runs)), records: records, written: written)
    }

    /// Reads until the limit: first what is in memory, then the rest. One batch is given however large it is,
    /// so that a reader comes on; what else there is must fit.
    private nonisolated(nonsending) func read(
        _ work: FetchWork, _ limit: Int, _ session: FetchSession
    ) async -> [Int: FetchWork.Read] {
        var reads: [Int: FetchWork.Read] = [:]
        var slow: [(index: Int, bytes: Int)] = []
        var left = limit
        for index in work.readable {
            let part = work.parts[index]
            guard let number = part.number, left > 0 || reads.isEmpty && slow.isEmpty else { break }
            let bytes = min(left, part.maxBytes)
            do throws(LogError) {
                guard let plan = try served.plan(number, at: part.offset, session.place(number)) else {
                    continue
                }
                guard let run = try served.readNoWait(plan, maxBytes: bytes) else {
                    slow.append((index, bytes))
                    // As much is set aside for it.
                    left -= bytes
                    continue
                }
                left -= run.bytes.count
                reads[index] = FetchWork.Read(run: run)
            } catch {
                reads[index] = FetchWork.Read(failure: WireFailure(error, at: part.place))
            }
        }
        if !slow.isEmpty {
            let (served, parts) = (served, work.parts)
            let found = await served.onReader { [slow] in
                slow.map { parts[$0.index].read(served, maxBytes: $0.bytes) }
            }
            for ((index, _), read) in zip(slow, found) { reads[index] = read }
        }
        var sum = 0
        for (index, read) in reads.sorted(by: { $0.key < $1.key }) {
            if sum > 0, read.bytes > limit - sum {
                reads[index] = nil
                continue
            }
            sum += read.bytes
            if let number = work.parts[index].number { session.remember(read.run?.next, number) }
        }
        return reads
    }
}
