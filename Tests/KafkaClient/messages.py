"""Draws requests and responses, and writes them with kafka-python: its encoder, Kafka's published schemas.

    messages.py SEED COUNT [--short]      COUNT of each request and response in each version, one JSON object a line

A line has the frame as hex with its size, and what was put into it: bytes and UUIDs as hex, sets of operations as
the number on the wire. --short draws no long strings and arrays: so the golden messages were made.
"""

import importlib
import json
import pkgutil
import random
import sys
import uuid

import kafka.protocol
from kafka.protocol.api_message import ApiMessage

# Which versions: what the broker advertises.
VERSIONS = {
    "Produce": (0, 12), "Fetch": (4, 17), "ListOffsets": (1, 10), "Metadata": (0, 13), "OffsetCommit": (2, 9),
    "OffsetFetch": (1, 9), "FindCoordinator": (0, 6), "JoinGroup": (0, 9), "Heartbeat": (0, 4), "LeaveGroup": (0, 5),
    "SyncGroup": (0, 5), "DescribeGroups": (0, 6), "ListGroups": (0, 5), "SaslHandshake": (0, 1),
    "ApiVersions": (0, 4), "CreateTopics": (2, 7), "DeleteTopics": (1, 6), "DeleteRecords": (0, 2),
    "InitProducerId": (0, 5), "OffsetForLeaderEpoch": (2, 4), "DescribeConfigs": (1, 4), "AlterConfigs": (0, 2),
    "DescribeLogDirs": (0, 4), "SaslAuthenticate": (0, 2), "CreatePartitions": (0, 3), "DeleteGroups": (0, 2),
    "IncrementalAlterConfigs": (0, 1), "OffsetDelete": (0, 0), "DescribeCluster": (0, 2),
}
ERRORS = [0, 0, -1, 1, 3, 6, 25, 35, 79, 100, 120]
INTEGERS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


class Draw:
    """Draws values: what kafka-python is given, and what a line says, side by side."""

    def __init__(self, seed, short):
        self.random = random.Random(seed)
        self.short = short

    def chance(self, one_in):
        return self.random.randrange(one_in) == 0

    def count(self, most):
        return most if not self.short and self.chance(40) else self.random.choice([0, 1, 1, 1, 2])

    def run(self):
        count = self.random.choice([300, 40_000]) if not self.short and self.chance(30) else self.count(9)
        return self.random.randbytes(count)

    def text(self):
        if not self.short and self.chance(30):
            return "lang " * self.random.choice([25, 26, 4_000])
        return self.random.choice(["", "a", "topic-1", "größer", "a.b_c-d", "日本"])

    def integer(self, bits):
        top = 1 << (bits - 1)
        return self.random.choice([0, 1, -1, 2, 5, 100, top - 1, -top, self.random.randrange(-top, top)])

    def simple(self, field, kind, version):
        if kind == "string":
            text = self.text()
            return text, text
        if kind in ("bytes", "records"):
            run = self.run()
            return run, run.hex()
        if kind == "bool":
            flag = self.chance(2)
            return flag, flag
        if kind == "uuid":
            bits = 0 if self.chance(3) else self.random.getrandbits(128)
            # It has None for none.
            return (uuid.UUID(int=bits) if bits else None), f"{bits:032x}"
        if kind == "bitfield":
            bits = set(self.random.sample(range(31), 3))
            return (None, -(1 << 31)) if self.chance(2) else (bits, sum(1 << bit for bit in bits))
        number = self.random.choice(ERRORS) if field.name.endswith("error_code") else self.integer(INTEGERS[kind])
        return number, number

    def value(self, field, version):
        if field.is_struct():
            given, said = self.struct(field, version)
            # It has None for a struct at its default, which is tagged and not written.
            default = {name: part.default for name, part in field.fields.items()}
            return (None, default) if said == default or self.chance(2) else (given, said)
        if field.nullable_for_version_q(version) and self.chance(5):
            return None, None
        if field.is_struct_array():
            pairs = [self.struct(field, version) for _ in range(self.count(130))]
        elif field.is_array():
            pairs = [self.simple(field, field.array_of.type_str, version) for _ in range(self.count(130))]
        else:
            return self.simple(field, field._type_str, version)
        return [given for given, _ in pairs], [said for _, said in pairs]

    def struct(self, field, version):
        given, said = {}, {}
        for part in field.fields.values():
            if part.for_version_q(version):
                given[part.name], said[part.name] = self.value(part, version)
        return field.data_class(version=version, **given), said


def messages():
    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        if ".old" not in module.name and "generate" not in module.name:
            importlib.import_module(module.name)
    return {kind.__name__: kind for kind in ApiMessage.__subclasses__()}


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    draw = Draw(seed, "--short" in sys.argv)
    kinds = messages()
    for name, (first, last) in VERSIONS.items():
        for direction in ("Request", "Response"):
            kind = kinds[name + direction]
            for version in range(first, last + 1):
                for _ in range(count):
                    given, said = {}, {}
                    for field in kind._struct.fields.values():
                        if field.for_version_q(version):
                            given[field.name], said[field.name] = draw.value(field, version)
                    if (name, direction, version) == ("Metadata", "Request", 0):
                        # There is no null yet: none at all means all topics.
                        said["topics"] = said["topics"] or None
                    message = kind(version=version, **given)
                    correlation, client = draw.integer(32), draw.text()[:100]
                    if direction == "Request":
                        message.with_header(correlation, client)
                    else:
                        message.with_header(correlation)
                    frame = message.encode(header=True, framed=True)
                    print(json.dumps({
                        "name": name, "direction": direction, "version": version, "correlation": correlation,
                        "client": client, "fields": said, "frame": frame.hex()}, ensure_ascii=False))


main()
