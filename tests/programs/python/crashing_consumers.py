"""A queue of work in a stream, whose consumers are killed again and again; takes the port.

The program proves that no entry of a consumer group is lost: 100,000 entries are each processed at least once and
acknowledged, although SIGKILL ends forty consumers in the middle of their work. Later consumers take over what these
have left pending, with XAUTOCLAIM. Ends with an error if an entry is lost, or remains pending.
"""

import multiprocessing
import signal
import sys
import time
from multiprocessing import connection

import redis

PORT = int(sys.argv[1])
# How long a crash, or the work after the last crash, may take to come to its end, in seconds.
PATIENCE = 60

ENTRIES = 100_000
BATCH = 100
CONSUMERS = 4
# All consumers are killed when one has taken BATCHES_BEFORE_CRASH batches, and new ones come in their places. Even if
# all batches are full, work is left after the last crash: 10 * 4 * 20 * 100 entries are fewer than ENTRIES.
CRASHES = 10
BATCHES_BEFORE_CRASH = 20
# Entries that a consumer has kept for longer are taken over; a consumer that is merely slow loses them too.
MIN_IDLE_MS = 100

QUEUE, GROUP = "queue", "consumers"

# A process that is forked needs not load redis-py anew.
processes = multiprocessing.get_context("fork")


def client():
    return redis.Redis(port=PORT, protocol=3, legacy_responses=False, socket_timeout=PATIENCE)


def produce():
    r = client()
    for first in range(0, ENTRIES, BATCH):
        with r.pipeline(transaction=False) as pipe:
            for number in range(first, first + BATCH):
                pipe.xadd(QUEUE, {"number": number})
            pipe.execute()


def consume(name, crash_pipe):
    """Takes batches until all entries are acknowledged; with a pipe, until it asks there to be killed."""
    r = client()
    batches = 0
    for taken_over, batch in batches_of(r, name):
        batches += 1
        numbers = [fields[b"number"] for _, fields in batch]
        if crash_pipe and batches == BATCHES_BEFORE_CRASH:
            # Half of the batch is processed, and nothing acknowledged.
            r.sadd("processed", numbers[0], *numbers[: len(numbers) // 2])
            crash_pipe.send_bytes(name.encode())
            signal.pause()
        r.sadd("processed", *numbers)
        # A consumer that is killed has done all of this or nothing.
        with r.pipeline() as pipe:
            pipe.xack(QUEUE, GROUP, *(id for id, _ in batch))
            pipe.sadd("acknowledged", *numbers)
            if taken_over:
                pipe.sadd("taken over", *numbers)
            pipe.execute()


def batches_of(r, name):
    """Gives entries that others have left, else new ones, until all are acknowledged."""
    start = "0-0"
    while True:
        start, batch, _ = r.xautoclaim(QUEUE, GROUP, name, MIN_IDLE_MS, start, count=BATCH)
        if batch:
            yield True, batch
            continue
        # If nothing is new, entries may be left by others when the wait is over.
        reply = r.xreadgroup(GROUP, name, {QUEUE: ">"}, count=BATCH, block=MIN_IDLE_MS // 2)
        if reply:
            yield False, reply[QUEUE.encode()]
        elif r.scard("acknowledged") == ENTRIES:
            return


def start(target, *arguments):
    # A daemon is ended with this program.
    process = processes.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def crash(number):
    """Starts consumers, and kills them all when the first of them is in the middle of its last batch."""
    hears, tells = processes.Pipe(duplex=False)
    consumers = [start(consume, f"{number}.{index}", tells) for index in range(CONSUMERS)]
    ready = connection.wait([hears, *(consumer.sentinel for consumer in consumers)], timeout=PATIENCE)
    assert hears in ready, f"consumers take no entries: {consumers}"
    for consumer in consumers:
        consumer.kill()
    for consumer in consumers:
        consumer.join()
    assert {consumer.exitcode for consumer in consumers} == {-signal.SIGKILL}, consumers


def main():
    r = client()
    r.flushall()
    r.xgroup_create(QUEUE, GROUP, id="0", mkstream=True)
    producer = start(produce)
    for number in range(CRASHES):
        crash(number)
    assert r.scard("acknowledged") < ENTRIES, "the work was over before the last crash"
    last = [producer, *(start(consume, f"last.{index}", None) for index in range(CONSUMERS))]
    ends = time.monotonic() + PATIENCE
    for process in last:
        process.join(timeout=max(0, ends - time.monotonic()))
    acknowledged = r.scard("acknowledged")
    assert {process.exitcode for process in last} == {0}, f"{acknowledged} of {ENTRIES} are acknowledged: {last}"

    numbers = {str(number).encode() for number in range(ENTRIES)}
    for name in ("processed", "acknowledged"):
        found = r.smembers(name)
        assert found == numbers, f"{name}: {len(found)} of {ENTRIES}"
    assert r.xlen(QUEUE) == ENTRIES and r.xpending(QUEUE, GROUP)["pending"] == 0
    [group] = r.xinfo_groups(QUEUE)
    assert (group["entries-read"], group["lag"]) == (ENTRIES, 0), group
    kept = {consumer["name"]: consumer["pending"] for consumer in r.xinfo_consumers(QUEUE, GROUP)}
    assert set(kept.values()) == {0}, kept
    assert r.scard("taken over") > 0, "nothing was taken over"


main()
