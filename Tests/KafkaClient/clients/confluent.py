"""confluent-kafka, which is librdkafka: its checks against a broker."""

import sys
import threading
import time

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic, OffsetSpec, ResourceType)

from harness import ACKS, CODECS, RECORDS, Checks, Cutter, expect, key, value, within

BROKER = sys.argv[1]
checks = Checks("confluent-kafka", f"{confluent_kafka.version()[0] if isinstance(confluent_kafka.version(), tuple) else confluent_kafka.version()} (librdkafka {confluent_kafka.libversion()[0]})", BROKER)
admin = AdminClient({"bootstrap.servers": BROKER})


def create(name, partitions=1, **config):
    topic = checks.topic(name)
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(10)
    return topic


def produce(topic, count=RECORDS, timestamp=0, first=0, broker=BROKER, **config):
    failed = []
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 5, **config})
    for number in range(first, first + count):
        producer.produce(topic, value(number), key(number), timestamp=timestamp and timestamp + number,
                         on_delivery=lambda error, _: error and failed.append(error))
    expect(producer.flush(20) == 0, "not all was delivered")
    expect(not failed, failed[:1])


def consume(topic, count, partitions=1, start=0, broker=BROKER):
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "none", "check.crcs": True})
    consumer.assign([TopicPartition(topic, number, start) for number in range(partitions)])
    got = []
    within(20, lambda: got.extend(message for message in consumer.consume(1000, 0.2) if not message.error())
           or len(got) >= count)
    consumer.close()
    return got


def codec(name):
    def run():
        topic = create(f"codec-{name}")
        for acks in ACKS:
            produce(topic, **{"compression.type": name, "acks": acks})
        got = consume(topic, RECORDS * len(ACKS))
        expect([message.value() for message in got] == [value(n) for n in range(RECORDS)] * 3, "other records")
    return run


def idempotence():
    with Cutter(sys.argv[2:4]) as cutter:
        topic = checks.topic("idempotent")
        produce(topic, broker=cutter.address, **{
            "enable.idempotence": True, "batch.num.messages": 5, "reconnect.backoff.ms": 10, "retry.backoff.ms": 10})
        got = consume(topic, RECORDS, broker=cutter.address)
        expect([message.value() for message in got] == [value(n) for n in range(RECORDS)], "other records")
        return cutter.told()


def timed_seek():
    topic = create("times")
    produce(topic, timestamp=1_600_000_000_000)
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": "none"})
    found = consumer.offsets_for_times([TopicPartition(topic, 0, 1_600_000_000_050)], timeout=10)
    expect(found[0].offset == 50, found)
    end = consumer.offsets_for_times([TopicPartition(topic, 0, 1_700_000_000_000)], timeout=10)
    expect(end[0].offset == confluent_kafka.OFFSET_END, end)
    consumer.close()
    expect(consume(topic, RECORDS - 50, start=50)[0].value() == value(50), "another record")


