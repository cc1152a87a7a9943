"""Reads segments of __consumer_offsets with kafka-python: its batches, its codec, Kafka's published schemas.

    offsets.py SEGMENT...       one JSON object a record, to the standard output
"""

import io
import json
import struct
import sys

from kafka.protocol.schemas import StructField
from segments import records


def field(name, kind, versions="0+", nullable=None, fields=None):
    described = {"name": name, "type": kind, "versions": versions}
    if nullable:
        described["nullableVersions"] = nullable
    if fields:
        described["fields"] = fields
    return described


def message(name, *fields):
    return StructField({
        "type": "data", "name": name, "validVersions": "0-4", "flexibleVersions": "4+", "fields": list(fields)})


OFFSET_KEY = message("OffsetCommitKey", field("Group", "string"), field("Topic", "string"), field("Partition", "int32"))
OFFSET_VALUE = message(
    "OffsetCommitValue", field("Offset", "int64"), field("LeaderEpoch", "int32", "3+"), field("Metadata", "string"),
    field("CommitTimestamp", "int64"), field("ExpireTimestamp", "int64", "1"))
GROUP_KEY = message("GroupMetadataKey", field("Group", "string"))
GROUP_VALUE = message(
    "GroupMetadataValue", field("ProtocolType", "string"), field("Generation", "int32"),
    field("Protocol", "string", nullable="0+"), field("Leader", "string", nullable="0+"),
    field("CurrentStateTimestamp", "int64", "2+"),
    field("Members", "[]MemberMetadata", fields=[
        field("MemberId", "string"), field("GroupInstanceId", "string", "3+", nullable="3+"),
        field("ClientId", "string"), field("ClientHost", "string"), field("RebalanceTimeout", "int32", "1+"),
        field("SessionTimeout", "int32"), field("Subscription", "bytes"), field("Assignment", "bytes")]))


def plain(value):
    """What JSON can say."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.hex() if isinstance(value, (bytes, bytearray, memoryview)) else value


def decode(schema, data):
    """A message behind its version; all of it."""
    (version,) = struct.unpack(">h", data[:2])
    stream = io.BytesIO(data[2:])
    decoded = plain(schema.decode(stream, version=version))
    if stream.read():
        sys.exit(f"bytes are left behind a {schema.name}")
    return decoded


for record in records(sys.argv[1:]):
    is_offset = struct.unpack(">h", record.key[:2])[0] <= 1
    key, value = (OFFSET_KEY, OFFSET_VALUE) if is_offset else (GROUP_KEY, GROUP_VALUE)
    found = {"at": record.offset, "key": decode(key, record.key)}
    if record.value is not None:
        found["value"] = decode(value, record.value)
    print(json.dumps(found))
