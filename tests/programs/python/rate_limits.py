"""Limits rates with the library `limits`, whose windows are scripts; takes the port.

Ends with an error at the first answer that is not as it should be.
"""

import sys
import threading
import time

from limits import RateLimitItemPerHour, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

PORT = int(sys.argv[1])
# How long a window may take to move, in seconds.
PATIENCE = 60
STRATEGIES = (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter)


def storage():
    return RedisStorage(f"redis://127.0.0.1:{PORT}")


def full_window(strategy):
    """Of a window of an hour, which does not end meanwhile: `main` does not begin shortly before."""
    limiter, limit = strategy(storage()), RateLimitItemPerHour(10)
    for used in range(10):
        assert limiter.test(limit, strategy.__name__, "ann")
        assert limiter.get_window_stats(limit, strategy.__name__, "ann").remaining == 10 - used
        assert limiter.hit(limit, strategy.__name__, "ann")
    assert not limiter.hit(limit, strategy.__name__, "ann") and not limiter.test(limit, strategy.__name__, "ann")
    assert limiter.hit(limit, strategy.__name__, "bob"), "another identifier has a window of its own"
    stats = limiter.get_window_stats(limit, strategy.__name__, "ann")
    assert stats.remaining == 0 and time.time() - 1 <= stats.reset_time <= time.time() + 3601, stats
    limiter.clear(limit, strategy.__name__, "ann")
    # A hit may cost more than one.
    assert limiter.hit(limit, strategy.__name__, "ann", cost=8)
    assert limiter.hit(limit, strategy.__name__, "ann", cost=2)
    assert not limiter.hit(limit, strategy.__name__, "ann", cost=2)


def moved_window(strategy):
    limiter, limit = strategy(storage()), RateLimitItemPerSecond(5)
    ends = time.monotonic() + PATIENCE
    hits = [limiter.hit(limit, "moving", strategy.__name__) for _ in range(6)]
    assert hits[:5] == [True] * 5, hits
    while not limiter.hit(limit, "moving", strategy.__name__):
        assert time.monotonic() < ends, "the window does not move"
        time.sleep(0.01)


def crowded_window(strategy):
    """However many threads ask, exactly as many are let in as the limit says."""
    limit, let_in = RateLimitItemPerHour(100), []

    def knock():
        mine = strategy(storage())
        let_in.append(sum(mine.hit(limit, "crowded", strategy.__name__) for _ in range(50)))

    threads = [threading.Thread(target=knock) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sum(let_in) == 100, let_in


def an_hour_is_about_to_end():
    """Fixed windows of an hour begin with the hours of the clock."""
    return time.time() % 3600 > 3580


def main():
    ends = time.monotonic() + PATIENCE
    while an_hour_is_about_to_end() and time.monotonic() < ends:
        time.sleep(0.1)
    mine = storage()
    assert mine.check()
    mine.reset()
    for strategy in STRATEGIES:
        for part in (full_window, moved_window, crowded_window):
            part(strategy)
    mine.reset()
    mine.incr("one key", 1000)
    assert mine.get("one key") == 1 and mine.get_expiry("one key") > time.time() + 900


main()
