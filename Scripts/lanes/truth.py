"""What the lanes share: records that say what they are, the truth about them, and the program under test.

The truth stays in the parent. A record's contents follow from its run, its partition and its number there, so
that nothing needs to be remembered but how many were sent and which were acknowledged, and where.
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

# How a process ends that did not want to: an answer to bad luck must never be one of these.
TRAPS = {signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE}
KEYS = 40


class Violation(Exception):
    """The store did not keep a promise."""


class Skipped(Exception):
    """The lane cannot run here, and why."""


# Records.


class Contents:
    """What each record holds: a function of its run, its partition and its number there."""

    def __init__(self, seed: int):
        chance = random.Random(seed)
        words = [chance.randbytes(chance.randint(2, 9)).hex().encode() for _ in range(200)]
        text = b" ".join(chance.choice(words) for _ in range(40_000))
        # A line feed ends a record on its way to the program: everything else may stand in one.
        self.pool = text + chance.randbytes(400_000).replace(b"\n", b"\v")
        self.sizes = [1, 2, 7] + [chance.randint(1, 200) for _ in range(800)]
        self.sizes += [chance.randint(200, 2000) for _ in range(150)]
        self.sizes += [chance.randint(2000, 30_000) for _ in range(45)]
        # Above what a batch takes: it is one alone.
        self.sizes += [chance.randint(70_000, 200_000) for _ in range(2)]
        chance.shuffle(self.sizes)

    @staticmethod
    def mixed(run: int, partition: int, number: int) -> int:
        mixed = (run * 1_000_003 + partition * 7_919 + number * 2_654_435_761) & 0xFFFFFFFF
        mixed = ((mixed ^ (mixed >> 15)) * 2_246_822_519) & 0xFFFFFFFF
        return mixed ^ (mixed >> 13)

    def key(self, topic: "Topic", run: int, partition: int, number: int) -> bytes:
        if topic.compacted:
            return b"key-%d" % (self.mixed(run, partition, number) % KEYS)
        return b"%d.%d" % (run, number)

    def value(self, topic: "Topic", run: int, partition: int, number: int) -> bytes:
        mixed = self.mixed(run, partition, number)
        size = self.sizes[mixed % len(self.sizes)]
        start = mixed % (len(self.pool) - size)
        if topic.compacted:
            return b"%d.%d " % (run, number) + self.pool[start : start + min(size, 2000)]
        return self.pool[start : start + size]

    @staticmethod
    def identity(topic: "Topic", key: bytes, value: bytes) -> tuple[int, int]:
        """The run and the number that a record says it has."""
        name = value.split(b" ", 1)[0] if topic.compacted else key
        run, number = name.split(b".")
        return int(run), int(number)


class Topic:
    def __init__(self, name: str, partitions: int, *settings: str):
        self.name = name
        self.partitions = partitions
        self.settings = settings
        self.written = "sluice.durability=written" in settings
        self.compacted = "cleanup.policy=compact" in settings


class Sent:
    """What one run has sent to one partition."""

    def __init__(self, binding: bool):
        # Whether what it was told survives what happens in this lane.
        self.binding = binding
        self.count = 0
        self.acknowledged: list[int] = []


class PartitionTruth:
    def __init__(self):
        self.sent: dict[int, Sent] = {}
        # Of each run: the offset of its record 0, and how many are there for good.
        self.base: dict[int, int] = {}
        self.kept: dict[int, int] = {}
        self.start = 0


class Truth:
    """All that is known of a store's records, and what of it is held against the store."""

    def __init__(self, topics: list[Topic], contents: Contents):
        self.topics = topics
        self.contents = contents
        self.partitions = {(t.name, p): PartitionTruth() for t in topics for p in range(t.partitions)}
        self.runs = 0
        # A planted lie: what is expected of some records is not what was sent.
        self.lies = False

    def begin(self, topic: Topic, binding: bool) -> int:
        self.runs += 1
        for partition in range(topic.partitions):
            self.partitions[topic.name, partition].sent[self.runs] = Sent(binding)
        return self.runs

    def check(self, tool: "Tool", topic: Topic, gaps=False, honest=True) -> collections.Counter:
        """Reads all of a topic and holds it against what was sent and acknowledged.

        gaps: offsets may be stepped over between runs, as after a loss of power on a `written` topic.
        honest: the medium keeps what it says it keeps. On one that does not, what is missing is counted.
        """
        read = tool.run("topic", "consume", topic.name, "-e", "-f", r"%p\t%o\t%k\t%v\n", timeout=120)
        if read.returncode != 0 and honest:
            raise Violation(f"{topic.name} cannot be read: {read.stderr.decode()}")
        if read.returncode != 0 and not read.stderr.strip():
            raise Violation(f"reading {topic.name} failed without a word")
        records = {partition: [] for partition in range(topic.partitions)}
        # A line is whole when it has its end: where reading fails, the last may not be.
        for line in read.stdout.split(b"\n")[:-1]:
            fields = line.split(b"\t", 3)
            if len(fields) != 4 or not fields[0].isdigit() or int(fields[0]) not in records:
                raise Violation(f"{topic.name} gives what was never sent: {line[:80]!r}")
            records[int(fields[0])].append((int(fields[1]), fields[2], fields[3]))
        figures = collections.Counter()
        bounds = tool.bounds(topic) if honest else {}
        for partition, list in records.items():
            where = f"{topic.name}-{partition}"
            try:
                figures += self.check_partition(topic, partition, list, bounds.get(partition), gaps, honest)
            except Violation as violation:
                raise Violation(f"{where}: {violation}") from None
        return figures

    def check_partition(self, topic, partition, records, bounds, gaps, honest) -> collections.Counter:
        truth = self.partitions[topic.name, partition]
        figures = collections.Counter({"records checked": len(records)})
        start, end = bounds or (0, None)
        if start < truth.start:
            raise Violation(f"its start went back from {truth.start} to {start}")
        figures["log starts moved"] += start > truth.start
        truth.start = start
        there: dict[int, int] = {}
        latest: dict[bytes, tuple[int, int]] = {}
        before = None
        for offset, key, value in records:
            run, number = self.identified(topic, partition, offset, key, value)
            if truth.base.setdefault(run, offset - number) != offset - number:
                at = truth.base[run] + number
                raise Violation(f"record {number} of run {run} is at {offset}; it was at {at}")
            if topic.compacted and before and offset > before[0] + 1:
                figures["looks at gaps that compaction left"] = 1
            if before and (run, number) <= before[1:]:
                raise Violation(f"record {number} of run {run} comes at {offset}, behind {before}")
            if honest and not topic.compacted:
                self.check_next(start, before, offset, run, number, gaps)
            before = (offset, run, number)
            there[run] = number + 1
            latest[key] = (run, number)
        if end is not None:
            if before and not before[0] < end or start > end:
                raise Violation(f"it ends at {end} and has the offset {before}")
            if not gaps and not topic.compacted and (before[0] + 1 if before else start) != end:
                raise Violation(f"its end is {end}, its last record is at {before}, its start {start}")
        for run, sent in truth.sent.items():
            figures += self.check_run(topic, partition, truth, run, sent, there, latest, start, honest)
        if not honest:
            return figures
        self.check_reuse(truth, there)
        for run in truth.sent:
            # What is there now was seen after a recovery: from here on it is there for good.
            truth.kept[run] = max(truth.kept.get(run, 0), there.get(run, 0))
        return figures

    def identified(self, topic, partition, offset, key, value) -> tuple[int, int]:
        try:
            run, number = self.contents.identity(topic, key, value)
            sent = self.partitions[topic.name, partition].sent[run]
        except (ValueError, KeyError):
            what = f"{key[:40]!r} {value[:40]!r}"
            raise Violation(f"offset {offset} holds what was never sent: {what}") from None
        if number >= sent.count:
            raise Violation(f"offset {offset} holds record {number} of run {run}, which sent {sent.count}")
        lie = self.lies and number % 10 == 3
        expected = self.contents.value(topic, run, partition, number + (1 if lie else 0))
        if value != expected or key != self.contents.key(topic, run, partition, number):
            raise Violation(
                f"offset {offset} does not hold what record {number} of run {run} was: "
                f"{len(value)} bytes {value[:40]!r}, not {len(expected)} bytes {expected[:40]!r}")
        return run, number

    @staticmethod
    def check_next(start, before, offset, run, number, gaps):
        """The offset follows the one before, and a run begins with its first record."""
        if before is None:
            if offset != start and not gaps:
                raise Violation(f"it starts at {start}, and its first record is at {offset}")
            if start == 0 and number != 0:
                raise Violation(f"its first record is number {number} of run {run}")
            return
        is_same = run == before[1]
        if offset != before[0] + 1 and (is_same or not gaps):
            raise Violation(f"behind offset {before[0]} comes {offset}: a hole")
        if number != (before[2] + 1 if is_same else 0):
            raise Violation(f"behind {before} comes record {number} of run {run}: some are left out")

    def check_run(self, topic, partition, truth, run, sent, there, latest, start, honest):
        """What was acknowledged, or there before, is there, where it was said to be."""
        figures = collections.Counter()
        acknowledged, has = sent.acknowledged, there.get(run, 0)
        if acknowledged:
            base = truth.base.setdefault(run, acknowledged[0])
            for number, offset in enumerate(acknowledged):
                if offset != base + number:
                    raise Violation(
                        f"record {number} of run {run} was acknowledged at {offset}, not at {base + number}")
        kept = truth.kept.get(run)
        needed = max(kept or 0, len(acknowledged) if sent.binding else 0)
        figures["acknowledged"] += len(acknowledged)
        lost = max(0, max(len(acknowledged), kept or 0) - has)
        if not needed and not lost or truth.base.get(run, 0) + needed <= start:
            return figures
        if not honest or topic.compacted:
            figures["lost"] += 0 if topic.compacted else lost
            if honest:
                self.check_keys(topic, partition, run, needed, latest)
            return figures
        if has < needed:
            raise Violation(
                f"run {run} was told of {len(acknowledged)} records and had {kept} before; {has} are there")
        if kept is not None and has > kept:
            raise Violation(f"run {run} had {kept} records at the last look, and now {has}")
        # At later looks it is known.
        figures["lost though acknowledged as written"] += lost if kept is None else 0
        return figures

    def check_keys(self, topic, partition, run, needed, latest):
        """Of each key the newest record is there, or a newer one."""
        done = set()
        for number in range(needed - 1, max(-1, needed - 40 * KEYS), -1):
            key = self.contents.key(topic, run, partition, number)
            if key in done:
                continue
            done.add(key)
            if latest.get(key, (0, 0)) < (run, number):
                raise Violation(f"{key!r} has {latest.get(key)}; {(run, number)} was acknowledged")
            if len(done) == KEYS:
                return

    @staticmethod
    def check_reuse(truth, there):
        """An offset that was told to somebody is never another record's."""
        for run, sent in truth.sent.items():
            gone = sent.acknowledged[there.get(run, 0) :]
            if not gone:
                continue
            for other, count in there.items():
                base = truth.base[other]
                if other != run and gone[0] < base + count and base <= gone[-1]:
                    raise Violation(
                        f"offsets {gone[0]} to {gone[-1]} were run {run}'s, and run {other} has {base} to "
                        f"{base + count - 1}")


