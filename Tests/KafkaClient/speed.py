"""What one client of confluent-kafka gets out of a broker: records produced and consumed in a second, and the broker's
processor time for each. Prints a line of JSON; exit 1 when a record is missing or another one.

    speed.py BROKER PID RECORDS CODEC [KEY=VALUE...]

Settings are the topic's, where the broker takes them.
"""

import json
import os
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

broker, pid, records, codec = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
settings = {"sluice.durability": "written"} | dict(word.split("=", 1) for word in sys.argv[5:])
TOPIC = "speed"
KINDS = ["click", "view", "buy"]
values = [
    (f'{{"id":{i * 31},"user":"u-{i * 7919 % 100003}","event":"{KINDS[i % 3]}","page":"/item/{i * 17 % 4999}"'
     f',"ms":{i * 13 % 977},"ok":{"true" if i % 7 else "false"},"session":"s{i * 104729 % 99991}"}}').encode()
    for i in range(10_007)]


def cpu():
    """Processor time of the broker, ns."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e9 / os.sysconf("SC_CLK_TCK")


def create():
    admin = AdminClient({"bootstrap.servers": broker})
    try:
        admin.create_topics([NewTopic(TOPIC, 1, 1, config=settings)])[TOPIC].result(10)
    except Exception:
        # A broker that does not take a setting that it does not know.
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)


def produce(count):
    failed = []
    producer = Producer({
        "bootstrap.servers": broker, "acks": "all", "linger.ms": 5, "compression.type": codec,
        "batch.num.messages": 10_000, "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 1 << 20, "delivery.report.only.error": True,
        "error_cb": lambda error: failed.append(str(error))})
    many = len(values)
    for number in range(count):
        while True:
            try:
                producer.produce(TOPIC, values[number % many], partition=0)
                break
            except BufferError:
                producer.poll(0.01)
    left = producer.flush(120)
    if left or failed:
        raise SystemExit(f"{left} records were not delivered: {failed[:2]}")


def consume(count):
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "none", "enable.auto.commit": False,
                         # With fewer the client pauses for a second whenever it has that many.
                         "queued.min.messages": 10_000_000, "queued.max.messages.kbytes": 1 << 20,
                         "fetch.message.max.bytes": 8 << 20})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    got, many, end = 0, len(values), time.time() + 120
    while got < count and time.time() < end:
        for message in consumer.consume(10_000, 1):
            if message.error() or message.offset() != got or message.value() != values[got % many]:
                raise SystemExit(f"record {got}: {message.error() or 'another one'}")
            got += 1
    consumer.close()
    if got < count:
        raise SystemExit(f"{got} records of {count} came")


create()
figures = {}
for name, rate, body in [("producing", "produced/s", produce), ("consuming", "consumed/s", consume)]:
    began, used = time.monotonic(), cpu()
    body(records)
    figures[rate] = records / (time.monotonic() - began)
    figures[name] = (cpu() - used) / records
print(json.dumps(figures))
