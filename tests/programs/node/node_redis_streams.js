// Uses streams through node-redis, as an application would; takes the port and the version of the protocol.
//
// The program proves that a waiting reader is woken, that the consumers of a group process each entry exactly once, and
// that they take over the entries of a consumer that is lost. Ends with an error at the first answer that is not as it
// should be.

'use strict';

const assert = require('node:assert/strict');
const { createClient } = require('redis');

const [port, protocol] = process.argv.slice(2).map(Number);
// How long the program may take, in milliseconds.
const PATIENCE_MS = 60_000;
// Longer than any entry of this program is pending, unless it is made older.
const LONG_MS = 1_000_000;

async function connect() {
  const client = createClient({ RESP: protocol, socket: { host: '127.0.0.1', port } });
  client.on('error', fail);
  return client.connect();
}

// A command that waits holds up all others of its connection, so each consumer has one of its own.
function connectAll(count) {
  return Promise.all(Array.from({ length: count }, connect));
}

const idsOf = (entries) => entries.map(({ id }) => id);

async function entries(redis) {
  const ids = [];
  for (let number = 0; number < 5; number++) ids.push(await redis.xAdd('log', '*', { number: String(number) }));
  assert.equal(await redis.xLen('log'), 5);
  const all = await redis.xRange('log', '-', '+');
  assert.deepEqual(all.map(({ id, message }) => [id, message.number]), ids.map((id, number) => [id, String(number)]));
  assert.deepEqual(idsOf(await redis.xRevRange('log', '+', `(${ids[0]}`, { COUNT: 2 })), [ids[4], ids[3]]);
  assert.equal(await redis.xDel('log', [ids[0], ids[2]]), 2);
  assert.equal(await redis.xAdd('chosen', '7-1', { a: '1', b: '' }), '7-1');
  await assert.rejects(redis.xAdd('chosen', '7-1', { a: '2' }), /equal or smaller/);
  assert.equal(await redis.xAddNoMkStream('missing', '*', { a: '1' }), null);

  const info = await redis.xInfoStream('chosen');
  assert.deepEqual([info.length, info.groups, info['last-generated-id'], info['entries-added']], [1, 0, '7-1', 1]);
  assert.equal(info['first-entry'].id, '7-1');
  assert.deepEqual({ ...info['last-entry'].message }, { a: '1', b: '' });

  const adds = Array.from({ length: 1000 }, (_, number) => redis.xAdd('trimmed', `${number + 1}-0`, { number: 'x' }));
  await Promise.all(adds);
  const TRIM = { strategy: 'MAXLEN', strategyModifier: '=', threshold: 900 };
  assert.equal(await redis.xAdd('trimmed', '1001-0', { number: 'x' }, { TRIM }), '1001-0');
  assert.equal(await redis.xLen('trimmed'), 900);
  assert.equal(await redis.xTrim('trimmed', 'MINID', '202-0'), 100);
  // With `~` the server removes only whole blocks of its memory, here of 100 entries.
  const removed = await redis.xTrim('trimmed', 'MAXLEN', 450, { strategyModifier: '~', LIMIT: 1000 });
  assert.ok(removed >= 250 && removed <= 350, `${removed} are removed`);
  assert.equal(await redis.xLen('trimmed'), 800 - removed);
}

// The reader waits for what is new when it begins, so entries are added until it has seen one.
async function waitingReader(redis) {
  const reader = await connect();
  assert.equal(await reader.xRead({ key: 'news', id: '$' }, { BLOCK: 10 }), null);
  let found;
  const reading = reader.xRead([{ key: 'news', id: '$' }, { key: 'other', id: '$' }], { BLOCK: 0 });
  reading.then((reply) => (found = reply));
  const added = [];
  while (!found) added.push(await redis.xAdd('news', '*', { number: String(added.length) }));
  assert.equal(found.length, 1);
  const [{ name, messages }] = found;
  assert.equal(name, 'news');
  assert.equal(messages.length, 1);
  assert.equal(messages[0].message.number, String(added.indexOf(messages[0].id)));
}

// Six consumers wait, and six entries wake one consumer each.
async function wokenConsumers(redis) {
  const count = 6;
  await redis.xGroupCreate('calls', 'g', '$', { MKSTREAM: true });
  const consumers = await connectAll(count);
  const calls = consumers.map((consumer, number) =>
    consumer.xReadGroup('g', `consumer ${number}`, { key: 'calls', id: '>' }, { COUNT: 1, BLOCK: 0 }),
  );
  const added = Array.from({ length: count }, (_, number) => redis.xAdd('calls', '*', { number: String(number) }));
  const ids = await Promise.all(added);
  const replies = await Promise.all(calls);
  assert.deepEqual(replies.flatMap(([{ messages }]) => idsOf(messages)).sort(byId), ids);
  assert.equal(await redis.xAck('calls', 'g', ids), count);
  assert.equal((await redis.xPending('calls', 'g')).pending, 0);
}

function byId(left, right) {
  const [[leftMs, leftNumber], [rightMs, rightNumber]] = [left, right].map((id) => id.split('-').map(Number));
  return leftMs - rightMs || leftNumber - rightNumber;
}

