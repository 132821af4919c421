//! The libraries that Redis adds to Lua: what each makes of every kind of value, then `struct`, `bit` and the
//! functions of
//! `redis`, and their words about what they do not take. (`serialization.rs` has more of `cjson` and `cmsgpack`.)

use super::{SHOW, combined, evaluate, rows};

/// Values of all kinds.
const VALUES: &str = r#"
nil
true
false
0
-0
1
-1
127
128
255
256
-32
-33
-128
-129
32767
32768
65535
65536
-32768
-32769
2147483647
2147483648
4294967295
4294967296
-2147483648
-2147483649
2^53
-2^53
2^62
-2^62
0.5
-0.5
0.1
1/3
3.14159265358979
1.5
123456.789
1e10
1e14
1e15
1e20
1e100
1e308
1e-5
1e-10
1e-300
''
'text'
'12'
'quote " slash / backslash \\ tab \t line \n'
'\0\1\31\127'
'\195\164\226\130\172\240\159\152\128'
'\128\255'
string.rep('x', 31)
string.rep('x', 32)
string.rep('x', 255)
string.rep('x', 256)
string.rep('x', 65536)
{}
{{}}
{1, 2, 3}
{1, 'a', true, false}
{1, {2, {3, {4}}}}
{nil, 2}
{1, nil, 3}
{[2] = 'b'}
{[1] = 'a', [2] = 'b', [3] = 'c'}
{[0] = 'zero'}
{[-1] = 'minus'}
{[1.5] = 'x'}
{['1'] = 'x'}
{a = 1}
{a = {b = {c = {}}}}
{a = 'x', [1] = 'y'}
{[true] = 1}
{[{}] = 1}
{cjson.null}
{a = cjson.null}
cjson.null
setmetatable({1, 2}, {__len = function() return 5 end})
setmetatable({}, {__index = {1, 2}})
function() end
print
coroutine.create(function() end)
{function() end}
{a = function() end}
redis.call('GET', 'nothing')
redis.call('PING')
KEYS
"#;

const PACKED: &str = "
return cjson.encode(@)
return cjson.encode({@})
return cjson.encode({k = @})
return cmsgpack.pack(@)
return cmsgpack.pack({@, @})
return cmsgpack.pack({k = @})
return cmsgpack.pack(1, @, 'x')
return {cmsgpack.unpack(cmsgpack.pack(@))}
return {pcall(cjson.encode, @)}
return {pcall(cmsgpack.pack, @)}
return {pcall(bit.bnot, @)}
return {pcall(redis.sha1hex, @)}
return {pcall(struct.pack, 's', @)}
return {pcall(struct.pack, 'i4', @)}
return {pcall(tonumber, @)}
";

#[test]
fn values_are_packed_alike() {
    evaluate("", combined(PACKED, VALUES));
    // What is unpacked again is told whole; functions and tables as keys would be told by their addresses.
    let back = format!(
        "{SHOW} return show(cjson.decode(cjson.encode({{@}})))\n\
         {SHOW} return show({{cmsgpack.unpack(cmsgpack.pack(@, {{@}}))}})\n"
    );
    let values = rows(VALUES).filter(|it| !it.contains("function") && !it.contains("null"));
    evaluate("", combined(&back, &values.collect::<Vec<_>>().join("\n")));
}

/// Formats of `struct`.
const FORMATS: &str = "
b
B
h
H
i
I
l
L
T
f
d
s
x
c0
c1
c5
i1
i2
i3
i4
i7
i8
i9
I1
I2
I3
I4
I8
i32
i33
i0
>i2
<i2
=i2
!i2
!1i4
!2i4
!4i4
!8i8
!3i4
!33i4
>I4
<I4
>d
<d
>f
bi4
!4bi4
!bi4
bxxb
 b b
b,b
z
b2
c
c-1
c99999999999
i99999999999
!99999999999
>
!

";

