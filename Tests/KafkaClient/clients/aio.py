"""aiokafka: its checks against a broker."""

import asyncio
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from harness import ACKS, CODECS, RECORDS, Checks, Cutter, expect, key, value

BROKER = sys.argv[1]
checks = Checks("aiokafka", aiokafka.__version__, BROKER)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()

    async def create(name, partitions=1):
        topic = checks.topic(name)
        await admin.create_topics([NewTopic(topic, partitions, 1)])
        return topic

    async def produce(topic, count=RECORDS, timestamp=None, first=0, **config):
        producer = AIOKafkaProducer(bootstrap_servers=BROKER, linger_ms=5, **config)
        await producer.start()
        sent = [await producer.send(topic, value(n), key(n), timestamp_ms=timestamp and timestamp + n)
                for n in range(first, first + count)]
        await producer.flush()
        await asyncio.gather(*sent)
        await producer.stop()

    async def within(seconds, ready):
        end = time.time() + seconds
        while time.time() < end:
            found = await ready()
            if found:
                return found
        raise AssertionError(f"not within {seconds} s")

    def codec(name):
        async def run():
            topic = await create(f"codec-{name}")
            for acks in ACKS:
                await produce(topic, compression_type=None if name == "none" else name,
                              acks="all" if acks == "all" else int(acks))
            consumer = AIOKafkaConsumer(bootstrap_servers=BROKER)
            await consumer.start()
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            got = []

            async def more():
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    got.extend(record.value for record in records)
                return len(got) >= 3 * RECORDS
            await within(20, more)
            await consumer.stop()
            expect(got == [value(n) for n in range(RECORDS)] * 3, "other records")
        return run

    async def idempotence():
        with Cutter(sys.argv[2:4]) as cutter:
            topic = checks.topic("idempotent")
            producer = AIOKafkaProducer(bootstrap_servers=cutter.address, enable_idempotence=True, max_batch_size=400,
                                        retry_backoff_ms=10)
            await producer.start()
            sent = [await producer.send(topic, value(n), key(n)) for n in range(RECORDS)]
            await producer.flush()
            await asyncio.gather(*sent)
            await producer.stop()
            consumer = AIOKafkaConsumer(topic, bootstrap_servers=cutter.address, auto_offset_reset="earliest")
            await consumer.start()
            got = []

            async def more():
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    got.extend(record.value for record in records)
                return len(got) >= RECORDS
            await within(20, more)
            await consumer.stop()
            expect(got == [value(n) for n in range(RECORDS)], "other records")
            return cutter.told()

    async def timed_seek():
        topic = await create("times")
        await produce(topic, timestamp=1_600_000_000_000)
        consumer = AIOKafkaConsumer(bootstrap_servers=BROKER)
        await consumer.start()
        place = TopicPartition(topic, 0)
        found = await consumer.offsets_for_times({place: 1_600_000_000_050})
        expect(found[place].offset == 50, found)
        await consumer.stop()

    async def group():
        topic = await create("group", 4)
        await produce(topic)
        seen = {}

        async def member():
            consumer = AIOKafkaConsumer(topic, bootstrap_servers=BROKER, group_id=topic + "-g",
                                        auto_offset_reset="earliest", session_timeout_ms=6000,
                                        heartbeat_interval_ms=500)
            await consumer.start()
            return consumer

        async def poll(*members):
            for consumer in members:
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    for record in records:
                        seen[record.value] = seen.get(record.value, 0) + 1
        first = await member()

        async def alone(consumer):
            await poll(consumer)
            return len(consumer.assignment()) == 4
        await within(20, lambda: alone(first))
        starting = asyncio.ensure_future(member())

        async def joined():
            await poll(first)
            return starting.done()
        await within(20, joined)
        second = starting.result()

        async def shared():
            await poll(first, second)
            return [len(c.assignment()) for c in (first, second)] == [2, 2]
        await within(20, shared)
        await first.stop()
        await within(20, lambda: alone(second))
        await produce(topic, first=RECORDS)

        async def all_seen():
            await poll(second)
            return len(seen) == 2 * RECORDS
        await within(20, all_seen)
        await second.stop()
        expect(set(seen.values()) == {1}, "a record came twice")

    async def commit():
        topic = await create("commit")
        await produce(topic)
        place = TopicPartition(topic, 0)

        async def consumer():
            consumer = AIOKafkaConsumer(topic, bootstrap_servers=BROKER, group_id=topic + "-g",
                                        auto_offset_reset="earliest", enable_auto_commit=False)
            await consumer.start()
            return consumer
        first = await consumer()
        await first.getone()
        await first.commit({place: 120})
        await first.stop()
        second = await consumer()
        expect((await second.getone()).offset == 120, "another offset")
        await second.stop()

    async def admin_topics():
        topic = await create("admin", 2)
        await admin.create_partitions({topic: NewPartitions(5)})
        described = await admin.describe_topics([topic])
        expect(len(described[0]["partitions"]) == 5, described)
        await admin.delete_topics([topic])
        expect(topic not in await admin.list_topics(), "it is still there")

    async def admin_configs():
        topic = await create("configs")
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "123456"})
        await admin.alter_configs({resource.name: resource} if False else [resource])
        found = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        expect("123456" in str(found), str(found)[:200])

    async def admin_groups():
        topic = await create("groups")
        await produce(topic)
        name = topic + "-g"
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=BROKER, group_id=name, auto_offset_reset="earliest")
        await consumer.start()
        await consumer.getone()
        await consumer.commit()
        expect(name in str(await admin.list_consumer_groups()), "it is not listed")
        expect(topic in str(await admin.describe_consumer_groups([name])), "it has no assignment")
        await consumer.stop()
        expect(await admin.list_consumer_group_offsets(name), "no offsets")

    async def cluster():
        expect(len((await admin.describe_cluster())["brokers"]) == 1, "other brokers")

    for name in CODECS:
        await checks.check_async(f"produce and consume, {name}, acks 0, 1 and all", codec(name))
    await checks.check_async("idempotent producer: each record once and in order", idempotence)
    await checks.check_async("seek by time", timed_seek)
    await checks.check_async("group: members come and go, each record once", group)
    await checks.check_async("commit, and go on there", commit)
    await checks.check_async("admin: topics, partitions, records", admin_topics)
    await checks.check_async("admin: settings", admin_configs)
    await checks.check_async("admin: groups and offsets", admin_groups)
    await checks.check_async("admin: cluster", cluster)
    await admin.close()


asyncio.run(main())
