//! The language itself: what the functions of `string`, `table`, `math` and coroutines do in Redis, whose Lua 5.1
//! prints
//! numbers, seeds chance and bounds memory in its own way.

use super::{combined, evaluate, rows};

/// Expressions with numbers, as text in the ways that a script can ask for.
const NUMBERS: &str = "
0
-0
1
-1
0.1
-0.5
1/3
2/3
100
1e2
1e14
1e15
1e16
123456789012345
1234567890123456
2^31
2^52
2^53
2^63
2^64
2^1023
1e100
1e308
1e309
1e-4
1e-5
1e-10
5e-324
1e-400
3.14159265358979
3.0
1e15 + 0.3
0x10
0xffffffff
0x7fffffffffffffff
1/0
-1/0
5 % 3
-5 % 3
5 % -3
5.5 % 2
-5.5 % 2
5 % 0
5 % (1/0)
0 / 0 ~= 0 / 0
2 ^ 0.5
2 ^ -1
(-8) ^ (1/3) ~= 1
10 / 2
7 / 2
1e308 * 10
'10' + 5
'0x10' + 0
' 5 ' + 0
'1e1' * 1
10 .. 20
1.5 .. ''
-1 .. ''
2^53 .. ''
1e100 .. ''
";

const NUMBER_CONTEXTS: &str = "
return tostring(@)
return @
return {@, tostring(@) == tostring(@)}
return string.format('%d %s', 7, tostring(@))
return math.floor(tonumber(@) or 0)
return tostring(tonumber(tostring(@)))
return redis.pcall('ECHO', tostring(@))
";

#[test]
fn numbers_are_counted_and_printed_alike() {
    evaluate("", combined(NUMBER_CONTEXTS, NUMBERS));
}

const FORMATS: &str = "
%d
%5d
%-5d|
%05d
%+d
% d
%.3d
%i
%u
%c
%x
%X
%#x
%o
%e
%E
%.0e
%f
%.2f
%10.3f
%-10.3f|
%g
%G
%.14g
%.17g
%.20f
%99d
%.99f
%100d
%.100f
%s
%10s
%-10s|
%.2s
%q
%%
%
%y
%1
%-
%-+ #0d
%-+ #00d
%a
%p
%n
%ld
%5.
%.d
%*d
";

const FORMAT_CONTEXTS: &str = "
return {pcall(string.format, '@', 5)}
return {pcall(string.format, '@', -5)}
return {pcall(string.format, '@', 0)}
return {pcall(string.format, '@', 3.7)}
return {pcall(string.format, '@', 1e10)}
return {pcall(string.format, '@', '12')}
return {pcall(string.format, '@', 'text')}
return {pcall(string.format, '@', 'a\\0b\\n\\r\"\\\\')}
return {pcall(string.format, '@', nil)}
return {pcall(string.format, '@', true)}
return {pcall(string.format, '@')}
return {pcall(string.format, '@ @', 1, 2)}
";