async function sharedEntries(redis) {
  const [producers, count, total] = [2, 1000, 2000];
  await redis.xGroupCreate('jobs', 'workers', '0', { MKSTREAM: true });
  await assert.rejects(redis.xGroupCreate('jobs', 'workers', '0'), /BUSYGROUP/);
  const consumers = await connectAll(5);
  const seen = consumers.map(() => []);

  // A consumer that gets nothing for a moment looks whether all is done.
  async function consume(consumer, number) {
    while (seen.flat().length < total) {
      const stream = { key: 'jobs', id: '>' };
      const reply = await consumer.xReadGroup('workers', `worker ${number}`, stream, { COUNT: 10, BLOCK: 50 });
      if (!reply) continue;
      const [{ messages }] = reply;
      assert.equal(await consumer.xAck('jobs', 'workers', idsOf(messages)), messages.length);
      seen[number].push(...messages.map(({ message }) => message.job));
    }
  }

  async function produce(producer, number) {
    const adds = Array.from({ length: count }, (_, step) => producer.xAdd('jobs', '*', { job: `${number}:${step}` }));
    assert.equal(new Set(await Promise.all(adds)).size, count);
  }

  await Promise.all([...consumers.map(consume), ...(await connectAll(producers)).map(produce)]);
  const jobs = seen.flat();
  assert.equal(jobs.length, total);
  assert.equal(new Set(jobs).size, total);
  const [group] = await redis.xInfoGroups('jobs');
  assert.deepEqual([group.name, group.consumers, group.pending], ['workers', consumers.length, 0]);
  assert.deepEqual([group['entries-read'], group.lag], [total, 0]);
  const members = await redis.xInfoConsumers('jobs', 'workers');
  assert.deepEqual(members.map(({ name }) => name).sort(), consumers.map((_, number) => `worker ${number}`));
}

// A consumer takes entries, and its connection ends. Three others take over what it has left.
async function lostConsumer(redis) {
  await redis.xGroupCreate('tasks', 'g', '0', { MKSTREAM: true });
  const adds = Array.from({ length: 50 }, (_, number) => redis.xAdd('tasks', '*', { number: String(number) }));
  const ids = await Promise.all(adds);
  const left = ids.slice(0, 30);
  const lost = await connect();
  const [{ messages }] = await lost.xReadGroup('g', 'lost', { key: 'tasks', id: '>' }, { COUNT: left.length });
  assert.deepEqual(idsOf(messages), left);
  lost.destroy();

  const { pending, firstId, lastId, consumers } = await redis.xPending('tasks', 'g');
  assert.deepEqual([pending, firstId, lastId], [left.length, left[0], left.at(-1)]);
  assert.deepEqual(consumers, [{ name: 'lost', deliveriesCounter: left.length }]);
  const rows = await redis.xPendingRange('tasks', 'g', left[5], '+', 2, { consumer: 'lost' });
  assert.deepEqual(rows.map((row) => [row.id, row.deliveriesCounter]), [[left[5], 1], [left[6], 1]]);
  assert.deepEqual(await redis.xPendingRange('tasks', 'g', '-', '+', 9, { IDLE: LONG_MS }), []);
  assert.deepEqual((await redis.xAutoClaim('tasks', 'g', 'heir 0', LONG_MS, '0-0')).messages, []);

  // The entries are made old. An heir asks for old ones, and gets each that no other heir has made young by taking it.
  assert.deepEqual(await redis.xClaimJustId('tasks', 'g', 'lost', 0, left, { IDLE: LONG_MS, RETRYCOUNT: 5 }), left);
  const old = await redis.xPendingRange('tasks', 'g', '-', '+', 99, { IDLE: LONG_MS });
  assert.deepEqual(old.map((row) => [row.id, row.deliveriesCounter]), left.map((id) => [id, 5]));
  assert.equal(await redis.xDel('tasks', [left[1]]), 1);
  const [taken, deleted] = [[], []];

  async function inherit(heir, number) {
    let start = '0-0';
    do {
      const reply = await heir.xAutoClaim('tasks', 'g', `heir ${number}`, LONG_MS / 2, start, { COUNT: 4 });
      const found = idsOf(reply.messages);
      if (found.length) assert.equal(await heir.xAck('tasks', 'g', found), found.length);
      taken.push(...reply.messages);
      deleted.push(...reply.deletedMessages);
      start = reply.nextId;
    } while (start !== '0-0');
  }

  await Promise.all((await connectAll(3)).map(inherit));
  // An entry that was deleted is nothing to take over; one heir is told.
  assert.deepEqual(deleted, [left[1]]);
  assert.deepEqual(idsOf(taken).sort(byId), left.filter((id) => id !== left[1]));
  assert.ok(taken.every(({ id, message }) => ids[message.number] === id));
  assert.equal((await redis.xPending('tasks', 'g')).pending, 0);

  assert.equal(await redis.xGroupDelConsumer('tasks', 'g', 'lost'), 0);
  const members = await redis.xInfoConsumers('tasks', 'g');
  assert.deepEqual(members.map((heir) => [heir.name, heir.pending]), [0, 1, 2].map((number) => [`heir ${number}`, 0]));
  await redis.xGroupSetId('tasks', 'g', ids[48]);
  const [last] = await redis.xReadGroup('g', 'heir 0', { key: 'tasks', id: '>' }, { NOACK: true });
  assert.deepEqual(idsOf(last.messages), [ids[49]]);
  assert.equal(await redis.xGroupDestroy('tasks', 'g'), 1);
}

async function main() {
  const redis = await connect();
  await redis.flushAll();
  for (const part of [entries, waitingReader, wokenConsumers, sharedEntries, lostConsumer]) await part(redis);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

setTimeout(() => fail(new Error('waited in vain')), PATIENCE_MS);
// Connections end with the process.
main().then(() => process.exit(0), fail);
