"""An idempotent producer of confluent-kafka, until its input ends; then what it sent is read: each record must be there
once, and the records of a partition in their order. Prints what it counted; exit 1 when it is not so.

    load.py BROKER
"""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

PARTITIONS = 4
TOPIC = "load"
broker = sys.argv[1]
ended, started = threading.Event(), time.time()
counts = {"sent": 0, "delivered": 0, "failed": 0}
errors = []


def delivered(error, _):
    counts["failed" if error else "delivered"] += 1
    if error:
        errors.append(str(error))


def create():
    from confluent_kafka.admin import AdminClient, NewTopic
    # Kept until the answer is there.
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(10)


def produce():
    producer = Producer({
        "bootstrap.servers": broker, "enable.idempotence": True, "acks": "all", "linger.ms": 1, "message.timeout.ms": 0,
        "queue.buffering.max.messages": 5000, "batch.num.messages": 50, "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20, "log_level": 0,
        "error_cb": lambda error: error.fatal() and errors.append("fatal: " + str(error))})
    while not ended.is_set() and not errors:
        try:
            number = counts["sent"]
            producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS, on_delivery=delivered)
            counts["sent"] += 1
            producer.poll(0)
        except BufferError:
            producer.poll(0.05)
    counts["left"] = producer.flush(60)


def read():
    """What is in each partition, in order."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "none", "enable.partition.eof": False})
    places = [TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)]
    left = {p.partition: consumer.get_watermark_offsets(p, 10)[1] for p in places}
    consumer.assign(places)
    got, end = {number: [] for number in left}, time.time() + 120
    while any(len(got[number]) < count for number, count in left.items()) and time.time() < end:
        for message in consumer.consume(10000, 0.2):
            if not message.error():
                got[message.partition()].append(int(message.value()))
    consumer.close()
    return got


create()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
produce()
got = read()
there = [number for numbers in got.values() for number in numbers]
counts["seconds"] = round(time.time() - started, 1)
counts["there"] = len(there)
counts["lost"] = counts["sent"] - len(set(there))
counts["twice"] = len(there) - len(set(there))
counts["out of order"] = sum(a > b for numbers in got.values() for a, b in zip(numbers, numbers[1:]))
print(json.dumps(counts), *errors[:3], flush=True)
wrong = ["failed", "left", "lost", "twice", "out of order"]
sys.exit(1 if errors or any(counts[name] for name in wrong) else 0)