const STRINGS: &str = r#"
local names = {} for k, v in pairs(string) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return {string.byte('abc'), string.byte('abc', 2), string.byte('abc', -1)}
return {string.byte('abc', 1, 3)}
return {string.byte('abc', 5)}
return string.byte()
return #string.rep('x', 8000) == select('#', string.byte(string.rep('x', 8000), 1, 8000))
return {pcall(string.byte, string.rep('x', 10000), 1, -1)}
return string.char()
return string.char(104, 105)
return string.char(0, 255)
return string.char(256)
return string.char(-1)
return string.char(1.5)
return string.char('65')
return string.dump
return string.dump(function() end)
return {string.find('hello', 'l')}
return {string.find('hello', 'l', 4)}
return {string.find('hello', 'l', 5)}
return {string.find('hello', 'l', -1)}
return {string.find('hello', '')}
return {string.find('hello', '', 10)}
return {string.find('hello', '(l)(l)')}
return {string.find('hello', '.', 1, true)}
return {string.find('a.b', '.', 1, true)}
return {string.find('hello', '()ll()')}
return {string.find('a\0b', '\0')}
return {string.find('a\0b', '%z')}
return {pcall(string.find, 'x', '[')}
return {pcall(string.find, 'x', '%')}
return {pcall(string.find, 'x', '(')}
return {pcall(string.find, 'x', ')')}
return {pcall(string.find, 'x', '%1')}
return {pcall(string.find, 'x', '%b')}
return {pcall(string.find, 'x', '%f')}
return {pcall(string.find, string.rep('a', 100), string.rep('(a)', 33))}
return {string.match('key=value', '(%w+)=(%w+)')}
return {string.match('  trim  ', '^%s*(.-)%s*$')}
return {string.match('2024-01-02', '(%d+)-(%d+)-(%d+)')}
return {string.match('hello', 'x')}
return {string.match('THE (quick) fox', '%((%a+)%)')}
return {string.match('f(a(b)c)d', '%b()')}
return {string.match('THE (quick) fox', '%f[%a]%a+', 5)}
return {string.gsub('hello', 'l', 'L')}
return {string.gsub('hello', 'l', 'L', 1)}
return {string.gsub('hello', 'l', 'L', 0)}
return {string.gsub('hello', '', '-')}
return {string.gsub('hello', '(l)', '<%1>')}
return {string.gsub('hello', 'l', '%0%0')}
return {string.gsub('hello', 'l', {l = 'x'})}
return {string.gsub('hello', '.', {h = 1, e = false})}
return {string.gsub('hello', 'l', function(c) return c:upper() end)}
return {string.gsub('hello', 'l', function() end)}
return {pcall(string.gsub, 'hello', 'l', function() return {} end)}
return {pcall(string.gsub, 'hello', 'l', '%2')}
return {pcall(string.gsub, 'hello', 'l', '%')}
return {pcall(string.gsub, 'hello', 'l')}
return {pcall(string.gsub, 'hello', 'l', true)}
local t = {} for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do t[#t + 1] = k .. v end return t
local t = {} for w in string.gmatch('one two', '%a+') do t[#t + 1] = w end return t
return type(string.gfind)
return {string.len(''), string.len('a\0b'), #'a\0b'}
return {string.lower('ABC\195\132'), string.upper('abc\195\164')}
return {string.rep('ab', 3), string.rep('ab', 0), string.rep('ab', -1)}
return {pcall(string.rep, 'x', -1e10)}
return #string.rep('x', 1e7)
return {string.reverse('abc'), string.reverse('')}
return {string.sub('hello', 2), string.sub('hello', -3), string.sub('hello', 2, 3), string.sub('hello', 0), \
    string.sub('hello', 5, 2)}
return {string.sub('hello', 2, -2), string.sub('hello', -100, 100), string.sub('hello', 1e10), \
    string.sub('hello', -1e10, 3)}
return ('x'):rep(3)
return ('%d'):format(5)
return #'x' + 1
return 'a' < 'b'
return {'a' < 'B', 'a' < 'a\0', '' < 'a', 'Z' < 'a', '\255' > 'a'}
return pcall(function() return 'a' < 1 end)
return {pcall(function() return {} < {} end)}
return {pcall(function() return {} .. 'x' end)}
return {pcall(function() return nil .. 'x' end)}
return {pcall(function() return 'x' + 1 end)}
return {pcall(function() return {} + 1 end)}
return {pcall(function() return -{} end)}
return {pcall(function() return #5 end)}
return {pcall(function() local t = nil; t.x = 1 end)}
return {pcall(function() local t = {}; t[nil] = 1 end)}
return {pcall(function() local t = {}; t[0/0] = 1 end)}
return {pcall(function() for i = 1, 'x' do end end)}
return {pcall(function() for i = 1, 10, 0 do return i end end)}
return {pcall(function() local a; a() end)}
return {pcall(function() local a = {}; a.b.c() end)}
return {pcall(function() string.nosuch() end)}
return {tonumber('10', 2), tonumber('ff', 16), tonumber('zz', 36), tonumber('8', 8), tonumber('', 10)}
return {pcall(tonumber, '10', 1)}
return {pcall(tonumber, '10', 37)}
return {tonumber('  12  '), tonumber('1 2'), tonumber('0x'), tonumber('1e'), tonumber('inf'), tonumber('nan')}
return {tostring(nil), tostring(true), tostring('x'), tostring(1.0)}
return {pcall(tostring)}
return {pcall(tonumber)}
return {type(nil), type({}), type('x'), type(1), type(print), type(type)}
return {pcall(type)}
return {select('#'), select('#', nil, nil), select(2, 'a', 'b', 'c')}
return {select(-1, 'a', 'b', 'c')}
return {pcall(select, 0)}
return {pcall(select, -5, 'a')}
return {unpack({1, 2, 3}, 2)}
return {unpack({1, 2, 3}, 2, 3)}
return {unpack({1, 2, 3}, 3, 2)}
return {pcall(unpack, {}, 1, 1e7)}
return {pcall(unpack, {}, 1, 8000)}
return {pcall(unpack, {}, 1, 7000)}
return {pcall(unpack)}
return {rawequal('a', 'a'), rawequal({}, {}), rawget({a = 1}, 'a'), rawlen}
local t = {} rawset(t, 'a', 5) return t.a
return {next({})}
return {next({5})}
return {pcall(next, {}, 'nosuch')}
return {pcall(ipairs)}
return {pcall(pairs, nil)}
local r = {} for i, v in ipairs({1, 2, nil, 4}) do r[i] = v end return r
local r = {} for k, v in pairs({10, 20, 30}) do r[k] = v end return r
local r = {} for k in pairs({a = 1, b = 2, c = 3, d = 4, e = 5}) do r[#r + 1] = k end return r
local r = {} for i = 1, 30 do r['key' .. i] = i end local o = {} for k in pairs(r) do o[#o + 1] = k end return o
local r = {} for i = 30, 1, -1 do r['key' .. i] = i end local o = {} for k in pairs(r) do o[#o + 1] = k end return o
local r = {} for i = 1, 30 do r[i * 7.5] = i end local o = {} for k in pairs(r) do o[#o + 1] = k * 2 end return o
return {pcall(assert)}
return {pcall(assert, nil)}
return {pcall(assert, false, 'text')}
return {assert(1, 2, 3)}
return {pcall(error)}
return {pcall(function() error() end)}
return {xpcall(function() return 1, 2 end, function() end)}
return {pcall(xpcall)}
return {pcall(pcall)}
return collectgarbage('count') > 0
return collectgarbage()
return collectgarbage('step')
return {pcall(collectgarbage, 'nosuch')}
return gcinfo() > 0
return #{n = 1}
return {#{1, 2, nil}, #{nil}, #{nil, nil, 3}}
return not nil
return {1 and 2, nil and 2, false or 'x', nil == false}
local a, b = 1 return {a, b}
local a, b = (function() return 1, 2 end)() return {a, b}
local t = {(function() return 1, 2 end)(), (function() return 1, 2 end)()} return t
local f = function(...) return {...} end return f(1, nil, 3)
local f = function(...) return arg end return f(1, 2)
local f = function(...) return arg.n end return f(1, 2)
return arg
return [[
long]] .. [==[x]]y]==]
return '\65\066\x41'
return "\z"
while true do break end return 1
repeat local x = 1 until x == 1 return 2
for i = 3, 1, -1 do if i == 2 then return i end end
for i = 1, 3 do local x = i end return i
local i = 1 while i < 100 do i = i * 2 end return i
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(20)
local t = setmetatable({}, {__add = function(a, b) return 42 end, __call = function(self, x) return x * 2 end}) \
    return {t + 1, t(21)}
local t = setmetatable({}, {__eq = function() return true end}) return t == setmetatable({}, getmetatable(t))
local t = setmetatable({}, {__lt = function() return true end, __le = function() return false end}) return {t < \
    t, t <= t}
local t = setmetatable({}, {__concat = function(a, b) return 'joined' end}) return t .. 'x'
local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v * 2) end}) t.x = 21 return t.x
local t = setmetatable({}, {__tostring = function() return 'as text' end}) return tostring(t)
local t = setmetatable({}, {__tostring = function() return 5 end}) return pcall(tostring, t)
local t = setmetatable({}, {__metatable = 'hidden'}) return {getmetatable(t), pcall(setmetatable, t, {})}
local t = setmetatable({}, {__unm = function() return 'minus' end}) return -t
local t = setmetatable({}, {__mode = 'k'}) t[{}] = 1 collectgarbage() return next(t) == nil
return {pcall(setmetatable, 1, {})}
return {pcall(setmetatable, {}, 1)}
return {pcall(getmetatable)}
"#;

#[test]
fn strings_are_formed_alike() {
    evaluate("", combined(FORMAT_CONTEXTS, FORMATS));
    evaluate("", rows(STRINGS));
}

const TABLES: &str = "
local names = {} for k, v in pairs(table) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return table.concat({1, 2, 'x'})
return table.concat({1, 2, 'x'}, ', ')
return table.concat({1, 2, 'x'}, ', ', 2)
return table.concat({1, 2, 'x'}, ', ', 2, 2)
return table.concat({1, 2, 'x'}, ', ', 3, 2)
return table.concat({}, 'x')
return {pcall(table.concat, {1, {}, 3})}
return {pcall(table.concat, {1, true})}
return {pcall(table.concat, {1, 2}, ',', 1, 3)}
return {pcall(table.concat)}
return {pcall(table.concat, {}, {})}
return table.concat({1.5, 2^53, 1e100}, ' ')
local t = {1, 2} table.insert(t, 3) return t
local t = {1, 2} table.insert(t, 1, 0) return t
local t = {1, 2} table.insert(t, 5, 'far') return {#t, t[5]}
return {pcall(table.insert, {})}
return {pcall(table.insert, {}, 1, 2, 3)}
return {pcall(table.insert, nil, 1)}
return {pcall(table.insert, {}, 'x', 1)}
local t = {1, 2, 3} return {table.remove(t), table.remove(t, 1), #t}
return {table.remove({}), table.remove({}, 1)}
return {pcall(table.remove, {1, 2, 3}, 9)}
local t = {3, 1, 2} table.sort(t) return t
local t = {'b', 'a', 'C'} table.sort(t) return t
local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t
return {pcall(table.sort, {1, 'x'})}
return {pcall(table.sort, {1, 2, {}})}
return {pcall(table.sort, {3, 1, 2, 5, 4}, function() return true end)}
return {pcall(table.sort, {1, 2}, 5)}
local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1009 end table.sort(t) return {t[1], t[500], t[1000]}
return table.maxn({1, 2, [10] = 3})
return table.maxn({})
return table.maxn({[1.5] = 1})
return table.getn({1, 2, 3})
return {pcall(table.setn, {}, 5)}
local t = {} table.foreach({5}, function(k, v) t[k] = v end) return t
local t = {} table.foreachi({5, 6}, function(k, v) t[k] = v end) return t
return type(table.pack) .. type(table.unpack)
";

const MATHEMATICS: &str = "
local names = {} for k, v in pairs(math) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return {math.abs(-5), math.ceil(1.2), math.floor(-1.2), math.max(1, 5, 3), math.min(4, 2, 8)}
return {tostring(math.pi), tostring(math.huge), tostring(-math.huge)}
return {tostring(math.sqrt(2)), tostring(math.exp(1)), tostring(math.log(10)), tostring(math.log10(1000))}
return {tostring(math.sin(1)), tostring(math.cos(1)), tostring(math.tan(1)), tostring(math.atan2(1, 2))}
return {math.fmod(7, 3), math.fmod(-7, 3), tostring(math.mod(7, 3))}
return {tostring(math.modf(3.7)), tostring(select(2, math.modf(-3.7)))}
return {math.ldexp(1, 10), tostring(math.frexp(10)), select(2, math.frexp(10))}
return {math.pow(2, 10), math.deg(math.pi), tostring(math.rad(180))}
return {pcall(math.floor, 'x')}
return {pcall(math.floor, '5.5')}
return {pcall(math.max)}
return {pcall(math.abs)}
return tostring(math.random())
return {tostring(math.random()), tostring(math.random()), tostring(math.random())}
return {math.random(10), math.random(10), math.random(10), math.random(10), math.random(10), math.random(10)}
return {math.random(5, 7), math.random(5, 7), math.random(5, 7), math.random(5, 7)}
return {math.random(-3, 3), math.random(-3, 3), math.random(1000000), math.random(2147483647)}
return {math.random(1), math.random(3, 3)}
return {pcall(math.random, 0)}
return {pcall(math.random, 5, 3)}
return {pcall(math.random, 1, 2, 3)}
return {pcall(math.random, 'x')}
return {math.random('10'), math.random(2.9)}
math.randomseed(1) return {math.random(100), math.random(100), math.random(100)}
math.randomseed(42) return {math.random(100), math.random(100), tostring(math.random())}
math.randomseed(0) return {math.random(100), math.random(100), tostring(math.random())}
math.randomseed(-1) return {math.random(100), math.random(100)}
math.randomseed(1.9) return {math.random(100), math.random(100)}
math.randomseed(2^31) return {math.random(100), math.random(100)}
math.randomseed(2^33 + 7) return {math.random(100), math.random(100)}
math.randomseed('7') return {math.random(100), math.random(100)}
math.randomseed(7) math.randomseed(7) return {math.random(100), math.random(100)}
return {pcall(math.randomseed)}
return {pcall(math.randomseed, 'x')}
return {math.random(100), math.random(100), tostring(math.random())}
local t = {} for i = 1, 200 do t[i] = math.random(1000) end return t
local t = {} for i = 1, 50 do t[i] = tostring(math.random()) end return t
local t, r = {1, 2, 3, 4, 5, 6, 7, 8}, math.random for i = #t, 2, -1 do local j = r(i) t[i], t[j] = t[j], t[i] \
    end return t
";

const COROUTINES: &str = "
local names = {} for k, v in pairs(coroutine) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) \
    return names
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return {select(2, \
    coroutine.resume(co, 1)), select(2, coroutine.resume(co, 21)), coroutine.status(co)}
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {co(), co(), co()}
local co = coroutine.create(function() end) coroutine.resume(co) return {coroutine.resume(co)}
local co = coroutine.create(function() error('x') end) return {coroutine.resume(co)}
local co = coroutine.create(function() return redis.call('SET', 'k', 'v') end) return {coroutine.resume(co)}
local co = coroutine.wrap(function() coroutine.yield(redis.call('GET', 'k')) end) return co()
local co = coroutine.create(function() return redis.call('NOSUCH') end) local ok, e = coroutine.resume(co) return \
    {tostring(ok), e}
coroutine.yield(1)
return {pcall(coroutine.yield, 1)}
return tostring(coroutine.running())
return {pcall(coroutine.create, 5)}
return {pcall(coroutine.resume, 5)}
local co = coroutine.wrap(function() pcall(function() coroutine.yield(1) end) end) return {pcall(co)}
local co co = coroutine.create(function() return coroutine.resume(co) end) return {coroutine.resume(co)}
local co co = coroutine.create(function() return coroutine.status(co) end) return {coroutine.resume(co)}
local t = setmetatable({}, {__index = function() return coroutine.yield() end}) return \
    {pcall(coroutine.wrap(function() return t.x end))}
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end local s = \
    0 for v in gen(100) do s = s + v end return s
";

#[test]
fn tables_numbers_and_coroutines_are_alike() {
    let programs = [TABLES, MATHEMATICS, COROUTINES].into_iter();
    evaluate("", programs.flat_map(rows));
}

/// Depths and sizes that a script may reach, and what it hears beyond.
const BOUNDS: &str = "
local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(1000)
local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(15000)
local function f() return 1 + f() end return {pcall(f)}
local function f() return 1 + f() end return f()
local function f(n) if n == 0 then return 'tail' end return f(n - 1) end return f(1000000)
local function f(n) if n == 0 then return 0 end return pcall(f, n - 1) end return f(100)
local function f(n) return pcall(f, n + 1) end return type(f(1))
local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return \
    {pcall(function() return t[1] end)}
local t = {} local m = t for i = 1, 50 do local n = {} setmetatable(m, {__index = n}) m = n end m.x = 'found' return t.x
local t = {} local m = t for i = 1, 120 do local n = {} setmetatable(m, {__index = n}) m = n end m.x = 'found' \
    return {pcall(function() return t.x end)}
return #string.rep('x', 100000)
local s = 'x' for i = 1, 20 do s = s .. s end return #s
local t = {} for i = 1, 100000 do t[#t + 1] = i end return #t
return {pcall(loadstring, string.rep('(', 300) .. '1' .. string.rep(')', 300))}
return {pcall(loadstring('return ' .. string.rep('(', 150) .. '1' .. string.rep(')', 150)))}
return {loadstring('return ' .. string.rep('{', 250) .. string.rep('}', 250))}
return {loadstring(string.rep('do ', 250) .. string.rep(' end', 250))}
local s = {} for i = 1, 201 do s[i] = 'local a' .. i .. ' = 1' end return {loadstring(table.concat(s, ' '))}
local s = {} for i = 1, 200 do s[i] = 'local a' .. i .. ' = 1' end return type(loadstring(table.concat(s, ' ')))
local s = {} for i = 1, 300 do s[i] = 'a' .. i end return {loadstring('return function(' .. table.concat(s, ',') \
    .. ') end')}
local s = {} for i = 1, 61 do s[i] = 'local u' .. i .. ' = 1' end local b = {} for i = 1, 61 do b[i] = 'u' .. i \
    end return {loadstring(table.concat(s, ' ') .. ' return function() return ' .. table.concat(b, '+') .. ' end')}
return {pcall(redis.call, 'MGET', unpack({}, 1, 5000))}
local t = {} for i = 1, 7000 do t[i] = 'k' .. i end return #redis.call('MGET', unpack(t))
local t = {} for i = 1, 7900 do t[i] = 'k' .. i end return {pcall(function() return #redis.call('MGET', unpack(t)) end)}
";

#[test]
fn depth_and_size_are_bounded_alike() {
    evaluate("", rows(BOUNDS));
}
