// Runs jobs of BullMQ with the server as their storage; takes the port.
//
// BullMQ adds an event to a stream for each step of a job, and QueueEvents reads the stream with XREAD BLOCK. The
// program proves that it gets the events of all 100 jobs, which have delays, retries, priorities and a rate limit, that
// no job starts before its time, and that the results are kept. Ends with an error at the first result that is not as
// it should be.

'use strict';

const assert = require('node:assert/strict');
const { Queue, QueueEvents, Worker } = require('bullmq');
const Redis = require('ioredis');

const connection = { host: '127.0.0.1', port: Number(process.argv[2]) };
// How long the program may take, in milliseconds.
const PATIENCE_MS = 60_000;
// How long a job that has failed waits for its next try. The rate limit makes no job wait as long.
const BACKOFF_MS = 150;
// How far two clocks may differ that count whole milliseconds.
const CLOCKS_MS = 2;
const opened = [];

function open(Kind, ...parameters) {
  const options = typeof parameters.at(-1) === 'object' ? parameters.pop() : {};
  const made = new Kind(...parameters, { connection, ...options });
  made.on('error', fail);
  opened.push(made);
  return made;
}

// Lists of all events of the given kinds, which grow as the events are read.
function heard(events, kinds) {
  const lists = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (const kind of kinds) events.on(kind, (event) => lists[kind].push(event));
  return lists;
}

// Resolves when `count` jobs have completed or failed.
function ended(events, count) {
  return new Promise((resolve) => {
    let left = count;
    for (const kind of ['completed', 'failed']) events.on(kind, () => --left === 0 && resolve());
  });
}

function jobs(count, name, options) {
  return Array.from({ length: count }, (_, index) => ({ name, data: { number: index }, opts: options(index) }));
}

async function hundredJobs() {
  const [queue, events] = [open(Queue, 'work'), open(QueueEvents, 'work', { lastEventId: '0-0' })];
  const kinds = ['added', 'active', 'delayed', 'progress', 'completed', 'failed', 'retries-exhausted'];
  const lists = heard(events, kinds);
  const end = ended(events, 100);
  const added = await queue.addBulk([
    ...jobs(40, 'plain', () => ({})),
    ...jobs(20, 'delayed', (index) => ({ delay: 100 + 10 * index })),
    ...jobs(20, 'retried', (index) => ({
      attempts: 3,
      backoff: { type: index % 2 ? 'fixed' : 'exponential', delay: BACKOFF_MS },
    })),
    ...jobs(5, 'hopeless', () => ({ attempts: 2, backoff: { type: 'fixed', delay: BACKOFF_MS } })),
    ...jobs(15, 'preferred', (index) => ({ priority: 1 + index })),
  ]);
  assert.equal(added.length, 100);

  const starts = new Map();
  const limiter = { max: 30, duration: 100 };
  const began = Date.now();
  open(Worker, 'work', run, { concurrency: 10, limiter });

  async function run(job) {
    const times = starts.get(job.id) ?? [];
    starts.set(job.id, times);
    times.push(Date.now());
    if (job.name === 'hopeless' || (job.name === 'retried' && times.length < 3)) throw new Error(`try ${times.length}`);
    await job.updateProgress(50);
    return { name: job.name, number: job.data.number };
  }

  await end;
  const good = added.filter(({ name }) => name !== 'hopeless');
  const bad = added.filter(({ name }) => name === 'hopeless');
  const tries = 75 + 20 * 3 + 5 * 2;
  const counts = Object.fromEntries(kinds.map((kind) => [kind, lists[kind].length]));
  const delays = tries - 100 + 20;
  assert.deepEqual(counts, {
    added: 100,
    active: tries,
    delayed: delays,
    progress: 95,
    completed: 95,
    failed: 5,
    'retries-exhausted': 5,
  });
  const results = new Map(lists.completed.map(({ jobId, returnvalue }) => [jobId, returnvalue]));
  assert.deepEqual(results, new Map(good.map(({ id, name, data }) => [id, { name, number: data.number }])));
  assert.deepEqual(new Map(lists.failed.map((event) => [event.jobId, event.failedReason])), reasons(bad));

  // The queue has the results and the reasons too.
  const { completed, failed, ...others } = await queue.getJobCounts();
  assert.deepEqual([completed, failed], [95, 5]);
  assert.ok(Object.values(others).every((count) => count === 0), JSON.stringify(others));
  const kept = await queue.getCompleted(0, -1);
  assert.deepEqual(new Map(kept.map((job) => [job.id, job.returnvalue])), results);
  const failures = await queue.getFailed(0, -1);
  assert.deepEqual(new Map(failures.map((job) => [job.id, job.failedReason])), reasons(bad));
  assert.ok(failures.every((job) => job.attemptsMade === 2 && job.stacktrace.length === 2));

  checkTimes(added, starts);
  checkRate([...starts.values()].flat(), began, limiter);
  await laterJob(queue, events);
  // The stream has more than 500 events. Ten are kept, and at most 100 more that lie in one block of memory with them.
  const removed = await queue.trimEvents(10);
  assert.ok(removed >= 500 - 110, `${removed} events are removed`);
}

