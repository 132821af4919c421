"""Uses streams through redis-py, as an application would; takes the port and the version of the protocol.

The program proves that a stream keeps and trims its entries, that a waiting reader is woken, that the consumers of a
group process each entry exactly once, and that the entries of a lost consumer can be taken over. Ends with an error at
the first answer that is not as it should be.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
# How long an entry may take to come, in seconds.
PATIENCE = 60
PATIENCE_MS = 1000 * PATIENCE


def client():
    # A client that waits for the server gives up later than the server does; values look alike in both protocols.
    return redis.Redis(
        port=PORT, protocol=PROTOCOL, decode_responses=True, legacy_responses=False, socket_timeout=2 * PATIENCE
    )


def fails(word, action, *arguments, **options):
    try:
        reply = action(*arguments, **options)
    except redis.ResponseError as error:
        assert word in str(error), error
    else:
        raise AssertionError(f"{word} is expected, not {reply}")


def entries(r):
    ids = [r.xadd("log", {"number": number}) for number in range(5)]
    assert ids == sorted(ids, key=parts) and len(set(ids)) == 5
    assert r.xlen("log") == 5 and r.type("log") == "stream"
    assert r.xrange("log") == [(id, {"number": str(number)}) for number, id in enumerate(ids)]
    assert [id for id, _ in r.xrange("log", ids[1], "(" + ids[4], count=2)] == ids[1:3]
    assert [id for id, _ in r.xrevrange("log", "+", ids[2], count=2)] == [ids[4], ids[3]]
    assert r.xdel("log", ids[2], "1-1") == 1 and r.xlen("log") == 4

    assert r.xadd("chosen", {"a": 1, "b": ""}, id="5-1") == "5-1"
    assert r.xadd("chosen", {"a": 2}, id="5-*") == "5-2"
    fails("equal or smaller", r.xadd, "chosen", {"a": 3}, id="5-2")
    fails("WRONGTYPE", r.get, "chosen")
    assert r.xadd("missing", {"a": 1}, nomkstream=True) is None and r.exists("missing") == 0
    info = r.xinfo_stream("chosen")
    assert info["length"] == 2 and info["last-generated-id"] == "5-2" and info["groups"] == 0
    assert info["entries-added"] == 2 and info["max-deleted-entry-id"] == "0-0"
    assert info["first-entry"] == ("5-1", {"a": "1", "b": ""}) and info["last-entry"] == ("5-2", {"a": "2"})


def parts(id):
    """The time in milliseconds and the number of an entry, by which ids are in order."""
    return tuple(map(int, id.split("-")))


def fill(r, name, count):
    with r.pipeline(transaction=False) as pipe:
        for number in range(1, count + 1):
            pipe.xadd(name, {"number": number}, id=f"{number}-0")
        pipe.execute()


def trimming(r):
    fill(r, "exact", 1000)
    assert r.xtrim("exact", maxlen=900, approximate=False) == 100
    assert r.xtrim("exact", minid="201-0", approximate=False) == 100
    assert r.xrange("exact", count=1) == [("201-0", {"number": "201"})] and r.xlen("exact") == 800
    assert r.xadd("exact", {"number": 1001}, id="1001-0", maxlen=10, approximate=False) == "1001-0"
    assert [id for id, _ in r.xrange("exact")] == [f"{number}-0" for number in range(992, 1002)]

    # With `~` the server removes only whole blocks of its memory, here of 100 entries.
    fill(r, "near", 1000)
    removed = r.xtrim("near", maxlen=550)
    assert removed == 1000 - r.xlen("near") and 550 <= r.xlen("near") <= 650, removed
    before = r.xlen("near")
    removed = r.xtrim("near", minid="750-0")
    assert [id for id, _ in r.xrange("near", "750-0")] == [f"{number}-0" for number in range(750, 1001)]
    assert removed == before - r.xlen("near") and 251 <= r.xlen("near") <= 351, removed
    before = r.xlen("near")
    removed = r.xtrim("near", maxlen=0, limit=200)
    assert removed <= 200 and r.xlen("near") == before - removed, removed
    assert r.xadd("near", {"number": 1001}, id="1001-0", minid="1001-0", limit=1000) == "1001-0"
    assert r.xrevrange("near", count=1) == [("1001-0", {"number": "1001"})]
    info = r.xinfo_stream("near")
    assert info["entries-added"] == 1001 and info["last-generated-id"] == "1001-0"


def reading(r):
    for number in range(1, 4):
        r.xadd("first", {"n": number}, id=f"{number}-1")
    r.xadd("second", {"n": 9}, id="9-1")
    assert r.xread({"first": "1-1", "second": "0"}, count=1) == {
        "first": [("2-1", {"n": "2"})],
        "second": [("9-1", {"n": "9"})],
    }
    assert r.xread({"first": "$"}) == {} and r.xread({"first": "3-1"}, block=10) == {}

    # The reader waits for what is new when it begins, so entries are added until it has seen one.
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(client().xread, {"first": "$", "second": "$"}, block=PATIENCE_MS)
        added = []
        while not reader.done():
            added.append(r.xadd("second", {"n": len(added)}))
            wait([reader], timeout=0.001)
    [(name, [(id, fields)])] = reader.result().items()
    assert name == "second" and fields == {"n": str(added.index(id))}, reader.result()


def groups(r):
    """Four consumers share the entries of two producers."""
    producers, consumers, count = 2, 4, 1000
    assert r.xgroup_create("jobs", "workers", id="0", mkstream=True) is True
    fails("BUSYGROUP", r.xgroup_create, "jobs", "workers")
    seen = [[] for _ in range(consumers)]
    ends = time.monotonic() + PATIENCE

    def produce(number):
        mine = client()
        for step in range(count):
            mine.xadd("jobs", {"job": f"{number}:{step}"})

    def consume(number):
        mine = client()
        # A consumer that gets nothing for a moment looks whether all is done.
        while sum(map(len, seen)) < producers * count and time.monotonic() < ends:
            reply = mine.xreadgroup("workers", f"worker {number}", {"jobs": ">"}, count=10, block=50)
            for id, fields in reply.get("jobs", []):
                assert mine.xack("jobs", "workers", id) == 1
                seen[number].append(fields["job"])

    with ThreadPoolExecutor(producers + consumers) as pool:
        threads = [pool.submit(consume, number) for number in range(consumers)]
        threads += [pool.submit(produce, number) for number in range(producers)]
        for thread in threads:
            thread.result()
    jobs = [job for mine in seen for job in mine]
    assert len(jobs) == producers * count, f"{len(jobs)} entries are processed"
    assert set(jobs) == {f"{number}:{step}" for number in range(producers) for step in range(count)}
    # Each consumer gets the entries of a producer in the order in which they were added.
    for mine in seen:
        for number in range(producers):
            steps = [int(job.split(":")[1]) for job in mine if job.startswith(f"{number}:")]
            assert steps == sorted(steps)
    [group] = r.xinfo_groups("jobs")
    assert (group["name"], group["consumers"], group["pending"]) == ("workers", consumers, 0), group
    assert (group["entries-read"], group["lag"]) == (producers * count, 0), group
    assert group["last-delivered-id"] == r.xinfo_stream("jobs")["last-entry"][0]
    names = sorted(consumer["name"] for consumer in r.xinfo_consumers("jobs", "workers"))
    assert names == [f"worker {number}" for number in range(consumers)]


def pending(r):
    """Consumers see the pending entries of another, and take them over."""
    fill(r, "tasks", 10)
    ids = [f"{number}-0" for number in range(1, 11)]
    r.xgroup_create("tasks", "g", id="0")
    assert r.xgroup_createconsumer("tasks", "g", "ann") == 1 and r.xgroup_createconsumer("tasks", "g", "ann") == 0
    first = r.xreadgroup("g", "ann", {"tasks": ">"}, count=7)
    assert [id for id, _ in first["tasks"]] == ids[:7]
    assert r.xreadgroup("g", "bob", {"tasks": ">"}, noack=True) == {
        "tasks": [(id, {"number": id.removesuffix("-0")}) for id in ids[7:]]
    }
    assert r.xreadgroup("g", "bob", {"tasks": ">"}) == {}
    assert r.xack("tasks", "g", ids[0], ids[0], "99-0") == 1
    summary = r.xpending("tasks", "g")
    assert summary == {"pending": 6, "min": "2-0", "max": "7-0", "consumers": [{"name": "ann", "pending": 6}]}, summary
    rows = r.xpending_range("tasks", "g", min="-", max="+", count=2, consumername="ann", idle=0)
    assert [(row["message_id"], row["consumer"], row["times_delivered"]) for row in rows] == [
        ("2-0", "ann", 1),
        ("3-0", "ann", 1),
    ]
    assert r.xpending_range("tasks", "g", min="-", max="+", count=9, idle=PATIENCE_MS * 100) == []
    assert r.xpending_range("tasks", "g", min="-", max="+", count=9, consumername="bob") == []

    # An entry that was delivered too recently is not claimed; a claim may set its idle time and its deliveries.
    assert r.xclaim("tasks", "g", "bob", PATIENCE_MS * 100, ["2-0"]) == []
    assert r.xclaim("tasks", "g", "bob", 0, ["2-0", "10-0"]) == [("2-0", {"number": "2"})]
    assert r.xclaim("tasks", "g", "bob", 0, ["3-0"], idle=PATIENCE_MS * 200, retrycount=7, justid=True) == ["3-0"]
    assert r.xclaim("tasks", "g", "bob", 0, ["10-0"], force=True, justid=True) == ["10-0"]
    rows = r.xpending_range("tasks", "g", min="-", max="+", count=9, consumername="bob")
    counts = [(row["message_id"], row["times_delivered"]) for row in rows]
    assert counts == [("2-0", 2), ("3-0", 7), ("10-0", 1)], counts
    rows = r.xpending_range("tasks", "g", min="-", max="+", count=9, idle=PATIENCE_MS * 100)
    assert [row["message_id"] for row in rows] == ["3-0"]
    assert rows[0]["time_since_delivered"] >= PATIENCE_MS * 200

    # XAUTOCLAIM drops an entry that was deleted. It stops after COUNT entries, and says where to go on.
    assert r.xdel("tasks", "5-0") == 1
    assert r.xreadgroup("g", "ann", {"tasks": "0"}, count=2)["tasks"][1] == ("5-0", {})
    claimed = r.xautoclaim("tasks", "g", "carol", 0, count=2)
    assert claimed == ["4-0", [("2-0", {"number": "2"}), ("3-0", {"number": "3"})], []], claimed
    claimed = r.xautoclaim("tasks", "g", "carol", 0, start_id="4-0", count=2)
    assert claimed == ["6-0", [("4-0", {"number": "4"})], ["5-0"]], claimed
    assert r.xautoclaim("tasks", "g", "carol", 0, start_id="6-0", justid=True) == ["6-0", "7-0", "10-0"]
    assert r.xautoclaim("tasks", "g", "carol", PATIENCE_MS * 100) == ["0-0", [], []]
    kept = {consumer["name"]: consumer["pending"] for consumer in r.xinfo_consumers("tasks", "g")}
    assert kept == {"ann": 0, "bob": 0, "carol": 6}, kept
    details = r.xinfo_stream("tasks", full=True)
    [group] = details["groups"]
    assert details["length"] == 9 and group["pel-count"] == 6 and len(group["consumers"]) == 3, details

    assert r.xgroup_delconsumer("tasks", "g", "carol") == 6 and r.xpending("tasks", "g")["pending"] == 0
    assert r.xgroup_setid("tasks", "g", "8-0", entries_read=8) is True
    assert [(group["entries-read"], group["lag"]) for group in r.xinfo_groups("tasks")] == [(8, 2)]
    assert [id for id, _ in r.xreadgroup("g", "dora", {"tasks": ">"})["tasks"]] == ["9-0", "10-0"]


def destroyed_group(r):
    """A consumer that waits, or is about to wait, is told that its group is gone."""
    r.xgroup_create("short", "lived", mkstream=True)
    with ThreadPoolExecutor(1) as pool:
        read = client().xreadgroup
        waiting = pool.submit(fails, "NOGROUP", read, "lived", "ann", {"short": ">"}, block=PATIENCE_MS)
        assert r.xgroup_destroy("short", "lived") is True
        waiting.result()


def main():
    r = client()
    r.flushall()
    for part in (entries, trimming, reading, groups, pending, destroyed_group):
        part(r)


main()
