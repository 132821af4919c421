-- KEYS: any. ARGV: the new value.
local old = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return old and 1 or 0
