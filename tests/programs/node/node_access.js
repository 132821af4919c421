// Users through node-redis and ioredis, and the client-side cache of node-redis; takes the port.
//
// Ends with an error at the first answer that is not as it should be.

'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');
const { createClient } = require('redis');

const [port] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 60_000;

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function connect(options = {}) {
  const client = createClient({ RESP: 3, socket: { host: '127.0.0.1', port }, ...options });
  client.on('error', fail);
  return client.connect();
}

async function untilEqual(read, expected) {
  const end = Date.now() + PATIENCE_MS;
  while ((await read()) !== expected) assert.ok(Date.now() < end, `it does not become ${expected}`);
}

async function users(admin) {
  assert.equal(await admin.aclSetUser('ann', ['on', '>secret', '~ann:*', '+@all', '-flushall']), 'OK');
  assert.deepEqual(await admin.aclUsers(), ['ann', 'default']);
  assert.equal((await admin.aclGetUser('ann')).keys, '~ann:*');
  const ann = await connect({ username: 'ann', password: 'secret' });
  assert.equal(await ann.aclWhoAmI(), 'ann');
  await assert.rejects(ann.get('bob'), /NOPERM/);
  await assert.rejects(ann.flushAll(), /NOPERM/);
  assert.equal(await ann.set('ann:1', 'v'), 'OK');
  await ann.close();

  const other = new Redis({ host: '127.0.0.1', port, username: 'ann', password: 'secret', lazyConnect: true });
  await other.connect();
  assert.equal(await other.get('ann:1'), 'v');
  await assert.rejects(other.get('bob'), /NOPERM/);
  other.disconnect();
  assert.equal(await admin.aclDelUser('ann'), 1);
}

async function cached(admin) {
  const reader = await connect({ clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' } });
  assert.equal(await admin.set('cached', '1'), 'OK');
  await untilEqual(() => reader.get('cached'), '1');
  await untilEqual(() => reader.get('cached'), '1');
  assert.equal(await admin.set('cached', '2'), 'OK');
  await untilEqual(() => reader.get('cached'), '2');
  await admin.flushAll();
  await untilEqual(() => reader.get('cached'), null);
  await reader.close();
}

async function main() {
  const admin = await connect();
  await admin.flushAll();
  await users(admin);
  await cached(admin);
  await admin.close();
}

setTimeout(() => fail(new Error('the program does not end')), 2 * PATIENCE_MS).unref();
main().catch(fail);