const STRUCT_CONTEXTS: &str = "
return {pcall(struct.size, '@')}
return {pcall(struct.pack, '@', 1, 2)}
return {pcall(struct.pack, '@', -1, -2)}
return {pcall(struct.pack, '@', 300.7, 5)}
return {pcall(struct.pack, '@', 'abc', 'def')}
return {pcall(struct.pack, '@')}
return {pcall(struct.unpack, '@', '\\1\\2\\3\\4\\5\\6\\7\\8\\9')}
return {pcall(struct.unpack, '@', '\\255\\254\\253\\252\\251\\250\\249\\248\\247')}
return {pcall(struct.unpack, '@', 'abc\\0def\\0')}
return {pcall(struct.unpack, '@', '\\1\\2\\3\\4\\5\\6\\7\\8\\9', 3)}
return {pcall(struct.unpack, '@', '')}
";

const STRUCT: &str = r"
local names = {} for k, v in pairs(struct) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return struct.pack()
return struct.pack('i4')
return struct.pack('i4', 'x')
return struct.pack('i4', '12')
return struct.pack('i4', {})
return struct.pack('i4', nil)
return struct.pack('s', 'a\0b')
return struct.pack('c0', 'abc')
return struct.pack('c2', 'abc')
return struct.pack('c4', 'abc')
return struct.pack('bc0', 3, 'abc')
return struct.pack('>i4i4', 1)
return struct.pack('>i4', 2^31)
return struct.pack('>I4', 2^32)
return struct.pack('>I8', 2^53)
return struct.pack('>i8', -2^53)
return struct.pack('>d', 1/3)
return struct.pack('>f', 1/3)
return struct.pack('>d', 1/0)
return struct.pack('>HBx', 258, 3)
return struct.unpack()
return struct.unpack('i4')
return {struct.unpack('>HB', '\1\2\3')}
return {struct.unpack('>HB', '\1\2\3', 2)}
return {struct.unpack('>H', '\1\2\3', 2)}
return {struct.unpack('b', 'a', 0)}
return {struct.unpack('b', 'a', -1)}
return {struct.unpack('b', 'a', 1)}
return {struct.unpack('b', 'a', 2)}
return {struct.unpack('b', 'a', 3)}
return {struct.unpack('b', 'a', 2^31)}
return {struct.unpack('c0', 'abc')}
return {struct.unpack('bc0', '\3abcdef')}
return {struct.unpack('bc0', '\9abc')}
return {struct.unpack('c9', 'abc')}
return {struct.unpack('s', 'abc')}
return {struct.unpack('ss', 'abc\0def\0')}
return {struct.unpack('i' .. 'b', '\1\2\3\4\5\6')}
return struct.size()
return struct.size('s')
return struct.size('c0')
return struct.size('c2147483647')
return struct.size('c2147483647c2147483647')
return struct.size('!8bd')
return struct.size('bi2i4i8fd')
return struct.size('l')
";

#[test]
fn structures_are_packed_alike() {
    // The last row, an empty format, is no row of the table.
    let programs = combined(STRUCT_CONTEXTS, FORMATS).into_iter();
    evaluate("", programs.chain(rows(STRUCT)));
}

/// Operands of `bit`.
const OPERANDS: &str = "
0
1
-1
2
31
32
33
-32
255
256
65535
2^31
2^31 - 1
-2^31
2^32
2^32 - 1
2^33 + 5
2^51
2^52
2^53
-2^53
1.4
1.5
1.6
2.5
-1.5
1e15
'12'
'0x10'
'x'
nil
true
{}
1/0
";

