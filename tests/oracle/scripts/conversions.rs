//! What a script returns, as a reply; and replies of commands, as values of Lua.

use super::{SHOW, combined, evaluate, rows};

/// Values that a script may return, alone or within others.
const VALUES: &str = r#"
nil
true
false
0
-0
1
-1
42
3.99
-3.99
0.5
-0.5
1e15
2^31
-2^31
2^53
-2^53
2^62
2^63
-2^63
1e300
-1e300
1/0
-1/0
0/0
''
'text'
'12'
'two\r\nlines'
'\0\1\127\128\255'
string.rep('x', 1000)
{}
{{}}
{1, 2, 3}
{1, nil, 3}
{nil}
{nil, 2}
{1, 2, nil, 4}
{false}
{true, false, true}
{1.9, 'a', {2, {3, {'x'}}}}
{[1] = 'a', [2] = 'b', [4] = 'd'}
{[0] = 'zero', 'one'}
{[1.5] = 'x'}
{['1'] = 'x'}
{a = 1}
{1, a = 2}
{n = 3}
{ok = 'fine'}
{ok = ''}
{ok = 5}
{ok = 5.5}
{ok = true}
{ok = false}
{ok = {}}
{ok = 'two\r\nlines'}
{ok = 'zero\0byte'}
{ok = 'fine', 1, 2}
{err = 'bad'}
{err = '-bad'}
{err = '--bad'}
{err = 'CODE text'}
{err = '-CODE text'}
{err = ''}
{err = '-'}
{err = 5}
{err = true}
{err = false}
{err = {}}
{err = 'two\r\nlines'}
{err = 'a\nb\rc'}
{err = 'zero\0byte'}
{err = 'x', ok = 'y'}
{err = 'x', ignore_error_stats_update = true}
{double = 3.5}
{double = 0}
{double = -0.0}
{double = 100}
{double = 1e-300}
{double = 1/0}
{double = -1/0}
{double = '3.5'}
{double = 'x'}
{double = true}
{double = {}}
{map = {}}
{map = {a = 1}}
{map = {'one'}}
{map = {[1.5] = 'x'}}
{map = {[true] = 1}}
{map = {[false] = 1}}
{map = {a = {b = 'c'}}}
{map = {a = {map = {b = {set = {c = true}}}}}}
{map = {a = 1, b = 2, c = 3}}
{map = 5}
{map = 'x'}
{map = true}
{set = {}}
{set = {a = true}}
{set = {a = 1}}
{set = {a = false}}
{set = {'one'}}
{set = {[1.5] = true}}
{set = {[true] = true}}
{set = {a = true, b = true, c = true}}
{set = 5}
{set = 'x'}
{big_number = '123456789012345678901234567890'}
{big_number = '-1'}
{big_number = 12}
{big_number = {}}
{big_number = true}
{verbatim_string = {format = 'txt', string = 'hello'}}
{verbatim_string = {format = 'mkd', string = ''}}
{verbatim_string = {format = 'mkd', string = 'two\r\nlines\0'}}
{verbatim_string = {format = 'longer', string = 'x'}}
{verbatim_string = {format = 'a', string = 'x'}}
{verbatim_string = {format = '', string = 'x'}}
{verbatim_string = {format = 5, string = 6}}
{verbatim_string = {format = 'txt'}}
{verbatim_string = {string = 'x'}}
{verbatim_string = {}}
{verbatim_string = 'x'}
{double = 1, map = {}}
{map = {}, set = {}}
{ok = 'x', double = 1}
{err = 'x', map = {}}
{set = {}, double = 1}
{verbatim_string = {format = 'txt', string = 'x'}, big_number = '1'}
{big_number = '1', double = 2}
KEYS
ARGV
KEYS[1]
KEYS[3]
ARGV[2]
#KEYS
ARGV[2] + 1
redis.status_reply('x')
redis.error_reply('x')
redis.error_reply('CODE x')
{redis.status_reply('x'), redis.error_reply('y')}
function() end
redis.call
coroutine.create(function() end)
setmetatable({}, {__index = function(t, k) return k end})
setmetatable({}, {__index = {ok = 'of the metatable'}})
setmetatable({}, {__index = {err = 'of the metatable'}})
setmetatable({}, {__index = {'of the metatable'}})
setmetatable({1, 2}, {__len = function() return 1 end})
setmetatable({}, {__tostring = function() return 'x' end})
unpack({1, 2, 3})
(unpack({1, 2, 3}))
"#;