def group():
    topic = create("group", 4)
    produce(topic)
    name, seen, lock, stop = topic + "-g", {}, threading.Lock(), threading.Event()
    owned = {}

    def member(number, until):
        consumer = Consumer({"bootstrap.servers": BROKER, "group.id": name, "auto.offset.reset": "earliest",
                             "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                             "partition.assignment.strategy": "cooperative-sticky"})
        consumer.subscribe([topic])
        while not until.is_set():
            for message in consumer.consume(100, 0.1):
                if not message.error():
                    with lock:
                        seen[message.value()] = seen.get(message.value(), 0) + 1
            owned[number] = {place.partition for place in consumer.assignment()}
        consumer.close()
        owned[number] = set()

    first, second = threading.Event(), threading.Event()
    threads = [threading.Thread(target=member, args=(1, first))]
    threads[0].start()
    within(20, lambda: len(owned.get(1, ())) == 4 or time.sleep(0.1))
    threads.append(threading.Thread(target=member, args=(2, second)))
    threads[1].start()
    within(20, lambda: sorted(len(owned.get(n, ())) for n in (1, 2)) == [2, 2] or time.sleep(0.1))
    expect(not owned[1] & owned[2], owned)
    first.set()
    threads[0].join()
    within(20, lambda: len(owned[2]) == 4 or time.sleep(0.1))
    produce(topic, first=RECORDS)
    within(20, lambda: len(seen) == 2 * RECORDS or time.sleep(0.1))
    second.set()
    threads[1].join()
    expect(set(seen.values()) == {1}, "a record came twice")


def commit():
    topic = create("commit")
    produce(topic)
    settings = {"bootstrap.servers": BROKER, "group.id": topic + "-g", "auto.offset.reset": "earliest",
                "enable.auto.commit": False}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    got = []
    within(20, lambda: got.extend(m for m in consumer.consume(120, 0.2) if not m.error()) or len(got) >= 120)
    consumer.commit(offsets=[TopicPartition(topic, 0, 120)], asynchronous=False)
    consumer.close()
    again = Consumer(settings)
    again.subscribe([topic])
    message = within(20, lambda: again.poll(0.2))
    expect(message.offset() == 120, message.offset())
    again.close()


def admin_topics():
    topic = create("admin", 2, **{"retention.ms": "100000"})
    expect(len(admin.list_topics(topic, 10).topics[topic].partitions) == 2, "other partitions")
    admin.create_partitions([NewPartitions(topic, 5)])[topic].result(10)
    expect(len(admin.list_topics(topic, 10).topics[topic].partitions) == 5, "other partitions")
    produce(topic)
    described = admin.describe_topics(confluent_kafka.TopicCollection([topic]))[topic].result(10)
    expect(len(described.partitions) == 5, described)
    place = TopicPartition(topic, 0)
    end = admin.list_offsets({place: OffsetSpec.latest()})[place].result(10).offset
    admin.delete_records([TopicPartition(topic, 0, end)])[TopicPartition(topic, 0, end)].result(10)
    expect(admin.list_offsets({place: OffsetSpec.earliest()})[place].result(10).offset == end, "another start")
    admin.delete_topics([topic])[topic].result(10)
    expect(topic not in admin.list_topics(timeout=10).topics, "it is still there")


def admin_configs():
    topic = create("configs", 1, **{"retention.ms": "100000"})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    expect(admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "100000", "another")
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    admin.incremental_alter_configs([change])[change].result(10)
    found = admin.describe_configs([resource])[resource].result(10)
    expect(set(found["cleanup.policy"].value.split(",")) == {"compact", "delete"}, found["cleanup.policy"].value)
    expect(found["retention.ms"].value == "604800000" and found["retention.ms"].is_default, "no default")


def admin_groups():
    topic = create("groups")
    produce(topic)
    name = topic + "-g"
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": name, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    within(20, lambda: consumer.poll(0.2))
    consumer.commit(asynchronous=False)
    expect(name in {g.group_id for g in admin.list_consumer_groups().result(10).valid}, "it is not listed")
    described = admin.describe_consumer_groups([name])[name].result(10)
    expect(described.members[0].assignment.topic_partitions[0].topic == topic, described)
    consumer.close()
    request = [ConsumerGroupTopicPartitions(name, [TopicPartition(topic, 0, 7)])]
    admin.alter_consumer_group_offsets(request)[name].result(10)
    listed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name].result(10)
    expect(listed.topic_partitions[0].offset == 7, listed.topic_partitions)
    admin.delete_consumer_groups([name])[name].result(10)
    expect(name not in {g.group_id for g in admin.list_consumer_groups().result(10).valid}, "it is still there")


def cluster():
    described = admin.describe_cluster().result(10)
    expect(len(described.nodes) == 1 and described.controller.id == described.nodes[0].id, described)


def transactions():
    producer = Producer({"bootstrap.servers": BROKER, "transactional.id": checks.run})
    try:
        producer.init_transactions(3)
    except confluent_kafka.KafkaException as error:
        return f"refused: {error.args[0].name()}"
    raise AssertionError("a transaction was begun")


for name in CODECS:
    checks.check(f"produce and consume, {name}, acks 0, 1 and all", codec(name))
checks.check("idempotent producer: each record once and in order", idempotence)
checks.check("seek by time", timed_seek)
checks.check("group: members come and go, each record once", group)
checks.check("commit, and go on there", commit)
checks.check("admin: topics, partitions, records", admin_topics)
checks.check("admin: settings", admin_configs)
checks.check("admin: groups and offsets", admin_groups)
checks.check("admin: cluster", cluster)
checks.check("transactions are refused", transactions)
