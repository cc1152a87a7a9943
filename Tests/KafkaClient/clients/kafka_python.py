"""kafka-python, 2.x and 3.x: its checks against a broker."""

import sys
import threading
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

from harness import ACKS, CODECS, RECORDS, Checks, Cutter, Skip, expect, key, value, within

BROKER = sys.argv[1]
MAJOR = int(kafka.__version__.split(".")[0])
checks = Checks(f"kafka-python {MAJOR}.x", kafka.__version__, BROKER)
admin = KafkaAdminClient(bootstrap_servers=BROKER)


def create(name, partitions=1, **config):
    topic = checks.topic(name).replace(" ", "-")
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or None)])
    return topic


def produce(topic, count=RECORDS, timestamp=None, first=0, broker=BROKER, **config):
    config = {"bootstrap_servers": broker, "linger_ms": 5, "enable_idempotence": False, **config}
    producer = KafkaProducer(**config)
    sent = [producer.send(topic, value(n), key(n), timestamp_ms=timestamp and timestamp + n)
            for n in range(first, first + count)]
    producer.flush(20)
    for future in sent:
        future.get(10)
    producer.close()


def consume(topic, count, start=0, broker=BROKER):
    consumer = KafkaConsumer(bootstrap_servers=broker, group_id=None)
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, start)
    got = []
    within(20, lambda: got.extend(r for rs in consumer.poll(200).values() for r in rs) or len(got) >= count)
    consumer.close()
    return got


def codec(name):
    def run():
        topic = create(f"codec-{name}")
        levels = ACKS[1:] if MAJOR == 2 else ACKS
        for acks in levels:
            produce(topic, compression_type=None if name == "none" else name,
                    acks="all" if acks == "all" else int(acks))
        got = consume(topic, RECORDS * len(levels))
        expect([record.value for record in got] == [value(n) for n in range(RECORDS)] * len(levels), "other records")
        return "acks 0 not tried: this version leaves it in its own buffer, no system call sends it" if MAJOR == 2 else ""
    return run


def idempotence():
    with Cutter(sys.argv[2:4]) as cutter:
        topic = checks.topic("idempotent").replace(" ", "-")
        produce(topic, broker=cutter.address, enable_idempotence=True, acks="all", batch_size=400, retry_backoff_ms=10)
        got = consume(topic, RECORDS, broker=cutter.address)
        expect([record.value for record in got] == [value(n) for n in range(RECORDS)], "other records")
        return cutter.told()


def timed_seek():
    topic = create("times")
    produce(topic, timestamp=1_600_000_000_000)
    consumer = KafkaConsumer(bootstrap_servers=BROKER, group_id=None)
    place = TopicPartition(topic, 0)
    expect(consumer.offsets_for_times({place: 1_600_000_000_050})[place].offset == 50, "another offset")
    expect(consumer.offsets_for_times({place: 1_700_000_000_000})[place] is None, "an offset behind the end")
    consumer.close()


def group():
    topic = create("group", 4)
    produce(topic)
    name, seen, lock, owned = topic + "-g", {}, threading.Lock(), {}

    def member(number, until):
        consumer = KafkaConsumer(topic, bootstrap_servers=BROKER, group_id=name, auto_offset_reset="earliest",
                                 session_timeout_ms=6000, heartbeat_interval_ms=500)
        while not until.is_set():
            for records in consumer.poll(100).values():
                with lock:
                    for record in records:
                        seen[record.value] = seen.get(record.value, 0) + 1
            owned[number] = {place.partition for place in consumer.assignment()}
        consumer.close()
        owned[number] = set()

    first, second = threading.Event(), threading.Event()
    threads = [threading.Thread(target=member, args=(1, first))]
    threads[0].start()
    within(25, lambda: len(owned.get(1, ())) == 4 or time.sleep(0.1))
    threads.append(threading.Thread(target=member, args=(2, second)))
    threads[1].start()
    within(25, lambda: sorted(len(owned.get(n, ())) for n in (1, 2)) == [2, 2] or time.sleep(0.1))
    first.set()
    threads[0].join()
    within(25, lambda: len(owned[2]) == 4 or time.sleep(0.1))
    produce(topic, first=RECORDS)
    within(25, lambda: len(seen) == 2 * RECORDS or time.sleep(0.1))
    second.set()
    threads[1].join()
    expect(set(seen.values()) == {1}, "a record came twice")


def commit():
    topic = create("commit")
    produce(topic)
    place = TopicPartition(topic, 0)

    def consumer():
        return KafkaConsumer(topic, bootstrap_servers=BROKER, group_id=topic + "-g", enable_auto_commit=False,
                             auto_offset_reset="earliest")
    first = consumer()
    within(20, lambda: first.poll(200))
    first.commit({place: OffsetAndMetadata(120, "", -1)})
    first.close()
    second = consumer()
    records = within(20, lambda: second.poll(200, max_records=1))
    expect(records[place][0].offset == 120, records)
    expect(second.committed(place) == 120, "another commit")
    second.close()


def call(*names):
    """The method, under the first of its names that this version has."""
    for name in names:
        if hasattr(admin, name):
            return getattr(admin, name)
    raise Skip("the client has no such call")


def admin_topics():
    topic = create("admin", 2)
    admin.create_partitions({topic: NewPartitions(5)})
    expect(topic in admin.list_topics(), "it is not listed")
    expect(len(admin.describe_topics([topic])[0]["partitions"]) == 5, "other partitions")
    produce(topic)
    place = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=BROKER)
    end = consumer.end_offsets([place])[place]
    call("delete_records")({place: end})
    expect(consumer.beginning_offsets([place])[place] == end, "another start")
    consumer.close()
    admin.delete_topics([topic])
    expect(topic not in admin.list_topics(), "it is still there")


def admin_configs():
    topic = create("configs")
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "123456"})])
    found = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    expect("123456" in found, found[:200])


def admin_groups():
    topic = create("groups")
    produce(topic)
    name = topic + "-g"
    consumer = KafkaConsumer(topic, bootstrap_servers=BROKER, group_id=name, auto_offset_reset="earliest")
    within(20, lambda: consumer.poll(200))
    consumer.commit()
    expect(name in str(call("list_groups", "list_consumer_groups")()), "it is not listed")
    expect(topic in str(call("describe_groups", "describe_consumer_groups")([name])), "it has no assignment")
    consumer.close()
    offsets = str(call("list_group_offsets", "list_consumer_group_offsets")(name))
    expect(f"offset={RECORDS}" in offsets, offsets)
    call("delete_groups", "delete_consumer_groups")([name])
    expect(name not in str(call("list_groups", "list_consumer_groups")()), "it is still there")


def cluster():
    expect(len(admin.describe_cluster()["brokers"]) == 1, "other brokers")
    call("describe_log_dirs")()


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
