"""kcat, Debian's, which is librdkafka 2.0.2: its checks against a broker that makes topics by itself."""

import re
import subprocess
import sys
import time

from harness import ACKS, CODECS, RECORDS, Checks, expect, value

BROKER = sys.argv[1]


def kcat(*arguments, given=None, seconds=30):
    result = subprocess.run(["kcat", "-b", BROKER, *arguments], input=given, capture_output=True, timeout=seconds)
    expect(result.returncode == 0, result.stderr.decode()[-200:])
    return result.stdout


words = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
version = re.search(r"Version ([\d.]+).*?librdkafka ([\d.]+)", words, re.S)
checks = Checks("kcat", f"{version[1]} (librdkafka {version[2]})", BROKER)
LINES = b"\n".join(value(number) for number in range(RECORDS)) + b"\n"


def codec(name):
    def run():
        topic = checks.topic(f"codec-{name}")
        for acks in ACKS:
            kcat("-P", "-t", topic, "-z", name, "-X", f"acks={acks}", given=LINES)
        expect(kcat("-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true") == LINES * 3, "other records")
    return run


def idempotence():
    topic = checks.topic("idempotent")
    options = ["enable.idempotence=true", "batch.num.messages=5"]
    kcat("-P", "-t", topic, *(word for option in options for word in ("-X", option)), given=LINES)
    expect(kcat("-C", "-t", topic, "-e", "-q") == LINES, "other records")
    return "no answers lost: kcat ends when the connection to its only broker does"


def timed_seek():
    topic = checks.topic("times")
    kcat("-P", "-t", topic, given=LINES)
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    kcat("-P", "-t", topic, given=b"later\n")
    expect(kcat("-C", "-t", topic, "-o", f"s@{between}", "-e", "-q") == b"later\n", "other records")
    expect(kcat("-Q", "-t", f"{topic}:0:{between}").strip().endswith(b"offset %d" % RECORDS), "another offset")


def group():
    topic = checks.topic("group")
    kcat("-P", "-t", topic, given=LINES)
    got = subprocess.run(["timeout", "12", "kcat", "-b", BROKER, "-G", topic + "-g", "-q", "-e", "-X",
                          "auto.offset.reset=earliest", topic], capture_output=True).stdout
    expect(got == LINES, "other records")


def listing():
    expect(b"1 brokers" in kcat("-L"), "other brokers")


for name in CODECS:
    checks.check(f"produce and consume, {name}, acks 0, 1 and all", codec(name))
checks.check("idempotent producer: each record once and in order", idempotence)
checks.check("seek by time", timed_seek)
checks.check("commit, and go on there", group)
checks.check("admin: cluster", listing)
