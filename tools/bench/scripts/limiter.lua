-- A token bucket. KEYS: the bucket. ARGV: the capacity, tokens per second, the time in milliseconds.
local capacity, per_second, now_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'filled_ms')
local tokens = tonumber(bucket[1]) or capacity
local filled_ms = tonumber(bucket[2]) or now_ms
tokens = math.min(capacity, tokens + math.max(0, now_ms - filled_ms) * per_second / 1000)
local allowed = 0
if tokens >= 1 then
    tokens, allowed = tokens - 1, 1
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'filled_ms', now_ms)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_second * 1000))
return allowed
