"""Runs tasks of huey with the server as their storage; takes the port.

Consumer and producer are threads of this program. Ends with an error at the first result that is not as it should be.
"""

import datetime
import logging
import sys
import threading
import time

from huey import RedisHuey, crontab
from huey.exceptions import TaskException, TaskLockedException

PORT = int(sys.argv[1])
# How long a result may take to come, in seconds.
PATIENCE = 60

logging.getLogger("huey").addHandler(logging.NullHandler())
logging.getLogger("huey").propagate = False
huey = RedisHuey("tests", port=PORT, read_timeout=0.1)
ticks = threading.Semaphore(0)


@huey.task()
def add(left, right):
    return left + right


@huey.task()
def fail():
    raise ValueError("as expected")


@huey.task(retries=2)
def second_try(tries):
    huey.storage.conn.incr(tries)
    if int(huey.storage.conn.get(tries)) < 2:
        raise ValueError("once more")
    return "done"


@huey.task()
def when():
    return time.time()


@huey.task()
@huey.lock_task("one at a time")
def alone(begun, ends):
    """Holds the lock until it is told to end."""
    huey.storage.conn.rpush(begun, 1)
    assert huey.storage.conn.blpop(ends, timeout=PATIENCE)
    return "ended"


@huey.periodic_task(crontab(minute="*"))
def tick():
    ticks.release()


def simple_tasks():
    results = [add(number, 1) for number in range(100)]
    assert [result.get(blocking=True, timeout=PATIENCE) for result in results] == list(range(1, 101))
    try:
        fail().get(blocking=True, timeout=PATIENCE)
    except TaskException as error:
        assert "as expected" in str(error)
    else:
        raise AssertionError("the failure is not told")
    # The first try leaves an error, which the second replaces.
    result = second_try("tries")
    wait_until(lambda: huey.storage.conn.get("tries") == b"2")
    wait_until(lambda: value_of(result) == "done")
    pipeline = add.s(1, 2).then(add, 10).then(add, 100)
    results = huey.enqueue(pipeline)
    assert results.get(blocking=True, timeout=PATIENCE) == [3, 13, 113]


def value_of(result):
    """The value of a finished task, which stays where it is."""
    try:
        return result.get(preserve=True)
    except TaskException:
        result.reset()
        return None


def scheduled_tasks():
    """A script takes the tasks that are due from a sorted set."""
    asked = time.time()
    results = [when.schedule(delay=delay) for delay in (0.5, 1)]
    far = when.schedule(delay=1000)
    wait_until(lambda: huey.scheduled_count() == 3 or time.time() > asked + 0.5)
    for result, delay in zip(results, (0.5, 1)):
        assert result.get(blocking=True, timeout=PATIENCE) >= asked + delay
    assert [task.id for task in huey.scheduled()] == [far.id]
    revoked = add.schedule((1, 1), delay=0.2)
    revoked.revoke()
    wait_until(lambda: huey.scheduled_count() == 1)
    assert huey.storage.read_schedule(datetime.datetime.now()) == []


def locked_tasks():
    first = alone("begun", "ends")
    assert huey.storage.conn.blpop("begun", timeout=PATIENCE)
    assert huey.is_locked("one at a time")
    try:
        with huey.lock_task("one at a time"):
            raise AssertionError("a task has the lock")
    except TaskLockedException:
        pass
    try:
        alone("begun", "ends").get(blocking=True, timeout=PATIENCE)
    except TaskException as error:
        assert "TaskLockedException" in str(error)
    else:
        raise AssertionError("two tasks have the lock")
    huey.storage.conn.rpush("ends", 1)
    assert first.get(blocking=True, timeout=PATIENCE) == "ended"
    wait_until(lambda: not huey.is_locked("one at a time"))


def periodic_tasks():
    """Whether a task is due, the consumer asks once a minute; here a minute that it is told."""
    [task] = huey.read_periodic(datetime.datetime.now())
    huey.enqueue(task)
    assert ticks.acquire(timeout=PATIENCE)


def wait_until(is_so):
    ends = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)


def main():
    huey.storage.conn.flushall()
    consumer = huey.create_consumer(workers=3, scheduler_interval=0.1, check_worker_health=False)
    consumer.start()
    try:
        for part in (simple_tasks, scheduled_tasks, locked_tasks, periodic_tasks):
            part()
    finally:
        consumer.stop(graceful=True)


main()
