//! The sandbox: which globals there are, and that a script leaves them as they were.

use super::{combined, evaluate, rows};

/// What there is to find.
const CONTENTS: &str = "
return _G._G == _G
return _VERSION
return _G._VERSION
return type(getmetatable(_G))
return getmetatable('')
return type(getmetatable('').__index)
return getmetatable('').__index == string
return getmetatable(redis)
return getmetatable(string)
return tostring(getmetatable(KEYS))
return type(KEYS) .. type(ARGV)
return {rawget(_G, 'KEYS') == KEYS, rawget(_G, 'redis') == redis, rawget(_G, 'nothing')}
return {rawget(_G, 'print'), rawget(_G, 'os') == os}
return type(__redis__err__handler)
";

/// Names that a script may look for.
const NAMES: &str = "
print
dofile
loadfile
require
module
package
io
debug
os
os.time
os.clock
os.exit
os.execute
os.getenv
os.remove
os.rename
os.tmpname
os.date
load
loadstring
gcinfo
collectgarbage
rawget
rawset
rawequal
rawlen
xpcall
coroutine
coroutine.create
table.unpack
string.dump
string.pack
utf8
bit32
bit
cjson
cjson.encode
cmsgpack
struct
redis
server
redis.call
redis.register_function
redis.breakpoint
server.call
KEYS
ARGV
arg
_G
_VERSION
_ENV
jit
";

const NAME_CONTEXTS: &str = "
return type(@)
return tostring(type(rawget(_G, '@')))
return {pcall(function() return type(@) end)}
return {pcall(loadstring('return type(@)'))}
return {pcall(function() return @.x end) == true}
@ = 1
local ok, e = pcall(function() @ = nil end) return {tostring(ok), e}
@.x = 1
local ok, e = pcall(function() @.x = function() end end) return {tostring(ok), e}
local ok, e = pcall(rawset, @, 'x', 1) return {tostring(ok), e}
local ok, e = pcall(function() setmetatable(@, {}) end) return {tostring(ok), e}
local ok, e = pcall(function() setmetatable(@, nil) end) return {tostring(ok), e}
local ok, e = pcall(function() for k in pairs(@) do @[k] = nil end end) return {tostring(ok), e}
";

/// Ways to change what other scripts would find.
const CHANGES: &str = "
x = 1
_G.x = 1
_G['x'] = 1
rawset(_G, 'x', 1)
return {pcall(rawset, _G, 'x', 1)}
local ok, e = pcall(rawset, _G, 'KEYS', 1) return {tostring(ok), e}
function f() end
function redis.x() end
function string.x() end
redis.call = nil
redis.call = function() end
redis.LOG_DEBUG = 5
rawset(redis, 'call', nil)
string.format = nil
math.random = function() return 4 end
table.insert = nil
cjson.encode = nil
cjson.null = 1
cmsgpack.pack = nil
struct.pack = nil
bit.band = nil
os.clock = nil
coroutine.yield = nil
KEYS = nil
KEYS = {'x'} return KEYS
ARGV = {} return #ARGV
KEYS[1] = 'changed' return KEYS
ARGV.x = 5 return ARGV.x
KEYS.n = 9 return KEYS.n
setmetatable(KEYS, {__index = function() return 'x' end}) return KEYS[9]
setmetatable(_G, {})
setmetatable(_G, nil)
setmetatable(string, {})
setmetatable('', {})
getmetatable(_G).__index = nil
getmetatable(_G).__newindex = nil
for k, v in pairs(_G) do _G[k] = nil end
for k, v in pairs(redis) do redis[k] = nil end
table.insert(_G, 1)
table.insert(redis, 1)
table.sort(_G)
table.remove(string)
_G._G = nil
_G = nil
_G = {} return _G.redis
local _G = {} _G.x = 1 return _G.x
local redis = {call = function() return 'mine' end} return redis.call()
local print = function(x) return x end return print(5)
local f = loadstring('x = 1') return {pcall(f)}
local f = loadstring('return x') return {pcall(f)}
local f = loadstring('local x = 5 return x') return f()
return loadstring('return ...')(7)
return {pcall(load, function() return nil end)}
local done = false return load(function() if done then return nil end done = true return 'return 42' end)()
local f = load('return 1') return f
return {loadstring('\\27Lua')}
return {loadstring('\\27LuaQ\\0\\1\\4\\8\\4\\8\\0')}
return loadstring(string.dump(function() return 1 end))
return {pcall(loadstring, nil)}
return {pcall(loadstring, {})}
local f = assert(loadstring('return redis.call(\"PING\")')) return f()
local t = setmetatable({}, {__gc = function() error('x') end}) t = nil collectgarbage() return 1
";