# The program.


class Tool:
    """The command line, on one store."""

    def __init__(self, path: str, store: Path):
        self.path = os.path.abspath(path)
        self.store = store
        # What stands before the program's name: a tracer, another boot.
        self.before: list[str] = []
        self.environment: dict[str, str] = {}
        self.running: set[subprocess.Popen] = set()

    def start(self, *arguments: str, before: list[str] | None = None, **streams) -> subprocess.Popen:
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no") | self.environment
        before = self.before if before is None else before
        # A group of its own: a tracer that is killed would leave the program running.
        process = subprocess.Popen(
            [*before, self.path, *arguments, "--store", str(self.store)], env=environment,
            start_new_session=True, bufsize=0, **streams)
        self.running.add(process)
        return process

    def kill(self, process: subprocess.Popen):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        self.running.discard(process)

    def kill_all(self):
        for process in list(self.running):
            self.kill(process)

    def run(self, *arguments: str, input: bytes = b"", timeout: float = 60, before=None):
        pipe = subprocess.PIPE
        process = self.start(*arguments, stdin=pipe, stdout=pipe, stderr=pipe, before=before)
        try:
            output, errors = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Violation(f"`{' '.join(arguments)}` hung for {timeout} s") from None
        finally:
            self.kill(process)
        self.expect_no_trap(process, arguments, errors)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    @staticmethod
    def expect_no_trap(process, arguments, errors: bytes):
        code = -process.returncode if process.returncode < 0 else process.returncode - 128
        if code in TRAPS:
            name, said = signal.Signals(code).name, errors.decode(errors="replace")[-2000:]
            raise Violation(f"`{' '.join(arguments)}` trapped ({name}): {said}")

    def expect(self, *arguments: str, **more) -> bytes:
        result = self.run(*arguments, **more)
        if result.returncode != 0:
            said = (result.stdout[-1500:] + result.stderr).decode(errors="replace")
            raise Violation(f"`{' '.join(arguments)}` ended with {result.returncode}: {said}")
        return result.stdout

    def create(self, topics: list[Topic]):
        for topic in topics:
            settings = [word for setting in topic.settings for word in ("-c", setting)]
            self.expect("topic", "create", topic.name, "-p", str(topic.partitions), *settings)

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """Start and end of each partition."""
        lines = self.expect("topic", "describe", topic.name).decode().splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("PARTITION")) + 1
        rows = [line.split() for line in lines[first : first + topic.partitions]]
        return {int(row[0]): (int(row[1]), int(row[2])) for row in rows}

    def verify(self) -> list[str]:
        """No acknowledged data is damaged. Returns the notes on what an opening would put right."""
        lines = self.expect("verify", "--deep", timeout=120).decode().splitlines()
        return [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]


