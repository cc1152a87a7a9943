"""Reads segments with kafka-python, and prints each record's offset, key and value, as topic consume does.

    records.py SEGMENT...
"""

import sys

from kafka.record.memory_records import MemoryRecords


def text(data):
    return "" if data is None else bytes(data).decode()


for path in sys.argv[1:]:
    with open(path, "rb") as file:
        records = MemoryRecords(file.read())
    while (batch := records.next_batch()) is not None:
        if not batch.validate_crc():
            sys.exit(f"{path}: a batch has a wrong checksum")
        for record in batch:
            print(record.offset, text(record.key), text(record.value), sep="\t")
