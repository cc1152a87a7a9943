// How a queue of messages behaves.

public import Sluice
import SluiceCore
import SluiceLog

/// Where a message goes that was rejected, or delivered as often as it may be.
public enum DeadLetters: Hashable, Sendable {
    /// To the topic `TOPIC.GROUP.dead`, which is made when it is first needed, of one partition that keeps
    /// its records for 14 days.
    case standard
    /// To a topic, which is made in the same way when it is missing.
    case topic(String)
    /// Nowhere: it is settled.
    case drop
}

/// How a queue of messages behaves.
public struct MessageQueueConfiguration: Hashable, Sendable {
    /// How long a message is hidden from others while somebody has it, 1 ms to 12 hours. SQS:
    /// VisibilityTimeout. Kafka: group.share.record.lock.duration.ms.
    public var visibility = Duration.seconds(30)
    /// How often a message is delivered before it goes to the dead letters, 1 to 100. SQS: maxReceiveCount.
    /// Kafka: group.share.delivery.count.limit.
    public var deliveryLimit = 5
    /// Where dead letters go.
    public var deadLetters = DeadLetters.standard
    /// Where the group begins in a partition of which it has committed nothing. Kafka:
    /// share.auto.offset.reset.
    public var start = Position.earliest
    /// How many messages of a partition are taken ahead of those who ask, 1 to 200: one commit counts their
    /// deliveries. AMQP: prefetch.
    public var prefetch = 64

    /// The defaults, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// Throws `illegal` for the first property that is out of its range.
    func validate() throws(TaskError) {
        guard (1...MessageLimits.visibilityMilliseconds).contains(visibility.milliseconds) else {
            throw .illegal(reason: "a message's visibility is 1 ms to 12 hours, not \(visibility)")
        }
        guard MessageLimits.deliveries.contains(deliveryLimit) else {
            throw .illegal(reason: "a message's limit of deliveries is 1 to 100, not \(deliveryLimit)")
        }
        guard MessageLimits.prefetch.contains(prefetch) else {
            throw .illegal(reason: "1 to 200 messages are taken ahead, not \(prefetch)")
        }
    }

    /// The topic of the dead letters; nil when they are dropped.
    func deadTopic(of topic: String, _ group: String) -> String? {
        switch deadLetters {
        case .standard: "\(topic).\(group).dead"
        case .topic(let name): name
        case .drop: nil
        }
    }

    var machine: MessageConfiguration {
        MessageConfiguration {
            $0.deliveryLimit = deliveryLimit
            $0.prefetch = prefetch
            $0.visibilityMilliseconds = visibility.milliseconds
            $0.dropsDead = deadLetters == .drop
        }
    }
}