function reasons(failed) {
  return new Map(failed.map(({ id }) => [id, 'try 2']));
}

// Neither a job that is delayed nor the next try of a job that has failed starts before its time.
function checkTimes(added, starts) {
  for (const { id, name, timestamp, opts } of added) {
    const times = starts.get(id);
    if (name === 'delayed') assert.ok(times[0] >= timestamp + opts.delay, `job ${id} is early`);
    for (let index = 1; index < times.length; index++) {
      const delay = opts.backoff.type === 'fixed' ? BACKOFF_MS : BACKOFF_MS * 2 ** (index - 1);
      assert.ok(times[index] - times[index - 1] >= delay, `try ${index + 1} of ${id} is early`);
    }
  }
}

// A window of the rate limit lets in `max` starts, and the next begins when it is over.
function checkRate(starts, began, { max, duration }) {
  starts.sort((left, right) => left - right);
  for (let windows = 1; windows * max < starts.length; windows++) {
    const passed = starts[windows * max] - began;
    assert.ok(passed >= windows * (duration - CLOCKS_MS), `start ${windows * max + 1} comes after ${passed} ms`);
  }
}

// All events so far are read, so the next XREAD waits for those of a later job.
async function laterJob(queue, events) {
  const job = await queue.add('plain', { number: 7 });
  assert.deepEqual(await job.waitUntilFinished(events), { name: 'plain', number: 7 });
}

// A worker takes jobs without a priority first, then those with the smallest number. Equal ones keep their order.
async function orderedJobs() {
  const [queue, events] = [open(Queue, 'ordered'), open(QueueEvents, 'ordered', { lastEventId: '0-0' })];
  const priorities = [5, 1, 0, 3, 5, 2, 1, 0, 2_000_000, 4, 3, 1];
  for (const [index, priority] of priorities.entries()) await queue.add('ordered', { index, priority }, { priority });
  assert.deepEqual(await queue.getCountsPerPriority([0, 1, 2]), { 0: 2, 1: 3, 2: 1 });
  const end = ended(events, priorities.length);
  const order = [];
  open(Worker, 'ordered', async (job) => order.push(job.data));
  await end;
  const expected = [...priorities.entries()].map(([index, priority]) => ({ index, priority }));
  expected.sort((left, right) => left.priority - right.priority || left.index - right.index);
  assert.deepEqual(order, expected);
}

async function main() {
  const redis = new Redis(connection);
  await redis.flushall();
  redis.disconnect();
  await Promise.all([hundredJobs(), orderedJobs()]);
  await Promise.all(opened.map((each) => each.close()));
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(new Error('waited in vain')), PATIENCE_MS);
// Timers end with the process.
main().then(() => process.exit(0), fail);
