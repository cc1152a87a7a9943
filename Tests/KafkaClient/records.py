"""Reads segments with kafka-python, and prints each record's offset, key and value, as topic consume does.

    records.py SEGMENT...
"""

import sys

from segments import records


def text(data):
    return "" if data is None else bytes(data).decode()


for record in records(sys.argv[1:]):
    print(record.offset, text(record.key), text(record.value), sep="\t")
