"""Users and client-side caching through redis-py; takes the port and the version of the protocol.

Ends with an error at the first answer that is not as it should be.
"""

import sys
import time

import redis
from redis.backoff import NoBackoff
from redis.cache import CacheConfig
from redis.retry import Retry

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
PATIENCE_S = 60


def client(**options):
    # Who is refused would be refused again.
    retry = Retry(NoBackoff(), 0)
    return redis.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True, retry=retry, **options)


def refused(error, action):
    try:
        action()
    except error as refusal:
        return str(refusal)
    raise AssertionError(f"no {error.__name__}")


def users(admin):
    assert admin.acl_setuser(
        "ann",
        enabled=True,
        passwords=["+secret"],
        categories=["+@read", "+@connection"],
        commands=["+set", "-ttl", "+acl|whoami"],
        keys=["ann:*"],
        channels=["news"],
        reset=True,
    )
    assert admin.acl_users() == ["ann", "default"]
    rights = admin.acl_getuser("ann")
    # A text in one version of the protocol, a list in the other.
    assert rights["flags"][0] == "on" and "~ann:*" in rights["keys"] and "&news" in rights["channels"], rights
    assert "+@read" in rights["categories"] and "-ttl" in rights["commands"], rights
    assert admin.acl_dryrun("ann", "get", "ann:1") in (True, "OK")
    assert "ann" in str(admin.acl_dryrun("ann", "flushall"))

    ann = client(username="ann", password="secret")
    assert ann.acl_whoami() == "ann"
    assert ann.set("ann:1", "v") is True and ann.get("ann:1") == "v"
    assert "key" in refused(redis.exceptions.NoPermissionError, lambda: ann.get("bob:1"))
    assert "flushall" in refused(redis.exceptions.NoPermissionError, lambda: ann.flushall())
    log = admin.acl_log()
    assert [entry["object"] for entry in log[:2]] == ["flushall", "bob:1"], log
    refused(redis.exceptions.AuthenticationError, lambda: client(username="ann", password="wrong").ping())
    assert admin.acl_deluser("ann") == 1
    refused(redis.exceptions.ConnectionError, lambda: client(username="ann", password="secret").ping())

    admin.config_set("requirepass", "all")
    refused(redis.exceptions.AuthenticationError, lambda: client().ping())
    assert client(password="all").ping() is True
    admin.config_set("requirepass", "")


def cached(admin):
    # redis-py wants a server that says it is Redis 7.4, though what it needs is there since 6.0.
    redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"
    reader = client(cache_config=CacheConfig())
    cache = reader.get_cache()
    admin.set("cached", "1")
    assert reader.get("cached") == "1" and reader.get("cached") == "1"
    assert cache.size == 1
    admin.set("cached", "2")
    until = time.monotonic() + PATIENCE_S
    while reader.get("cached") != "2":
        assert time.monotonic() < until, "the cache is not told"
    admin.flushall()
    while reader.get("cached") is not None:
        assert time.monotonic() < until, "the cache is not told that all is gone"


ADMIN = client()
ADMIN.flushall()
users(ADMIN)
if PROTOCOL == 3:
    cached(ADMIN)
