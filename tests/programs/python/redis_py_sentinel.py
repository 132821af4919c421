"""Writes through redis-py's Sentinel, as an application would; takes the ports of the sentinels.

Says `ready` when it has written, and ends when it has written to another primary and has read from a replica of it. Ends
with an error if that does not come.
"""

import sys
import time

from redis.exceptions import ConnectionError, ReadOnlyError, TimeoutError
from redis.sentinel import Sentinel

# How long it may take, in seconds.
PATIENCE = 60
# What an application meets while the primary is replaced. That the sentinels know none is a ConnectionError.
TRANSIENT = (ConnectionError, ReadOnlyError, TimeoutError)

sentinel = Sentinel([("127.0.0.1", int(port)) for port in sys.argv[1:]], socket_timeout=5)
primary = sentinel.master_for("it", socket_timeout=5)
replica = sentinel.slave_for("it", socket_timeout=5)
first = sentinel.discover_master("it")
deadline = time.monotonic() + PATIENCE


def until(succeeds):
    while True:
        assert time.monotonic() < deadline
        try:
            if succeeds():
                return
        except TRANSIENT:
            pass
        time.sleep(0.05)


until(lambda: primary.incr("visits") > 0)
print("ready", flush=True)
until(lambda: sentinel.discover_master("it") != first)
until(lambda: primary.set("after", "the failover"))
until(lambda: replica.get("after") == b"the failover")
