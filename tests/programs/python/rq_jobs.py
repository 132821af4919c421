"""Runs jobs of RQ with the server as their queue and the keeper of their results; takes the port.

RQ keeps the results of a job in a stream, and waits for the first with XREAD BLOCK. The program proves that the results
are kept of jobs that succeed, that fail, that are retried, and that wait for a time or for other jobs. It starts itself
twice more, with the words `worker` and `burst` behind the port: these processes run the jobs. Ends with an error at the
first result that is not as it should be.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta

import redis
from rq import Queue, Retry, Worker
from rq.command import send_shutdown_command
from rq.job import JobStatus
from rq.results import Result

PORT = int(sys.argv[1])
# How long a result may take to come, in seconds.
PATIENCE = 60

# A client that waits for the server gives up later than the server does.
r = redis.Redis(port=PORT, socket_timeout=2 * PATIENCE)
# A worker runs this file too, so it finds the functions in its own `__main__`.
FUNCTION = "__main__."


def add(left, right):
    return left + right


def fail(text):
    raise ValueError(text)


def third_try(tries):
    number = r.incr(tries)
    if number < 3:
        raise ValueError(f"try {number}")
    return number


def asks_for_third_try(tries):
    """Asks for another try by what it returns; RQ keeps this as a result."""
    number = r.incr(tries)
    return Retry(max=2) if number < 3 else number


def simple_jobs(queue):
    job = queue.enqueue(FUNCTION + "add", 2, 3)
    result = job.latest_result(timeout=PATIENCE)
    assert (result.type, result.return_value) == (Result.Type.SUCCESSFUL, 5), result
    jobs = queue.enqueue_many([Queue.prepare_data(FUNCTION + "add", (number, number)) for number in range(20)])
    sums = [job.latest_result(timeout=PATIENCE).return_value for job in jobs]
    assert sums == [2 * number for number in range(20)], sums
    assert [job.return_value() for job in jobs] == sums
    assert {job.get_status() for job in jobs} == {JobStatus.FINISHED}
    assert 0 < r.ttl(Result.get_key(job.id)) <= 500
    assert set(queue.finished_job_registry.get_job_ids()) == {job.id, *(job.id for job in jobs)}
    job.delete()
    assert job.latest_result() is None and Result.count(job) == 0


def failing_jobs(queue):
    """Each failure leaves a traceback, the newest first."""
    job = queue.enqueue(FUNCTION + "fail", "as expected")
    result = job.latest_result(timeout=PATIENCE)
    assert result.type == Result.Type.FAILED and job.return_value() is None
    assert "in fail" in result.exc_string and result.exc_string.endswith("ValueError: as expected\n"), result.exc_string
    assert job.id in queue.failed_job_registry
    job.requeue()
    wait_until(lambda: Result.count(job) == 2, "the second failure")
    newest, oldest = job.results()
    assert oldest == result and newest.created_at >= oldest.created_at
    assert newest.type == Result.Type.FAILED and newest.exc_string == oldest.exc_string


def retried_jobs(queue):
    job = queue.enqueue(FUNCTION + "third_try", "tries", retry=Retry(max=2))
    # Only the last try leaves a result.
    assert job.latest_result(timeout=PATIENCE).return_value == 3
    assert len(job.results()) == 1 and r.get("tries") == b"3"

    hopeless = queue.enqueue(FUNCTION + "third_try", "hopeless tries", retry=Retry(max=1))
    result = hopeless.latest_result(timeout=PATIENCE)
    assert result.type == Result.Type.FAILED and result.exc_string.endswith("ValueError: try 2\n")

    asking = queue.enqueue(FUNCTION + "asks_for_third_try", "asked tries")
    wait_until(lambda: asking.get_status() == JobStatus.FINISHED, "the third try")
    kinds = [result.type for result in asking.results()]
    assert kinds == [Result.Type.SUCCESSFUL, Result.Type.RETRIED, Result.Type.RETRIED], kinds
    assert asking.return_value() == 3


def later_jobs(queue):
    """The scheduler of the worker looks once a second for jobs that are due."""
    later = queue.enqueue_in(timedelta(seconds=1), FUNCTION + "add", 1, 2)
    far = queue.enqueue_in(timedelta(seconds=1000), FUNCTION + "add", 1, 2)
    retried = queue.enqueue(FUNCTION + "third_try", "later tries", retry=Retry(max=2, interval=[1, 0]))
    assert later.latest_result(timeout=PATIENCE).return_value == 3
    assert retried.latest_result(timeout=PATIENCE).return_value == 3
    assert queue.scheduled_job_registry.get_job_ids() == [far.id] and far.latest_result() is None


def dependent_jobs(queue):
    first, second = (queue.enqueue(FUNCTION + "add", number, 0) for number in range(2))
    last = queue.enqueue(FUNCTION + "add", 1, 1, depends_on=[first, second])
    latest = last.latest_result(timeout=PATIENCE)
    assert latest.return_value == 2
    # A result has the server's time, which is part of its id in the stream.
    assert all(latest.created_at >= job.latest_result().created_at for job in (first, second))


def burst():
    """A worker that ends when there is nothing to do leaves the results of all jobs."""
    queue = Queue("burst", connection=r)
    jobs = [queue.enqueue(FUNCTION + "add", number, 1) for number in range(5)] + [queue.enqueue(FUNCTION + "fail", "x")]
    command = [sys.executable, __file__, str(PORT), "burst"]
    worker = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    assert worker.returncode == 0, worker.stdout.decode()
    assert [job.return_value() for job in jobs] == [1, 2, 3, 4, 5, None]
    kinds = [job.latest_result().type for job in jobs]
    assert kinds == 5 * [Result.Type.SUCCESSFUL] + [Result.Type.FAILED], kinds
    assert queue.is_empty()


def wait_until(is_so, what):
    ends = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.005)


def run_worker(kind):
    is_burst = kind == "burst"
    worker = Worker(["burst" if is_burst else "default"], name=kind, connection=r)
    worker.work(burst=is_burst, with_scheduler=not is_burst)


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
    r.flushall()
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen([sys.executable, __file__, str(PORT), "worker"], stdout=log, stderr=log)
        is_over = threading.Event()
        threading.Thread(target=watch, args=(worker, log, is_over), daemon=True).start()
        try:
            for part in (simple_jobs, failing_jobs, retried_jobs, later_jobs, dependent_jobs):
                part(Queue(connection=r))
            burst()
            is_over.set()
            # The worker listens to a channel for such commands.
            send_shutdown_command(r, "worker")
            assert worker.wait(timeout=PATIENCE) == 0
        except BaseException:
            tell(log)
            raise
        finally:
            is_over.set()
            worker.terminate()
            try:
                worker.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                worker.kill()


if sys.argv[2:]:
    run_worker(sys.argv[2])
else:
    main()
