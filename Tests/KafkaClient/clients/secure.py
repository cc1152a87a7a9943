"""TLS and SASL: the checks of each client against servers that ask for them.

    secure.py CLIENT CA USER PASSWORD TLS SASL_SSL SASL_PLAINTEXT

CLIENT is kcat, confluent, aio or kafka_python; the last three arguments are brokers, by their security protocol.
"""

import asyncio
import ssl
import subprocess
import sys

from harness import RECORDS, Checks, expect, value, within

CLIENT, CA, USER, PASSWORD, TLS, SASL_SSL, SASL_PLAINTEXT = sys.argv[1:]
checks = Checks(f"secure-{CLIENT}", "", TLS)
VALUES = [value(number) for number in range(RECORDS)]


def librdkafka(protocol, mechanism, password):
    config = {"security.protocol": protocol}
    if protocol.endswith("SSL"):
        config["ssl.ca.location"] = CA
    if mechanism:
        config |= {"sasl.mechanism": mechanism, "sasl.username": USER, "sasl.password": password}
    return config


class Kcat:
    def run(self, broker, security, *arguments, given=None):
        options = [part for item in librdkafka(*security).items() for part in ("-X", "=".join(item))]
        return subprocess.run(["kcat", "-b", broker, *options, *arguments], input=given, capture_output=True, timeout=30)

    def both(self, broker, topic, *security):
        lines = b"\n".join(VALUES) + b"\n"
        sent = self.run(broker, security, "-P", "-t", topic, given=lines)
        expect(sent.returncode == 0, sent.stderr.decode()[-200:])
        got = self.run(broker, security, "-C", "-t", topic, "-e", "-q")
        expect(got.stdout == lines, got.stderr.decode()[-200:] or "other records")

    def refused(self, broker, *security):
        result = self.run(broker, security, "-L", "-m", "5")
        expect(result.returncode != 0, "let in")
        return result.stderr.decode()


class Confluent:
    def both(self, broker, topic, *security):
        from confluent_kafka import Consumer, Producer, TopicPartition
        config = {"bootstrap.servers": broker, **librdkafka(*security)}
        producer = Producer(config)
        for item in VALUES:
            producer.produce(topic, item)
        expect(producer.flush(20) == 0, "not all was delivered")
        consumer = Consumer({**config, "group.id": topic})
        consumer.assign([TopicPartition(topic, 0, 0)])
        got = []
        within(20, lambda: got.extend(m.value() for m in consumer.consume(1000, 0.2) if not m.error())
               or len(got) >= RECORDS)
        consumer.close()
        expect(got == VALUES, "other records")

    def refused(self, broker, *security):
        from confluent_kafka import KafkaException, Producer
        errors = []
        producer = Producer({"bootstrap.servers": broker, "error_cb": errors.append, **librdkafka(*security)})
        try:
            producer.list_topics(timeout=5)
        except KafkaException:
            producer.poll(1)
            return " ".join(error.str() for error in errors)
        raise AssertionError("let in")


class KafkaPython:
    def config(self, broker, protocol, mechanism, password):
        config = {"bootstrap_servers": broker, "security_protocol": protocol}
        if protocol.endswith("SSL"):
            config["ssl_cafile"] = CA
        if mechanism:
            config |= {"sasl_mechanism": mechanism, "sasl_plain_username": USER, "sasl_plain_password": password}
        return config

    def both(self, broker, topic, *security):
        from kafka import KafkaConsumer, KafkaProducer, TopicPartition
        config = self.config(broker, *security)
        producer = KafkaProducer(enable_idempotence=False, **config)
        sent = [producer.send(topic, item) for item in VALUES]
        producer.flush(20)
        for future in sent:
            future.get(10)
        producer.close()
        consumer = KafkaConsumer(group_id=None, **config)
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        got = []
        within(20, lambda: got.extend(r.value for rs in consumer.poll(200).values() for r in rs) or len(got) >= RECORDS)
        consumer.close()
        expect(got == VALUES, "other records")

    def refused(self, broker, *security):
        from kafka import KafkaProducer
        from kafka.errors import KafkaError
        try:
            # 2.x makes a producer without asking for a connection.
            producer = KafkaProducer(enable_idempotence=False, max_block_ms=5000, **self.config(broker, *security))
            producer.send("refused", b"").get(5)
        except KafkaError as error:
            return f"{type(error).__name__}: {error}"
        raise AssertionError("let in")


class Aio:
    def config(self, broker, protocol, mechanism, password):
        config = {"bootstrap_servers": broker, "security_protocol": protocol}
        if protocol.endswith("SSL"):
            config["ssl_context"] = ssl.create_default_context(cafile=CA)
        if mechanism:
            config |= {"sasl_mechanism": mechanism, "sasl_plain_username": USER, "sasl_plain_password": password}
        return config

    def both(self, broker, topic, *security):
        asyncio.run(self.run_both(self.config(broker, *security), topic))

    async def run_both(self, config, topic):
        from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
        producer = AIOKafkaProducer(**config)
        await producer.start()
        sent = [await producer.send(topic, item) for item in VALUES]
        await producer.flush()
        await asyncio.gather(*sent)
        await producer.stop()
        consumer = AIOKafkaConsumer(**config)
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        got = []
        for _ in range(100):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                got += [record.value for record in records]
            if len(got) >= RECORDS:
                break
        await consumer.stop()
        expect(got == VALUES, "other records")

    def refused(self, broker, *security):
        return asyncio.run(self.run_refused(self.config(broker, *security)))

    async def run_refused(self, config):
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaError
        producer = AIOKafkaProducer(**config)
        try:
            await producer.start()
        except KafkaError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            await producer.stop()
        raise AssertionError("let in")


client = {"kcat": Kcat, "confluent": Confluent, "aio": Aio, "kafka_python": KafkaPython}[CLIENT]()


def topic(name):
    return checks.topic(name).replace("_", "-")


def refused(*arguments):
    def run():
        client.refused(*arguments)
    return run


checks.check("TLS", lambda: client.both(TLS, topic("tls"), "SSL", None, None))
for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
    checks.check(f"TLS and {mechanism}",
                 lambda: client.both(SASL_SSL, topic(f"tls-{mechanism}"), "SASL_SSL", mechanism, PASSWORD))
for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"]:
    checks.check(f"{mechanism} without TLS",
                 lambda: client.both(SASL_PLAINTEXT, topic(mechanism), "SASL_PLAINTEXT", mechanism, PASSWORD))
checks.check("PLAIN without TLS is refused", refused(SASL_PLAINTEXT, "SASL_PLAINTEXT", "PLAIN", PASSWORD))
for mechanism in ["PLAIN", "SCRAM-SHA-256"]:
    checks.check(f"{mechanism} with a wrong password is refused",
                 refused(SASL_SSL, "SASL_SSL", mechanism, PASSWORD + "s"))