/// Where a value may stand.
const CONTEXTS: &str = "
return @
redis.setresp(3) return @
return {@, 'end'}
redis.setresp(3) return {@, 'end'}
return {{'deep', {@}}, 2}
redis.setresp(3) return {map = {k = @}}
return {map = {k = @}}
return {ok = @}
return {err = @}
";

#[test]
fn a_value_that_a_script_returns_becomes_a_reply() {
    evaluate("", combined(CONTEXTS, VALUES));
}

/// Shapes that only a loop makes.
const LARGE: &str = "
local t = {} for i = 1, 10000 do t[i] = i end return t
local t = {} for i = 1, 10000 do t[i] = i end t[5000] = nil return t
local t = {} for i = 1, 100 do t = {t} end return t
local t = {} for i = 1, 100 do t = {map = {k = t}} end return t
redis.setresp(3) local t = {} for i = 1, 100 do t = {map = {k = t}} end return t
local t = {} t[1] = t return #t
return string.rep('x', 1000000)
return {string.rep('x', 100000), string.rep('y', 100000)}
local t = {} for i = 1, 100 do t['m' .. i] = true end return #{set = t}
return
return nil, 1
return 1, 2, 3
local x = 1
-- only a comment
do end return 'x'
if false then return 1 end
for i = 1, 3 do if i == 2 then return i end end
return ... == nil
return select('#', ...)
return (function(...) return select('#', ...) end)(nil, nil)
";

#[test]
fn large_and_missing_values_become_replies() {
    evaluate("", rows(LARGE));
}

const DATA: &str = r#"
SET s hello
SET n 10
RPUSH l a b c
HSET h f v
HSET h2 a 1 b 2
SADD i 1 2 3
SADD one member
ZADD z 1 a 2.5 b inf c
GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
PFADD hll a b c
"#;

/// Replies of all kinds; each leaves the data as they are, or makes no difference to the next.
const CALLS: &str = r#"
redis.call('PING')
redis.call('ping', 'hello')
redis.call('ECHO', 'x')
redis.call('GET', 's')
redis.call('GET', 'nothing')
redis.call('GET', 'l')
redis.pcall('GET', 'l')
redis.pcall('GET', 'l').err
redis.pcall('GET')
redis.pcall('NOSUCH')
redis.pcall('NOSUCH').err
redis.call('SET', 'x', 'v')
redis.call('SET', 'x', 'v').ok
redis.call('SET', 'x', 'v', 'NX')
redis.call('SET', 'x', 'w', 'GET')
redis.call('SETNX', 'x', 'v')
redis.call('GETSET', 'x', 'v')
redis.call('GETDEL', 'x')
redis.call('INCR', 'n')
redis.call('INCRBY', 'n', -5)
redis.call('INCRBYFLOAT', 'n', 1.5)
redis.call('INCRBYFLOAT', 'n', '-1.5')
redis.call('APPEND', 's', '')
redis.call('STRLEN', 's')
redis.call('GETRANGE', 's', 1, 3)
redis.call('MGET', 's', 'nothing', 'l', 's')
redis.call('MSET', 'x', 1, 'y', 2)
redis.call('LCS', 'x', 'y')
redis.call('LCS', 's', 's', 'IDX')
redis.call('LCS', 's', 's', 'IDX', 'WITHMATCHLEN')
redis.call('LRANGE', 'l', 0, -1)
redis.call('LRANGE', 'nothing', 0, -1)
redis.call('LINDEX', 'l', 5)
redis.call('LPOP', 'nothing')
redis.call('LPOP', 'nothing', 2)
redis.call('LPOS', 'l', 'b')
redis.call('LPOS', 'l', 'nothing')
redis.call('LPOS', 'l', 'b', 'COUNT', 0)
redis.call('LMPOP', 1, 'nothing', 'LEFT')
{redis.call('RPUSH', 'q', 1, 2, 3), redis.call('LPOP', 'q'), redis.call('RPOP', 'q', 1), redis.call('LMPOP', 1, \
    'q', 'LEFT')}
