"""Tasks of Celery: what `Scripts/bench-tasks` runs a worker of, and publishes to.

    celery_tasks.py SOCKET TASKS IN_FLIGHT SECONDS

Publishes tasks, a hundred at a time, so that so many are in flight, and waits for their results in that order; until all are
done or the time is over. Prints a line of JSON: tasks, seconds, and how long it took from publishing to beginning, in milliseconds.
"""

import collections
import json
import os
import statistics
import sys
import time

from celery import Celery
from celery.result import ResultSet

CHUNK = 100
SOCKET = os.environ.get("REDIS_SOCKET") or sys.argv[1]
app = Celery("bench", broker=f"redis+socket://{SOCKET}", backend=f"redis+socket://{SOCKET}")
# At least once, as a lease does it; a payload and a result as JSON, kept for a day.
app.conf.update(task_acks_late=True, task_serializer="json", result_serializer="json", accept_content=["json"],
                worker_prefetch_multiplier=100, broker_connection_retry_on_startup=True)


@app.task(name="bench")
def bench(number, due, text):
    return [number, time.time() - due]


def main():
    count, in_flight, limit = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    text = "x" * 100
    bench.delay(0, time.time(), text).get(timeout=60)
    waits = []
    pending = collections.deque()
    began = time.monotonic()
    sent = done = 0
    with app.producer_pool.acquire(block=True) as producer:
        while True:
            while sent - done < in_flight and sent < count and time.monotonic() - began < limit:
                numbers = range(sent, min(count, sent + CHUNK))
                tasks = [bench.apply_async((number, time.time(), text), producer=producer) for number in numbers]
                pending.append((numbers, ResultSet(tasks)))
                sent += len(numbers)
            if not pending:
                break
            numbers, chunk = pending.popleft()
            results = chunk.join_native(timeout=300)
            if sorted(number for number, _ in results) != list(numbers):
                sys.exit("A result is missing, or another's.")
            waits += [wait * 1000 for _, wait in results]
            done += len(results)
    seconds = time.monotonic() - began
    print(json.dumps({"tasks": done, "seconds": seconds, "start_p50_ms": statistics.median(waits)}))


if __name__ == "__main__":
    main()
