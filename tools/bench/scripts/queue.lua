-- A step of a worker on a queue, as in BullMQ: jobs that are due begin to wait, one of them becomes active, is done, and is
-- due again. A queue without jobs gets one.
-- KEYS: waiting jobs, active jobs, delayed jobs, the settings, the job. ARGV: the time in milliseconds, options in MessagePack.
local options, now_ms = cmsgpack.unpack(ARGV[2]), tonumber(ARGV[1])
if redis.call('HEXISTS', KEYS[4], 'paused') == 1 then
    return -1
end
local due = redis.call('ZRANGEBYSCORE', KEYS[3], 0, now_ms, 'LIMIT', 0, 10)
if #due > 0 then
    redis.call('ZREM', KEYS[3], unpack(due))
    redis.call('LPUSH', KEYS[1], unpack(due))
end
local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
if not id then
    redis.call('HSET', KEYS[5], 'name', 'job', 'attempts', 0, 'options', cmsgpack.pack(options))
    redis.call('ZADD', KEYS[3], now_ms, 'job')
    return 0
end
local job = redis.call('HMGET', KEYS[5], 'name', 'options')
local own = cmsgpack.unpack(job[2])
own.token, own.started_ms = options.token, now_ms
redis.call('HSET', KEYS[5], 'options', cmsgpack.pack(own), 'started_ms', now_ms)
local attempts = redis.call('HINCRBY', KEYS[5], 'attempts', 1)
redis.call('LREM', KEYS[2], 1, id)
redis.call('ZADD', KEYS[3], now_ms, id)
return attempts