/// That all of the above has left nothing behind.
const AFTERWARDS: &str = "
return {type(x), type(f)}
return rawget(_G, 'x')
return ('x').y
return ('abc'):upper()
return redis.call('PING')
return {type(string.format), type(table.insert), type(math.random), type(cjson.encode), type(os.clock)}
return {KEYS, ARGV}
return {#KEYS, #ARGV, KEYS.n, ARGV.x}
return {getmetatable(''), pcall(function() return 'x' + 'y' end)}
";

/// What scripts could do until Redis 7.2.11, and cannot since: they reach neither the environment of functions nor the
/// metatable of all strings, and no number of values overflows. Debian's 7.0.15 has this too; 7.2.4 has not, and
/// crashes.
const CLOSED: &str = "
return {pcall(unpack, {}, 0, 2147483647)}
return {pcall(unpack, {}, -2147483648, 2147483647)}
local n = {} for k, v in pairs(_G) do n[#n + 1] = tostring(k) .. ' ' .. type(v) end table.sort(n) return n
local n = {} for k, v in pairs(_G) do if type(v) == 'table' then for l, w in pairs(v) do n[#n + 1] = k .. '.' .. \
    tostring(l) .. ' ' .. type(w) end end end table.sort(n) return n
return type(setfenv)
return type(getfenv())
return getfenv() == _G
return getfenv(1) == _G
return {pcall(getfenv, 0)}
return {pcall(getfenv, 9)}
return {pcall(getfenv, pcall)}
return {pcall(setfenv, 1, {})}
setfenv(1, {}) return 1
local f = function() return x end setfenv(f, {x = 5}) return f()
return {pcall(setfenv, pcall, {})}
return {pcall(setfenv, 0, {})}
getmetatable('').__index = nil
getmetatable('').__add = function() return 1 end
getmetatable('').__index = function() return 'hacked' end return ('x').y
setfenv(1, {redis = redis}) x = 5 return x
local p = newproxy(true) getmetatable(p).__gc = function() redis.call('SET', 'gc', 1) end p = nil \
    collectgarbage() return redis.call('EXISTS', 'gc')
return newproxy
return type(newproxy())
";

#[test]
fn the_globals_are_those_of_redis() {
    evaluate("", rows(CONTENTS));
    evaluate("", combined(NAME_CONTEXTS, NAMES));
}

#[test]
fn ways_out_of_the_sandbox_are_closed() {
    let names = combined(NAME_CONTEXTS, "getfenv\nsetfenv\nnewproxy");
    evaluate("", rows(CLOSED).chain(names));
    evaluate("", [CLOSED, AFTERWARDS].into_iter().flat_map(rows));
}

#[test]
fn scripts_leave_the_globals_as_they_were() {
    let programs = [CHANGES, AFTERWARDS].into_iter();
    evaluate("", programs.flat_map(rows));
}

/// Functions that the sandbox replaces, without an argument that they need.
const MISSING_ARGUMENTS: &str = "
local x = pairs() return x
local x = pairs(nil) return x
local x = next() return x
local x = next(nil) return x
local x = rawget() return x
local x = rawget({}) return x
local x = rawset() return x
local x = rawset({}) return x
local x = rawset({}, 1) return x
local x = loadstring() return x
local x = loadstring(nil) return x
local x = load() return x
local x = setmetatable() return x
local x = setmetatable({}) return x
local x = getmetatable() return x
table.insert() return 1
table.insert({}) return 1
table.insert({}, 1, 2, 3) return 1
table.insert({}, 'x', 1) return 1
local t = {1} table.insert(t, 2) table.insert(t, 1, 3) table.insert(t, '2', 4) return t
";

#[test]
fn missing_arguments_are_told_from_nil() {
    evaluate("", rows(MISSING_ARGUMENTS));
}