redis.call('HGETALL', 'h')
redis.call('HGETALL', 'h2')
redis.call('HGETALL', 'nothing')
redis.call('HGET', 'h', 'f')
redis.call('HGET', 'h', 'nothing')
redis.call('HMGET', 'h', 'f', 'nothing')
redis.call('HKEYS', 'h')
redis.call('HVALS', 'h')
redis.call('HEXISTS', 'h', 'f')
redis.call('HLEN', 'h')
redis.call('HRANDFIELD', 'h')
redis.call('HRANDFIELD', 'h', 1)
redis.call('HRANDFIELD', 'h', 1, 'WITHVALUES')
redis.call('HSCAN', 'h', 0)
redis.call('HINCRBYFLOAT', 'h3', 'f', 0)
redis.call('SMEMBERS', 'i')
redis.call('SMEMBERS', 'one')
redis.call('SMEMBERS', 'nothing')
redis.call('SISMEMBER', 'i', 1)
redis.call('SMISMEMBER', 'i', 1, 9)
redis.call('SINTER', 'i', 'i')
redis.call('SUNION', 'nothing')
redis.call('SINTERCARD', 1, 'i')
redis.call('SRANDMEMBER', 'one')
redis.call('SRANDMEMBER', 'one', 1)
redis.call('SRANDMEMBER', 'nothing')
redis.call('SPOP', 'nothing')
redis.call('SPOP', 'nothing', 2)
redis.call('SSCAN', 'one', 0)
redis.call('ZRANGE', 'z', 0, -1)
redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')
redis.call('ZRANGE', 'z', '(1', '+inf', 'BYSCORE', 'WITHSCORES')
redis.call('ZREVRANGE', 'z', 0, 0, 'WITHSCORES')
redis.call('ZSCORE', 'z', 'a')
redis.call('ZSCORE', 'z', 'b')
redis.call('ZSCORE', 'z', 'c')
redis.call('ZSCORE', 'z', 'nothing')
redis.call('ZMSCORE', 'z', 'a', 'b', 'c', 'nothing')
redis.call('ZADD', 'z', 'INCR', 0, 'a')
redis.call('ZADD', 'z', 'XX', 'INCR', 1, 'nothing')
redis.call('ZINCRBY', 'z', 0, 'b')
redis.call('ZRANK', 'z', 'b')
redis.call('ZRANK', 'z', 'nothing')
redis.call('ZRANDMEMBER', 'nothing')
redis.call('ZPOPMIN', 'nothing')
{redis.call('ZADD', 'zq', 1, 'a', 2, 'b', 3, 'c'), redis.call('ZPOPMIN', 'zq'), redis.call('ZPOPMAX', 'zq', 1)}
redis.call('ZMPOP', 1, 'zq', 'MIN')
redis.call('ZMPOP', 1, 'nothing', 'MIN')
redis.call('ZDIFF', 1, 'z', 'WITHSCORES')
redis.call('ZUNION', 2, 'z', 'z', 'WITHSCORES')
redis.call('ZLEXCOUNT', 'z', '-', '+')
redis.call('ZSCAN', 'z', 0)
redis.call('GEOPOS', 'g', 'Catania', 'nothing')
redis.call('GEODIST', 'g', 'Palermo', 'Catania')
redis.call('GEODIST', 'g', 'Palermo', 'nothing')
redis.call('GEOHASH', 'g', 'Palermo')
redis.call('GEOSEARCH', 'g', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 500, 'km', 'ASC', 'WITHDIST', 'WITHHASH')
redis.call('PFCOUNT', 'hll')
redis.call('PFADD', 'hll', 'a')
redis.call('SETBIT', 'bits', 7, 0)
redis.call('BITFIELD', 'bits', 'GET', 'u8', 0, 'OVERFLOW', 'FAIL', 'INCRBY', 'u2', 0, 9)
redis.call('BITCOUNT', 's')
redis.call('BITPOS', 's', 1)
redis.call('SORT', 'i', 'DESC')
redis.call('SORT', 'i', 'BY', 'nosort', 'GET', '#', 'GET', 'nothing_*')
redis.call('SORT_RO', 'l', 'ALPHA')
redis.call('EXISTS', 's', 's', 'nothing')
redis.call('TYPE', 's')
redis.call('TYPE', 'nothing')
redis.call('TTL', 's')
redis.call('TTL', 'nothing')
redis.call('EXPIRE', 'nothing', 10)
redis.call('PERSIST', 's')
redis.call('OBJECT', 'ENCODING', 's')
redis.call('OBJECT', 'ENCODING', 'nothing')
redis.call('OBJECT', 'REFCOUNT', 's')
redis.call('COPY', 's', 'x', 'REPLACE')
redis.call('RENAME', 'x', 'y')
redis.call('DEL', 'x', 'y')
redis.call('UNLINK', 'x')
redis.call('TOUCH', 's', 'nothing')
redis.call('DUMP', 'nothing')
redis.call('KEYS', 'nothing*')
redis.call('SCAN', 0, 'MATCH', 'nothing*', 'COUNT', 1000)[2]
redis.call('PUBLISH', 'channel', 'message')
redis.call('SPUBLISH', 'channel', 'message')
redis.call('PUBSUB', 'NUMSUB', 'channel')
redis.call('PUBSUB', 'CHANNELS')
redis.call('COMMAND', 'GETKEYS', 'MSET', 'a', 1, 'b', 2)
redis.call('COMMAND', 'INFO', 'NOSUCH')
redis.call('SELECT', 0)
redis.call('MEMORY', 'USAGE', 'nothing')
redis.call('ECHO', redis.call('GET', 's'))
redis.call(unpack({'MGET', 's', 'nothing'}))
#redis.call('TIME')
type(redis.call('TIME')[1])
"#;

