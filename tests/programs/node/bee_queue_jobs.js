// Runs jobs of bee-queue with the server as their storage; takes the port.
//
// Ends with an error at the first result that is not as it should be.

'use strict';

const assert = require('node:assert/strict');
const Queue = require('bee-queue');

const port = Number(process.argv[2]);
// How long an event may take to come, in milliseconds.
const PATIENCE_MS = 60_000;
const queues = [];

function queue(name, settings) {
  const made = new Queue(name, { redis: { port }, ...settings });
  queues.push(made);
  return made;
}

// The next event of this kind, with the values that it brings.
function event(emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...values) => resolve(values)));
}

async function simpleJobs() {
  const [producer, worker] = [queue('simple', { isWorker: false }), queue('simple')];
  await Promise.all([producer.ready(), worker.ready()]);
  worker.process(4, async (job) => job.data.left + job.data.right);
  const jobs = Array.from({ length: 50 }, (_, number) => producer.createJob({ left: number, right: 1 }));
  const results = jobs.map((job) => event(job, 'succeeded'));
  await jobs[0].save();
  // All others are saved by scripts of one packet.
  const errors = await producer.saveAll(jobs.slice(1));
  assert.equal(errors.size, 0);
  assert.deepEqual(await Promise.all(results), jobs.map((_, number) => [number + 1]));
  const health = await producer.checkHealth();
  assert.deepEqual([health.waiting, health.active, health.succeeded, health.failed], [0, 0, 50, 0]);
  assert.equal(health.newestJob, 50);
  const known = await producer.getJob(jobs[0].id);
  assert.equal(known.status, 'succeeded');
  await producer.removeJob(jobs[0].id);
  assert.equal(await producer.getJob(jobs[0].id), null);
}

// A job with a name is there once, however often it is saved.
async function namedJobs() {
  const producer = queue('named', { isWorker: false });
  const [first, second] = [producer.createJob({ n: 1 }).setId('one'), producer.createJob({ n: 2 }).setId('one')];
  await first.save();
  await second.save();
  assert.equal(first.id, 'one');
  assert.equal(second.id, null);
  const waiting = await producer.getJobs('waiting', { start: 0, end: 10 });
  assert.deepEqual(waiting.map((job) => job.data), [{ n: 1 }]);
}

async function retriedJobs() {
  const worker = queue('retried', { activateDelayedJobs: true, delayedDebounce: 10 });
  const tries = new Map();
  worker.process(async (job) => {
    const number = (tries.get(job.id) ?? 0) + 1;
    tries.set(job.id, number);
    if (number < 3) throw new Error(`try ${number}`);
    return number;
  });
  const atOnce = worker.createJob({}).retries(5);
  const later = worker.createJob({}).retries(5).backoff('fixed', 100);
  const hopeless = worker.createJob({}).retries(1);
  const results = Promise.all([event(atOnce, 'succeeded'), event(later, 'succeeded'), event(hopeless, 'failed')]);
  for (const job of [atOnce, later, hopeless]) await job.save();
  const [[first], [second], [error]] = await results;
  assert.deepEqual([first, second, error.message], [3, 3, 'try 2']);
  const health = await worker.checkHealth();
  assert.deepEqual([health.succeeded, health.failed, health.delayed], [2, 1, 0]);
}

async function delayedJobs() {
  const worker = queue('delayed', { activateDelayedJobs: true, delayedDebounce: 10 });
  await worker.ready();
  const order = [];
  const finished = new Promise((resolve) => {
    worker.process(async (job) => {
      order.push([job.data.name, Date.now() >= job.options.delay]);
      if (order.length === 4) resolve();
    });
  });
  const now = Date.now();
  const delays = { third: 700, first: 200, fourth: 1000, second: 400 };
  for (const [name, delay] of Object.entries(delays)) await worker.createJob({ name }).delayUntil(now + delay).save();
  const far = await worker.createJob({ name: 'far' }).delayUntil(now + 1_000_000).save();
  await finished;
  assert.deepEqual(order, ['first', 'second', 'third', 'fourth'].map((name) => [name, true]));
  const delayed = await worker.getJobs('delayed', { start: 0, end: 10 });
  assert.deepEqual(delayed.map((job) => job.id), [far.id]);
}

// The first worker takes a job and is gone; the check finds out, and a second worker gets the job.
async function stalledJobs() {
  const settings = { stallInterval: 200, sendEvents: true };
  const dying = queue('stalled', settings);
  await dying.ready();
  const job = await dying.createJob({ x: 1 }).save();
  const taken = new Promise((resolve) => dying.process(() => new Promise(() => resolve())));
  await taken;
  // Its connections end, and with them the word that it is still at work.
  clearTimeout(dying.checkTimer);
  dying.removeAllListeners();
  dying.on('error', () => {});
  dying._isClosed = true;
  dying.paused = true;
  for (const client of [dying.client, dying.bclient, dying.eclient]) client?.end(false);

  const second = queue('stalled', settings);
  const stalled = event(second, 'stalled');
  const result = event(second, 'succeeded');
  second.checkStalledJobs(50);
  second.process(async ({ data }) => data.x + 1);
  assert.deepEqual(await stalled, [job.id]);
  const [finished, value] = await result;
  assert.deepEqual([finished.id, value], [job.id, 2]);
}

async function main() {
  const cleaner = queue('cleaner', { isWorker: false });
  await cleaner.ready();
  await new Promise((resolve, reject) => cleaner.client.flushall((error) => (error ? reject(error) : resolve())));
  await Promise.all([simpleJobs(), namedJobs(), retriedJobs(), delayedJobs(), stalledJobs()]);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(new Error('waited in vain')), PATIENCE_MS);
// Timers and connections of the queues end with the process.
main().then(() => process.exit(0), fail);