class Producer:
    """A process that appends, with its input and its receipts on pipes, each in a thread."""

    FORMAT = r"%p\t%k\t%v\n"

    def __init__(self, tool, truth, topic, chance, *, binding=True, acks="durable", bytes=4 << 20, pause=0.02,
                 before=None):
        self.tool, self.truth, self.topic = tool, truth, topic
        self.number = truth.begin(topic, binding)
        self.chance = random.Random(chance.random())
        self.bytes = bytes
        self.pause = pause
        self.arguments = (
            "topic", "produce", topic.name, "-f", self.FORMAT, "-o", r"%p %o\n", "--acks", acks)
        self.process = tool.start(
            *self.arguments, before=before,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        partitions = [truth.partitions[topic.name, partition] for partition in range(topic.partitions)]
        self.sent = [partition.sent[self.number] for partition in partitions]
        self.errors = b""
        works = [self.feed, self.listen, self.overhear]
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def feed(self):
        partitions, contents, left = len(self.sent), self.truth.contents, self.bytes
        # Some runs pour, some trickle: batches are filled, or hold a record each.
        trickles = self.chance.random() < 0.5
        try:
            while left > 0:
                lines = []
                for _ in range(self.chance.randint(1, 20 if trickles else 400)):
                    partition = self.chance.randrange(partitions)
                    sent = self.sent[partition]
                    number, sent.count = sent.count, sent.count + 1
                    key = contents.key(self.topic, self.number, partition, number)
                    value = contents.value(self.topic, self.number, partition, number)
                    lines.append(b"%d\t%b\t%b\n" % (partition, key, value))
                chunk = memoryview(b"".join(lines))
                left -= len(chunk)
                while chunk:
                    chunk = chunk[self.process.stdin.write(chunk) :]
                if self.pause and self.chance.random() < 0.7:
                    time.sleep(self.chance.random() * self.pause)
        except OSError:
            pass
        finally:
            try:
                self.process.stdin.close()
            except OSError:
                pass

    def listen(self):
        rest = b""
        while data := self.process.stdout.read(1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                partition, offset = line.split(b" ")
                self.sent[int(partition)].acknowledged.append(int(offset))

    def overhear(self):
        self.errors = self.process.stderr.read()

    @property
    def acknowledged(self) -> int:
        return sum(len(sent.acknowledged) for sent in self.sent)

    def end(self, kill: bool, timeout: float = 60) -> int:
        """Kills it, or waits for its end. Returns how it ended; afterwards everything it said is known."""
        if not kill:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.tool.kill(self.process)
                raise Violation(f"the producer hung for {timeout} s") from None
        self.tool.kill(self.process)
        for thread in self.threads:
            thread.join(30)
        self.process.stdout.close()
        self.process.stderr.close()
        self.tool.expect_no_trap(self.process, self.arguments, self.errors)
        return self.process.returncode


def plant(lie: str | None, truth: Truth, topic: Topic, store: Path, chance) -> str | None:
    """Plants a lie, so that one can see whether a lane notices. Says which, or None when none was possible.

    acknowledged: the truth says that more records were acknowledged. contents: it says that some records were
    other ones. offset: it says that they are one further on. store: a byte in the middle of a segment is
    another.
    """
    if lie == "contents":
        truth.lies = True
        return "some records are expected to be others"
    if lie == "acknowledged":
        for partition in range(topic.partitions):
            truths = truth.partitions[topic.name, partition]
            for run, sent in truths.sent.items():
                if sent.acknowledged and sent.binding:
                    more = sent.count - len(sent.acknowledged) + 1
                    sent.acknowledged += range(sent.acknowledged[-1] + 1, sent.acknowledged[-1] + 1 + more)
                    return f"run {run} was told of {more} more records in {topic.name}-{partition}"
    if lie == "offset":
        for partition in range(topic.partitions):
            for run, sent in truth.partitions[topic.name, partition].sent.items():
                if sent.acknowledged:
                    sent.acknowledged[:] = [offset + 1 for offset in sent.acknowledged]
                    return f"run {run} was told of offsets one further on in {topic.name}-{partition}"
    if lie == "store":
        files = [path for path in store.glob(f"topics/{topic.name}-*/*.log") if path.stat().st_size > 200]
        if files:
            path = chance.choice(files)
            with open(path, "r+b") as file:
                file.seek(path.stat().st_size // 2)
                byte = file.read(1)[0]
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte ^ 0x10]))
            return f"a byte in the middle of {path.name} of {path.parent.name} is another"
    return None


