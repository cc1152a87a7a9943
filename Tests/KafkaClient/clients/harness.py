"""What the checks of all clients have in common: records, names, a line of JSON for each check, and a network that
loses answers."""

import json
import socket
import struct
import sys
import threading
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


class Cutter:
    """Between a client and a broker that tells its clients to come here: forwards, but in the place of each `every`th
    answer to a Produce request the connection ends. What that request brought is then in the log, and the client cannot
    know."""

    def __init__(self, arguments, every=5):
        """`arguments`: where to listen, and where the broker is."""
        self.address, self.broker = arguments
        self.every, self.answers, self.cuts, self.lock = every, 0, 0, threading.Lock()

    def __enter__(self):
        self.listener = socket.create_server(place(self.address))
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            pair, produces = (client, socket.create_connection(place(self.broker))), set()
            for source, target in (pair, pair[::-1]):
                threading.Thread(target=self.forward, args=(source, target, source is client, produces),
                                 daemon=True).start()

    def forward(self, source, target, is_request, produces):
        try:
            with source.makefile("rb") as frames:
                while len(head := frames.read(4)) == 4:
                    frame = frames.read(struct.unpack(">i", head)[0])
                    if is_request:
                        api, _, number = struct.unpack_from(">hhi", frame)
                        if api == 0:
                            produces.add(number)
                    elif struct.unpack_from(">i", frame)[0] in produces and self.is_cut():
                        break
                    target.sendall(head + frame)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def is_cut(self):
        with self.lock:
            self.answers += 1
            cut = self.answers % self.every == 0
            self.cuts += cut
            return cut

    def told(self):
        expect(self.cuts >= 3, f"{self.cuts} of {self.answers} answers were lost")
        return f"{self.cuts} answers lost"


class Skip(Exception):
    """The client has no such thing."""


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def place(address):
    host, port = address.split(":")
    return host, int(port)


def within(seconds, ready):
    """Waits until `ready` gives something; what it gave."""
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
    raise AssertionError(f"not within {seconds} s")
