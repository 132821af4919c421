"""Uses a server through redis-py, as an application would; takes the port and the version of the protocol.

Ends with an error at the first answer that is not as it should be.
"""

import sys
import threading

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])


def client(**options):
    return redis.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True, **options)


def values(r):
    assert r.set("greeting", "hello", ex=100) is True
    assert r.get("greeting") == "hello" and 0 < r.ttl("greeting") <= 100
    assert r.set("greeting", "other", nx=True) is None
    assert r.hset("user", mapping={"name": "ann", "age": 33}) == 2
    assert r.hgetall("user") == {"name": "ann", "age": "33"}
    assert r.rpush("list", "a", "b", "c") == 3 and r.lrange("list", 0, -1) == ["a", "b", "c"]
    assert r.sadd("set", "x", "y") == 2 and r.smembers("set") == {"x", "y"}
    assert r.zadd("board", {"ann": 1.5, "bob": 2}) == 2
    board = r.zrange("board", 0, -1, withscores=True)
    assert [tuple(pair) for pair in board] == [("ann", 1.5), ("bob", 2.0)], board
    assert sorted(r.scan_iter(match="*s*", count=2)) == ["list", "set", "user"]
    assert r.type("board") == "zset" and r.exists("greeting", "nothing") == 1
    assert r.info("server")["redis_version"].startswith("7.")
    assert r.config_get("appendonly") == {"appendonly": "no"}
    try:
        r.lpush("greeting", "x")
        raise AssertionError("a string is no list")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for number in range(10_000):
            pipe.incr("counter")
        assert pipe.execute() == list(range(1, 10_001))
    with r.pipeline() as pipe:
        pipe.set("a", 1).incr("a").get("a").lpush("a", "x").get("a")
        results = pipe.execute(raise_on_error=False)
    assert results[:3] == [True, 2, "2"] and results[4] == "2", results
    assert isinstance(results[3], redis.ResponseError)


def transactions(r):
    """Each retries until nobody has come in between."""
    accounts, transfers = 8, 100

    def move(number):
        mine = client()
        for step in range(transfers):
            source, target = f"account:{(number + step) % accounts}", f"account:{(number * step) % accounts}"

            def change(pipe):
                left, right = int(pipe.get(source)), int(pipe.get(target))
                pipe.multi()
                if source != target:
                    pipe.set(source, left - 1)
                    pipe.set(target, right + 1)
                pipe.incr("transfers")

            mine.transaction(change, source, target)

    r.mset({f"account:{number}": 100 for number in range(accounts)})
    threads = [threading.Thread(target=move, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sum(int(r.get(f"account:{number}")) for number in range(accounts)) == 100 * accounts
    assert r.get("transfers") == str(4 * transfers)

    with r.pipeline() as pipe:
        pipe.watch("watched")
        r.set("watched", 1)
        pipe.multi()
        pipe.get("watched")
        try:
            pipe.execute()
            raise AssertionError("the key has changed")
        except redis.WatchError:
            pass


def channels(r):
    subscriber = r.pubsub()
    subscriber.subscribe("news")
    subscriber.psubscribe("weather:*")
    kinds = [subscriber.get_message(timeout=10)["type"] for _ in range(2)]
    assert kinds == ["subscribe", "psubscribe"]
    assert r.publish("news", "first") == 1 and r.publish("weather:rome", "sun") == 1
    message = subscriber.get_message(timeout=10)
    assert (message["type"], message["channel"], message["data"]) == ("message", "news", "first")
    message = subscriber.get_message(timeout=10)
    assert (message["pattern"], message["channel"], message["data"]) == ("weather:*", "weather:rome", "sun")
    subscriber.ping()
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    subscriber.close()

    r.config_set("notify-keyspace-events", "KEA")
    subscriber = r.pubsub(ignore_subscribe_messages=True)
    subscriber.psubscribe("__keyevent@0__:*")
    subscriber.get_message(timeout=10)
    r.set("k", "v", px=20)
    seen = []
    while len(seen) < 3:
        message = subscriber.get_message(timeout=10)
        if message:
            seen.append((message["channel"].removeprefix("__keyevent@0__:"), message["data"]))
    assert seen == [("set", "k"), ("expire", "k"), ("expired", "k")], seen
    subscriber.close()


def waiting(r):
    def push():
        client().rpush("queue", "job")

    thread = threading.Thread(target=push)
    thread.start()
    assert tuple(r.blpop("queue", timeout=10)) == ("queue", "job")
    thread.join()
    assert r.blpop("queue", timeout=0.01) is None


def monitor(r):
    with r.monitor() as looking:
        r.set("seen", "yes")
        while True:
            line = looking.next_command()
            if line["command"] == "SET seen yes":
                break


def main():
    r = client()
    r.flushall()
    for part in (values, pipelines, transactions, channels, waiting, monitor):
        part(r)
    with client(single_connection_client=True) as one:
        assert one.ping() is True and one.client_id() > 0


main()