# The machine.

PACKAGES = {
    "strace": "strace", "mkfs.xfs": "xfsprogs", "mkfs.ext4": "e2fsprogs", "cc": "gcc", "losetup": "mount",
    "unshare": "util-linux",
}


def need(*programs: str):
    """Has the programs there, or installs them, or skips the lane."""
    for program in programs:
        if shutil.which(program):
            continue
        if os.geteuid() == 0 and shutil.which("apt-get"):
            command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", PACKAGES[program]]
            quiet = subprocess.DEVNULL
            subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=300,
                           env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
        if not shutil.which(program):
            raise Skipped(f"there is no {program}, and it could not be installed")


class Lane:
    """The frame of a lane: arguments, a folder, news at times, figures, and an end that cleans up."""

    def __init__(self, name: str, text: str, **options: int | None):
        layout = argparse.RawDescriptionHelpFormatter
        parser = argparse.ArgumentParser(description=text, formatter_class=layout)
        parser.add_argument("tool", metavar="TOOL", help="a built `sluice`")
        for option, default in options.items():
            parser.add_argument(f"--{option}", type=int, default=default)
        parser.add_argument("--seed", type=int, default=None)
        parser.add_argument("--lie", choices=["acknowledged", "contents", "offset", "store"],
                            help="plant a lie: the lane must fail")
        self.arguments = parser.parse_args()
        if not shutil.which(self.arguments.tool):
            parser.error(f"{self.arguments.tool} is no program")
        self.seed = self.arguments.seed
        if self.seed is None:
            self.seed = random.SystemRandom().randrange(10**6)
        self.chance = random.Random(self.seed)
        self.name = name
        self.figures = collections.Counter()
        self.begun = time.monotonic()
        self.told = 0.0
        self.planted = False
        self.cleanup = ExitStack()
        self.folder = Path()

    def tell(self, line: str, always: bool = False):
        if always or time.monotonic() - self.told > 4:
            self.told = time.monotonic()
            print(f"{time.monotonic() - self.begun:6.1f} s  {line}", flush=True)

    def lie(self, truth: Truth, topic: Topic, store: Path):
        """Plants the lie that was asked for, once."""
        if self.arguments.lie and not self.planted:
            said = plant(self.arguments.lie, truth, topic, store, self.chance)
            self.planted = said is not None
            if said:
                self.tell(f"planted: {said}", always=True)

    def run(self, body) -> int:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.folder = Path(tempfile.mkdtemp(prefix=f"sluice-{self.name}-"))
        keeps = False
        try:
            with self.cleanup:
                body(self)
            if self.arguments.lie and self.planted:
                print("FAILED: a lie was planted and not noticed")
                return 1
            figures = {"lane": self.name.replace("-", " "), "seed": self.seed}
            figures |= {"seconds": round(time.monotonic() - self.begun)} | self.figures
            print(f"figures: {json.dumps(figures)}")
            return 0
        except Violation as violation:
            keeps = True
            options = vars(self.arguments) | {"seed": self.seed, "tool": None}
            command = " ".join(f"--{key} {value}" for key, value in options.items() if value is not None)
            print(f"FAILED: {violation}\n  seen again by: {sys.argv[0]} {self.arguments.tool} {command}")
            print(f"  kept: {self.folder}")
            figures = {"lane": self.name.replace("-", " "), "seed": self.seed, "failed": 1} | self.figures
            print(f"figures: {json.dumps(figures)}")
            return 1
        except Skipped as reason:
            print(f"skipped: {reason}")
            return 0
        except KeyboardInterrupt:
            return 130
        finally:
            if not keeps:
                shutil.rmtree(self.folder, ignore_errors=True)
