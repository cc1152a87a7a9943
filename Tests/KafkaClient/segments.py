"""What the scripts beside it read segments with: kafka-python's own record batches."""

import sys

from kafka.record.memory_records import MemoryRecords


def records(paths):
    """Every record of the files, in order. Ends the program where a batch's checksum is wrong."""
    for path in paths:
        with open(path, "rb") as file:
            batches = MemoryRecords(file.read())
        while (batch := batches.next_batch()) is not None:
            if not batch.validate_crc():
                sys.exit(f"{path}: a batch has a wrong checksum")
            yield from batch
