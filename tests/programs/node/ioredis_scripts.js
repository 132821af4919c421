// Uses scripts through ioredis, as an application would; takes the port.
//
// Ends with an error at the first answer that is not as it should be.

'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');

const port = Number(process.argv[2]);
const redis = new Redis({ port, lazyConnect: true });

async function evaluation() {
  assert.deepEqual(await redis.eval('return {KEYS[1], ARGV[1], 3.99, false}', 1, 'k', 'a'), ['k', 'a', 3, null]);
  assert.equal(await redis.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, 'k', 'v'), 'OK');
  const sha = await redis.script('LOAD', "return redis.call('GET', KEYS[1])");
  assert.equal(await redis.evalsha(sha, 1, 'k'), 'v');
  assert.deepEqual(await redis.script('EXISTS', sha, '0'.repeat(40)), [1, 0]);
  await assert.rejects(redis.evalsha('0'.repeat(40), 0), /NOSCRIPT No matching script/);
  await assert.rejects(redis.eval("return redis.error_reply('MY fault')", 0), /MY fault/);
  await assert.rejects(redis.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, 'k'), /WRONGTYPE/);
  assert.deepEqual(await redis.evalBuffer("return '\\0\\255'", 0), Buffer.from([0, 255]));
}

// A defined command is sent as EVALSHA, and once more as EVAL if the server does not know the script.
async function definedCommands() {
  redis.defineCommand('addTo', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  redis.defineCommand('anyKeys', { lua: 'return {#KEYS, #ARGV}' });
  redis.defineCommand('read', { numberOfKeys: 1, readOnly: true, lua: "return redis.call('GET', KEYS[1])" });
  assert.equal(await redis.addTo('sum', 5), 5);
  assert.equal(await redis.addTo('sum', 1), 6);
  await redis.script('FLUSH');
  assert.equal(await redis.addTo('sum', 1), 7);
  assert.deepEqual(await redis.anyKeys(2, 'a', 'b', 'c'), [2, 1]);
  assert.equal(await redis.read('sum'), '7');
  assert.deepEqual(await redis.readBuffer('sum'), Buffer.from('7'));
  const sums = await Promise.all(Array.from({ length: 200 }, () => redis.addTo('crowd', 1)));
  assert.deepEqual(sums, Array.from({ length: 200 }, (_, index) => index + 1));
}

async function pipelines() {
  const pipeline = redis.pipeline();
  for (let number = 0; number < 100; number++) pipeline.addTo('piped', 2).get('piped');
  const results = await pipeline.exec();
  assert.deepEqual(results.slice(-2), [[null, 200], [null, '200']]);

  // The scripts of a pipeline are looked up, and loaded, before it is sent.
  await redis.script('FLUSH');
  const anew = await redis.pipeline().set('piped', 1).addTo('piped', 1).read('piped').anyKeys(0).exec();
  assert.deepEqual(anew, [[null, 'OK'], [null, 2], [null, '2'], [null, [0, 0]]]);
}

async function transactions() {
  const results = await redis.multi().set('t', 1).addTo('t', 4).read('t').exec();
  assert.deepEqual(results, [[null, 'OK'], [null, 5], [null, '5']]);

  const [, failed, last] = await redis
    .multi()
    .set('t', 'x')
    .addTo('t', 1)
    .get('t')
    .exec();
  assert.match(failed[0].message, /not an integer/);
  assert.deepEqual(last, [null, 'x']);
}

async function prefixes() {
  const scripts = { mine: { numberOfKeys: 2, lua: 'return KEYS' } };
  const prefixed = new Redis({ port, keyPrefix: 'app:', scripts });
  try {
    assert.deepEqual(await prefixed.mine('a', 'b'), ['app:a', 'app:b']);
  } finally {
    prefixed.disconnect();
  }
}

// What a script publishes, and what it pushes for a client that waits.
async function messages() {
  const [subscriber, waiting] = [redis.duplicate(), redis.duplicate()];
  try {
    await Promise.all([subscriber.connect(), waiting.connect()]);
    await subscriber.subscribe('news');
    const heard = new Promise((resolve) => subscriber.on('message', (...message) => resolve(message)));
    const popped = waiting.blpop('queue', 60);
    const script = "redis.call('RPUSH', KEYS[1], ARGV[1]); return redis.call('PUBLISH', ARGV[2], ARGV[1])";
    assert.equal(await redis.eval(script, 1, 'queue', 'hello', 'news'), 1);
    assert.deepEqual(await heard, ['news', 'hello']);
    assert.deepEqual(await popped, ['queue', 'hello']);
  } finally {
    subscriber.disconnect();
    waiting.disconnect();
  }
}

async function main() {
  await redis.connect();
  try {
    await redis.flushall();
    await redis.script('FLUSH');
    for (const part of [evaluation, definedCommands, pipelines, transactions, prefixes, messages]) await part();
  } finally {
    redis.disconnect();
  }
}

// An answer that does not come leaves nothing to do, and the program would end as if all were well.
const watchdog = setTimeout(() => {
  console.error('waited in vain');
  process.exit(1);
}, 60_000);

main().then(
  () => clearTimeout(watchdog),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
