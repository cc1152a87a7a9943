// The Produce requests of one connection: batches checked and handed to the log in their order, answers put
// together as the log gives them.
//
// (1) Checking and handing over is done for one request after the other; what follows is begun while the log
// works on what came before. (2) A batch is taken or refused at once, never held: design, section 7. (3) The
// sequence numbers of idempotent producers pass through with the batch: the log judges them, in its append
// path. A refusal of its own does not become one of later batches, which have sequences too, and may be of
// the next epoch; any other refusal does: to a log that does not know the producer, the second batch would be
// as good a first one as the first.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

/// Produces for one connection. Called by one task.
final class ProduceSession: Sendable {
    private let broker: Broker
    private let sender: BatchSender
    private let refusals: Locked<RefusalMemory>
    private let topics: KnownTopics
    private let check = Locked(BatchCheck())

    init(_ broker: Broker, _ topics: KnownTopics) {
        self.broker = broker
        self.topics = topics
        refusals = Locked(RefusalMemory(graceNanoseconds: broker.settings.refusalGraceNanoseconds))
        sender = BatchSender(broker.served)
    }

    /// Takes a request. `reply` is called once, when all of it is as durable as was asked for.
    func produce(
        _ request: ProduceRequest, in frame: ByteBuffer, _ context: RequestContext,
        _ reply: @escaping @Sendable (Answer) -> Void
    ) {
        let acks = Acks(wire: request.acks)
        let answer = ProduceAnswer(request) { [self] outcome in
            finish(outcome, request.acks, bytes: frame.count, context, reply)
        }
        var refusal: ProduceRefusal?
        if !ApiKey.produce.servedVersions.contains(context.version) {
            refusal = ProduceRefusal(.unsupportedVersion, "Record formats 0 and 1 are not taken.")
        } else if request.transactionalID != nil {
            refusal = ProduceRefusal(.invalidTxnState, "There are no transactions here.")
        } else if acks == nil {
            refusal = ProduceRefusal(.invalidRequiredAcks, "acks is one of 0, 1 and -1 (all).")
        }
        for (topicIndex, topic) in request.topicData.enumerated() {
            for (index, partition) in topic.partitionData.enumerated() {
                let place = ProduceAnswer.Place(topic: topicIndex, partition: index)
                if let refusal {
                    answer.refused(place, refusal)
                } else if let acks {
                    let records = partition.records.map {
                        ByteSlice(frame, start: $0.lowerBound, count: $0.count)
                    }
                    append(
                        records, to: topic.name, partition.index, acks, context.version, place, answer)
                }
            }
        }
        answer.allSent()
    }

    private func append(
        _ records: ByteSlice?, to name: String, _ partition: Int32, _ acks: Acks, _ version: Int16,
        _ place: ProduceAnswer.Place, _ answer: ProduceAnswer
    ) {
        guard let topic = topics.topic(name), let number = topic.number(partition) else {
            return answer.refused(
                place, ProduceRefusal(.unknownTopicOrPartition, "There is no \(name)-\(partition)."))
        }
        guard !topic.isInternal else {
            return answer.refused(
                place, ProduceRefusal(.invalidTopicException, "\(name) is written by groups alone."))
        }
        do throws(ProduceRefusal) {
            guard let records else { throw ProduceRefusal(.invalidRecord, "There is no batch in it.") }
            let header = try check.withLock { check throws(ProduceRefusal) in
                try check.check(records, topic.settings, version: version)
            }
            answer.noteRecords(Int(header.recordCount))
            hand(
                records, header, to: TopicPartition(topic: name, partition: Int(partition)), number, acks,
                place, answer)
        } catch {
            answer.refused(place, error)
        }
    }

    /// Takes a batch that was checked, or refuses it.
    private func hand(
        _ records: ByteSlice, _ header: BatchHeader, to partition: TopicPartition, _ number: Int,
        _ acks: Acks, _ place: ProduceAnswer.Place, _ answer: ProduceAnswer
    ) {
        // Before the refusals: what fails in between is refused by the volume.
        let failuresSeen = sender.failures(in: number)
        let inOrder = refusals.withLock { $0.check(number, crc: header.crc, now: Instant.monotonicNow) }
        if let inOrder { return refuse(place, inOrder, number, header, answer) }
        switch sender.admit(records.count, topic: partition.topic) {
        case .refused(let busy):
            broker.metrics.refuse()
            return refuse(place, ProduceRefusal(busy), number, header, answer)
        case .accepted(let throttle): answer.throttle(throttle)
        }
        let batch = BatchSender.Batch(
            bytes: records, recordCount: Int(header.recordCount), maxTimestamp: header.maxTimestamp,
            isIdempotent: header.producerID >= 0)
        sender.submit(
            batch, to: number, of: partition.topic, acks, failuresSeen: failuresSeen
        ) { [self] result in
            switch result {
            case .success(let appended): answer.appended(place, appended, number)
            case .failure(let error) where error.isAboutSequence:
                answer.refused(place, ProduceRefusal(error, partition))
            case .failure(let error):
                refuse(place, ProduceRefusal(error, partition), number, header, answer)
            }
        }
    }

    private func refuse(
        _ place: ProduceAnswer.Place, _ refusal: ProduceRefusal, _ number: Int, _ header: BatchHeader,
        _ answer: ProduceAnswer
    ) {
        refusals.withLock { $0.refused(number, crc: header.crc, refusal) }
        answer.refused(place, refusal, in: number)
    }

    /// All batches of a request have their outcome.
    private func finish(
        _ outcome: ProduceAnswer.Outcome, _ acks: Int16, bytes: Int, _ context: RequestContext,
        _ reply: @Sendable (Answer) -> Void
    ) {
        let quota = broker.charge(bytes, context.clientID, .produced)
        let throttle = max(outcome.throttleNanoseconds, quota)
        if throttle > 0 { broker.metrics.throttle() }
        broker.metrics.produce(records: outcome.records)
        guard acks != 0 else {
            noteWritten(outcome.refused)
            return reply(outcome.hasFailed ? .close : .nothing(throttleNanoseconds: throttle))
        }
        var response = outcome.response
        response.throttleTimeMs = throttle.throttleMilliseconds
        if context.version >= 5 { fillLogStarts(&response, outcome.numbers) }
        var written: (@Sendable () -> Void)?
        if !outcome.refused.isEmpty { written = { [self] in noteWritten(outcome.refused) } }
        reply(.response(.produce(response), throttleNanoseconds: throttle, written: written))
    }

    private func noteWritten(_ refused: [Int: Int]) {
        refusals.withLock { refusals in
            for (number, count) in refused { refusals.written(number, count, now: Instant.monotonicNow) }
        }
    }

    private func fillLogStarts(_ response: inout ProduceResponse, _ numbers: [ProduceAnswer.Place: Int]) {
        let all = numbers.sorted { $0.value < $1.value }
        for (entry, ends) in zip(all, broker.served.ends(of: all.map(\.value))) {
            let place = entry.key
            response.responses[place.topic].partitionResponses[place.partition].logStartOffset =
                ends?.logStart ?? -1
        }
    }
}

extension Acks {
    /// nil: there is no such level.
    init?(wire: Int16) {
        switch wire {
        case 0: self = .none
        case 1: self = .written
        case -1: self = .durable
        default: return nil
        }
    }
}