/// What a script does with a reply.
fn call_contexts() -> String {
    format!(
        "return @\nredis.setresp(3) return @\n{SHOW} return show(@)\n{SHOW} redis.setresp(3) return show(@)\n"
    )
}

#[test]
fn a_reply_becomes_a_value_and_a_reply_again() {
    evaluate(DATA, combined(&call_contexts(), CALLS));
}

/// Values so large that the server shares them with the reply, and collections so large that it writes them in pieces.
const LARGE_DATA: &str = r#"
EVAL "redis.call('SET', 's', ('x'):rep(16384)) redis.call('SET', 't', ('\\r\\n$4\\r\\nFAKE'):rep(2000)) return 1" 0
EVAL "for i = 1, 12000 do redis.call('RPUSH', 'l', 'e' .. i) redis.call('SADD', 'm', 'e' .. i) end return 1" 0
EVAL "for i = 1, 12000 do redis.call('HSET', 'h', 'f' .. i, i) redis.call('ZADD', 'z', i, 'e' .. i) end return 1" 0
EVAL "redis.call('RPUSH', 'long', 'a', ('y'):rep(20000), 'b') return 1" 0
EVAL "redis.call('HSET', 'fields', 'a', 1, 'b', ('z'):rep(20000)) return 1" 0
"#;

/// Shows a value, without the order of an array: sets and hashes have none.
const SHOW_ELEMENTS: &str = "local function show(v) \
    if type(v) ~= 'table' then return type(v) .. ':' .. tostring(v) end local parts = {} \
    for k, e in pairs(v) do parts[#parts + 1] = (type(k) == 'number' and '' or k .. '=') .. show(e) end \
    table.sort(parts) return '{' .. table.concat(parts, ',') .. '}' end ";