const BIT_CONTEXTS: &str = "
return bit.tobit(@)
return bit.tohex(@)
return bit.tohex(@, 4)
return bit.tohex(@, -4)
return bit.tohex(@, 0)
return bit.bnot(@)
return bit.bswap(@)
return bit.band(@, 0xff00ff)
return bit.bor(@, 0xff00ff)
return bit.bxor(@, 0xff00ff)
return bit.band(@)
return bit.bor(1, @, 4)
return bit.lshift(@, 4)
return bit.rshift(@, 4)
return bit.arshift(@, 4)
return bit.rol(@, 4)
return bit.ror(@, 4)
return bit.lshift(0x12345678, @)
return bit.rshift(0x87654321, @)
return bit.arshift(0x87654321, @)
return bit.rol(0x12345678, @)
return bit.ror(0x12345678, @)
";

const BIT: &str = "
local names = {} for k, v in pairs(bit) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return bit.tobit()
return bit.band()
return bit.lshift(1)
return bit.tohex()
return bit.tohex(255, 'x')
return {bit.tohex(0x12345678, 1), bit.tohex(0x12345678, 7), bit.tohex(0x12345678, 8), bit.tohex(0x12345678, 9)}
return {bit.tohex(-1, -1), bit.tohex(-1, -7), bit.tohex(-1, -8), bit.tohex(-1, -9), bit.tohex(-1, 100)}
return {bit.tohex(0xabcdef, 0), bit.tohex(0xabcdef, 2.5), bit.tohex(0xabcdef, '3')}
return bit.band(1, 2, 3, 4, 5)
return bit.nosuch(1)
";

#[test]
fn bits_are_moved_alike() {
    let programs = combined(BIT_CONTEXTS, OPERANDS).into_iter();
    // What an infinite number becomes, the processor decides.
    let programs = programs.filter(|it| !it.contains("1/0"));
    evaluate("", programs.chain(rows(BIT)));
}

/// What the table `redis` holds.
const REDIS: &str = "
local names = {} for k, v in pairs(redis) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}
return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}
return type(redis.REDIS_VERSION) .. type(redis.REDIS_VERSION_NUM)
return redis.REDIS_VERSION_NUM > 0x00070000
return redis.sha1hex('')
return redis.sha1hex('abc')
return redis.sha1hex('\\0\\255')
return redis.sha1hex(string.rep('x', 1000))
return redis.sha1hex(12)
return redis.sha1hex(1.5)
return redis.sha1hex(nil)
return redis.sha1hex({})
return redis.sha1hex(true)
return redis.log(redis.LOG_DEBUG, 'x')
return redis.log(redis.LOG_DEBUG, 'x', 'y', 1)
return redis.log(redis.LOG_DEBUG, nil)
return redis.log(redis.LOG_DEBUG, {})
return redis.log(0, '')
return redis.log(4, 'x')
return redis.log('0', 'x')
return redis.set_repl(redis.REPL_AOF)
return redis.set_repl(-1)
return redis.set_repl(4)
return redis.set_repl(1.5)
return redis.set_repl('3')
return tostring(redis.replicate_commands())
return redis.replicate_commands(1)
return tostring(redis.breakpoint())
return tostring(redis.breakpoint(1))
return redis.debug()
return redis.debug('x', {1}, nil)
return tostring(redis.acl_check_cmd('GET', 'x'))
return tostring(redis.acl_check_cmd('SET', 'x', 'y'))
return redis.acl_check_cmd('NOSUCH', 'x')
return redis.acl_check_cmd('GET')
return redis.acl_check_cmd(nil)
return redis.acl_check_cmd(12)
return redis.status_reply('x').ok
return redis.error_reply('x').err
return redis.error_reply('-x').err
return redis.error_reply('CODE x').err
return redis.error_reply('').err
return redis.error_reply('-').err
return redis.error_reply(' x').err
return redis.error_reply('lower case').err
return redis.error_reply('x\\ny').err
return redis.status_reply('').ok
return redis.status_reply('x\\ny').ok
return type(os.clock())
return os.clock() >= 0
return os.clock('x') >= 0
local names = {} for k, v in pairs(os) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
";

#[test]
fn the_functions_of_redis_are_alike() {
    evaluate("", rows(REDIS));
}
