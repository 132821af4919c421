"""Runs tasks of Celery with the server as broker and result backend; takes the port.

The program starts itself once more, with the word `worker` behind the port: that process runs the tasks. Ends with an
error at the first result that is not as it should be.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from queue import Empty

import celery
from kombu import Connection

PORT = int(sys.argv[1])
# How long a result may take to come, in seconds.
PATIENCE = 60

URL = f"redis://127.0.0.1:{PORT}/0"

app = celery.Celery("tasks", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    result_expires=1000,
    worker_hijack_root_logger=False,
)


@app.task
def add(left, right):
    return left + right


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def third_try(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def when():
    return time.time()


def simple_tasks():
    assert add.delay(2, 3).get(timeout=PATIENCE) == 5
    results = [add.delay(number, number) for number in range(50)]
    assert [result.get(timeout=PATIENCE) for result in results] == [2 * number for number in range(50)]
    assert third_try.delay().get(timeout=PATIENCE) == 2
    failed = fail.delay("as expected")
    try:
        failed.get(timeout=PATIENCE)
    except ValueError as error:
        assert str(error) == "as expected"
    else:
        raise AssertionError("the failure is not told")
    assert failed.state == "FAILURE"
    result = add.delay(1, 1)
    assert result.get(timeout=PATIENCE) == 2 and result.state == "SUCCESS"
    result.forget()
    assert result.state == "PENDING"


def later_task():
    """The worker holds the message back, unacknowledged, until its time has come."""
    asked = time.time()
    assert when.apply_async(countdown=1).get(timeout=PATIENCE) >= asked + 1


def workflows():
    assert celery.chain(add.s(1, 2), add.s(10))().get(timeout=PATIENCE) == 13
    assert celery.group(add.s(number, 1) for number in range(10))().get(timeout=PATIENCE) == list(range(1, 11))
    # The result backend counts the parts, and the last one starts the task behind them.
    assert celery.chord((add.s(number, number) for number in range(20)), total.s())().get(timeout=PATIENCE) == 380


def lost_message():
    """A message whose consumer is gone comes back when its time is over; one client at a time looks, under a lock."""
    name = f"lost.{uuid.uuid4()}"
    options = {"transport_options": {"visibility_timeout": 0.1}}
    with Connection(URL, **options) as sender, Connection(URL, **options) as finder:
        with sender.SimpleQueue(name) as queue:
            queue.put("hello")
            assert queue.get(timeout=PATIENCE).payload == "hello"
            # It is neither acknowledged nor rejected.
            with finder.SimpleQueue(name) as other:
                message = wait_for(lambda: restored(other))
                assert message.payload == "hello"
                message.ack()


def restored(queue):
    queue.channel.qos.restore_visible()
    try:
        return queue.get_nowait()
    except Empty:
        return None


def wait_for(action):
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        result = action()
        if result is not None:
            return result
        time.sleep(0.01)
    raise AssertionError("it does not come")


def remote_control():
    """Commands to all workers go through channels."""
    replies = wait_for(lambda: app.control.ping(timeout=0.5, limit=1) or None)
    assert list(replies[0].values()) == [{"ok": "pong"}], replies


def run_worker():
    app.worker_main(["worker", "--concurrency=2", "--loglevel=WARNING", "--without-mingle", "--without-gossip"])


def tell(log):
    log.seek(0)
    sys.stderr.write(log.read().decode(errors="replace"))
    sys.stderr.flush()


def watch(worker, log, is_over):
    """Ends this program when the worker has ended too early: no results will come."""
    worker.wait()
    if not is_over.is_set():
        tell(log)
        os._exit(1)


def main():
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, __file__, str(PORT), "worker"]
        worker = subprocess.Popen(command, stdout=log, stderr=log, cwd=tempfile.gettempdir())
        is_over = threading.Event()
        threading.Thread(target=watch, args=(worker, log, is_over), daemon=True).start()
        try:
            for part in (simple_tasks, later_task, workflows, lost_message, remote_control):
                part()
        except BaseException:
            tell(log)
            raise
        finally:
            is_over.set()
            # SIGTERM lets the worker stop its own processes.
            worker.terminate()
            try:
                worker.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                worker.kill()


if sys.argv[2:] == ["worker"]:
    run_worker()
elif __name__ == "__main__":
    main()