const LARGE_CONTEXTS: &str = "
return redis.sha1hex(show(@))
redis.setresp(3) return redis.sha1hex(show(@))
return pcall(function() return #show(@) end) and #show(@)
";

const LARGE_CALLS: &str = r#"
redis.call('GET', 's')
redis.call('GET', 't')
redis.pcall('GET', 't')
redis.call('MGET', 's', 't', 'missing', 's')
{redis.call('SET', 'd', ('d'):rep(20000)), redis.call('GETDEL', 'd'), redis.call('EXISTS', 'd')}
{redis.call('SET', 'd', ('d'):rep(20000)), redis.call('SET', 'd', 1, 'GET'), redis.call('GETSET', 'd', 2)}
{redis.call('SET', 'd', ('d'):rep(20000)), redis.call('GETEX', 'd', 'EX', 100)}
redis.call('GETRANGE', 't', 5, -5)
redis.call('SUBSTR', 't', 5, -5)
redis.call('ECHO', ('e'):rep(20000))
redis.call('LRANGE', 'l', 0, -1)
redis.call('LRANGE', 'l', 0, 9999)
redis.call('LRANGE', 'l', 1, 11000)
redis.call('LRANGE', 'long', 0, -1)
redis.call('LINDEX', 'long', 1)
{redis.call('LMOVE', 'long', 'long', 'LEFT', 'RIGHT'), redis.call('LRANGE', 'long', 0, -1)}
redis.call('SMEMBERS', 'm')
redis.call('SUNION', 'm')
redis.call('SINTER', 'm', 'm')
redis.call('SORT', 'm', 'ALPHA')
redis.call('HGETALL', 'h')
redis.call('HKEYS', 'h')
redis.call('HVALS', 'h')
redis.call('HGETALL', 'fields')
redis.call('HVALS', 'fields')
redis.call('HMGET', 'fields', 'b', 'a', 'b')
redis.call('HGET', 'fields', 'b')
redis.call('ZRANGE', 'z', 0, -1)
redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')
redis.call('ZREVRANGE', 'z', 0, 10500)
redis.call('ZRANGEBYSCORE', 'z', 5, '+inf', 'WITHSCORES')
redis.call('ZUNION', 1, 'z', 'WITHSCORES')
"#;

#[test]
fn large_replies_become_values_as_a_whole() {
    let contexts = rows(LARGE_CONTEXTS).map(|context| format!("{SHOW_ELEMENTS}{context}\n"));
    let contexts = contexts.collect::<String>();
    evaluate(LARGE_DATA, combined(&contexts, LARGE_CALLS));
}

/// Arguments of `redis.call`: strings and numbers become strings, all else is refused.
const ARGUMENTS: &str = "
'x'
''
'\\0\\r\\n\\255'
0
-0
1
-1
10
1.5
-1.5
1e2
1e17
1e18
1e19
1e20
1e21
1e22
1e100
1e-300
0.1 + 0.2
3.0
3.14159265358979
2^31
2^52 + 0.5
2^53
2^53 + 1
1/0
-1/0
nil
true
false
{}
{'x'}
function() end
";

/// Ways to hand an argument over.
const ARGUMENT_CONTEXTS: &str = "
return redis.call('ECHO', @)
return redis.call('SET', 'argument', @)
return {redis.call('SET', 'argument', @), redis.call('GET', 'argument')}
return redis.call(@)
return redis.call(@, 'x')
return redis.pcall('ECHO', @)
return redis.pcall('RPUSH', 'arguments', @, @)
return redis.call('EXISTS', 'x', @, 'y')
return redis.call('INCRBYFLOAT', 'float', @)
";

#[test]
fn arguments_of_a_call_become_strings() {
    evaluate("", combined(ARGUMENT_CONTEXTS, ARGUMENTS));
}

/// Which protocol a script speaks inside, and for how long.
const PROTOCOLS: &str = "
return redis.setresp(2)
return redis.setresp(3)
return redis.setresp(4)
return redis.setresp(0)
return redis.setresp('3')
return redis.setresp('x')
return redis.setresp()
return redis.setresp(2, 3)
return redis.setresp(nil)
return redis.setresp({})
return redis.setresp(3.5)
return redis.call('HGETALL', 'h2')
redis.setresp(3) redis.setresp(2) return redis.call('HGETALL', 'h2')
redis.setresp(3) return {redis.call('HGETALL', 'h2').map.a, redis.call('HGETALL', 'h2').map.nothing}
redis.setresp(3) return redis.call('ZSCORE', 'z', 'b').double + 1
redis.setresp(3) return redis.call('SMEMBERS', 'i').set['1']
redis.setresp(3) return redis.call('GET', 'nothing') == nil
return redis.call('GET', 'nothing') == false
redis.setresp(3) return {redis.call('GET', 'nothing'), 1}
redis.setresp(3) return {false, true, nil, 1}
redis.setresp(3) return {map = {a = false}}
redis.setresp(3) local r = redis.call('ZSCORE', 'z', 'b') r.double = 7.5 return r
redis.setresp(3) local r = redis.call('HGETALL', 'h') r.map.f = {1, 2} return r
local r = redis.call('HGETALL', 'h') r[2] = 9.9 return r
";

#[test]
fn a_script_chooses_its_protocol() {
    evaluate(DATA, rows(PROTOCOLS));
}
