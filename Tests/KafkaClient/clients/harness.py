"""What the checks of all clients have in common: records, names, and a line of JSON for each check."""

import json
import sys
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ACKS = ["0", "1", "all"]
RECORDS = 200


def value(number):
    return f"value-{number}-".encode() * 5


def key(number):
    return f"key-{number % 17}".encode()


class Checks:
    """Runs checks one after another; a failure is told and does not end the others."""

    def __init__(self, client, version, broker):
        self.client, self.version, self.broker = client, version, broker
        self.run = f"{client}-{int(time.time() * 1000) % 10**9}"
        print(json.dumps({"client": client, "version": version}), flush=True)

    def topic(self, name):
        return f"{self.run}-{name}"

    def tell(self, name, outcome, detail=""):
        print(json.dumps({"check": name, "outcome": outcome, "detail": detail}), flush=True)

    def check(self, name, body):
        try:
            self.tell(name, "ok", body() or "")
        except Skip as skip:
            self.tell(name, "skip", str(skip))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.tell(name, "failed", f"{type(error).__name__}: {error}"[:200])

    async def check_async(self, name, body):
        try:
            self.tell(name, "ok", await body() or "")
        except Skip as skip:
            self.tell(name, "skip", str(skip))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.tell(name, "failed", f"{type(error).__name__}: {error}"[:200])


class Skip(Exception):
    """The client has no such thing."""


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def within(seconds, ready):
    """Waits until `ready` gives something; what it gave."""
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
    raise AssertionError(f"not within {seconds} s")
