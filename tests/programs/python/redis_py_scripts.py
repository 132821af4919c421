"""Uses scripts and locks of redis-py, as an application would; takes the port.

Ends with an error at the first answer that is not as it should be.
"""

import sys
import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError

PORT = int(sys.argv[1])
# How long a result may take to come, in seconds.
PATIENCE = 60


def client(**options):
    return redis.Redis(port=PORT, decode_responses=True, **options)


def raises(kind, action, text=""):
    try:
        action()
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"{kind.__name__} is not raised")


def evaluation(r):
    assert r.eval("return {KEYS[1], ARGV[1], 3.99, false}", 1, "k", "a") == ["k", "a", 3, None]
    assert r.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "k", "v") == "OK"
    assert r.get("k") == "v"
    sha = r.script_load("return redis.call('GET', KEYS[1])")
    assert len(sha) == 40 and r.script_exists(sha, "0" * 40) == [True, False]
    assert r.evalsha(sha, 1, "k") == "v" and r.evalsha_ro(sha, 1, "k") == "v"
    assert r.eval_ro("return redis.call('GET', KEYS[1])", 1, "k") == "v"
    raises(NoScriptError, lambda: r.evalsha("f" * 40, 0))
    raises(redis.ResponseError, lambda: r.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "k"), "WRONGTYPE")
    raises(redis.ResponseError, lambda: r.eval("return nothing()", 0), "nothing")
    raises(redis.ResponseError, lambda: r.eval_ro("return redis.call('SET', KEYS[1], 1)", 1, "k"), "read-only")
    assert r.script_flush() is True and r.script_exists(sha) == [False]


def registered_scripts(r):
    """A registered script is sent by its digest, and loaded when the server does not know it."""
    add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["sum"], args=[5]) == 5
    r.script_flush()
    assert add(keys=["sum"], args=[2]) == 7

    r.script_flush()
    with r.pipeline() as pipe:
        pipe.set("other", 1)
        for number in range(1, 101):
            add(keys=["sum"], args=[number], client=pipe)
        pipe.get("other")
        results = pipe.execute()
    assert results[0] is True and results[-1] == "1"
    assert results[100] == 7 + 5050, results[100]

    largest = r.register_script("""
        local best = redis.call('GET', KEYS[1])
        if not best or tonumber(ARGV[1]) > tonumber(best) then
            redis.call('SET', KEYS[1], ARGV[1])
            return 1
        end
        return 0
    """)
    with r.pipeline(transaction=False) as pipe:
        for number in (3, 1, 7, 7, 9, 2):
            largest(keys=["largest"], args=[number], client=pipe)
        assert pipe.execute() == [1, 0, 1, 0, 1, 0]
    assert r.get("largest") == "9"


def one_lock(r):
    lock = r.lock("lock", timeout=100)
    assert lock.acquire(blocking=False) and lock.owned() and lock.locked()
    other = client().lock("lock", timeout=100)
    assert not other.acquire(blocking=False) and not other.owned()
    assert 0 < r.pttl("lock") <= 100_000
    assert lock.extend(1000) is True and r.pttl("lock") > 1_000_000
    assert lock.extend(50, replace_ttl=True) is True and r.pttl("lock") <= 50_000
    assert lock.reacquire() is True and r.pttl("lock") > 50_000
    raises(LockError, other.release)
    lock.release()
    assert not lock.locked() and other.acquire(blocking=False)
    # The lock is taken from its owner.
    r.set("lock", "of another")
    raises(LockNotOwnedError, other.release)
    late = r.lock("lock", timeout=100)
    late.local.token = b"a token of the past"
    raises(LockNotOwnedError, lambda: late.extend(10))
    raises(LockNotOwnedError, late.reacquire)
    r.delete("lock")


def expired_lock(r):
    lock = r.lock("short", timeout=0.05)
    assert lock.acquire(blocking=False)
    # Another client waits until the lock has expired.
    with client().lock("short", timeout=100, sleep=0.01, blocking_timeout=PATIENCE):
        raises(LockNotOwnedError, lock.release)
    assert r.exists("short") == 0


def contended_lock(r):
    """Threads that read, wait and write would lose updates without the lock."""
    threads, rounds = 4, 25

    def count():
        mine = client()
        for _ in range(rounds):
            with mine.lock("counting", timeout=PATIENCE, sleep=0.001):
                before = int(mine.get("counted") or 0)
                time.sleep(0)
                mine.set("counted", before + 1)

    workers = [threading.Thread(target=count) for _ in range(threads)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert r.get("counted") == str(threads * rounds), r.get("counted")


def functions(r):
    library = """#!lua name=mylib
        redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
        redis.register_function{
            function_name = 'take',
            callback = function(keys, args) return redis.call('GET', keys[1]) end,
            flags = {'no-writes'}
        }
    """
    assert r.function_load(library) == "mylib"
    raises(redis.ResponseError, lambda: r.function_load(library), "already exists")
    assert r.function_load(library, replace=True) == "mylib"
    assert r.fcall("put", 1, "k", "of a function") == "OK"
    assert r.fcall_ro("take", 1, "k") == "of a function"
    raises(redis.ResponseError, lambda: r.fcall_ro("put", 1, "k", "v"), "write flag")
    dump = client_of_bytes().function_dump()
    assert r.function_delete("mylib") and not r.function_list()
    assert client_of_bytes().function_restore(dump)
    assert r.fcall("take", 1, "k") == "of a function"
    assert r.function_flush() and not r.function_list()


def client_of_bytes():
    return redis.Redis(port=PORT)


def main():
    r = client()
    r.flushall()
    r.script_flush()
    for part in (evaluation, registered_scripts, one_lock, expired_lock, contended_lock, functions):
        part(r)


main()
