//! `cjson` and `cmsgpack`: what they read, from the simplest to the wrong, their settings and their limits.

use super::{SHOW, combined, evaluate, rows};

/// Texts that are JSON, or nearly.
const JSON: &str = r#"
null
true
false
0
-0
1
-1
1.5
-1.5e10
1E+2
1e400
-1e400
123456789012345678901234567890
9007199254740993
0.1
01
+1
.5
1.
1e
-
0x10
Infinity
-Infinity
inf
NaN
nan
""
"text"
"\u0041\u00e4\u20ac"
"\ud83d\ude00"
"\ud83d"
"\ude00"
"\u00"
"\u0000"
"\x"
"\/\b\f\n\r\t\\\""
"unfinished
'x'
[]
[ ]
[1]
[1,2,3]
[1,]
[,1]
[1 2]
[1,[2,[3,[]]]]
[null]
[1,null,3]
[null,null]
{}
{ }
{"a":1}
{"a":1,"a":2}
{"a":{"b":[1,{"c":null}]}}
{"1":1,"2":2}
{"a"}
{"a":}
{"a":1,}
{a:1}
{1:1}
{"":0}
[1}
{"a":1]
[
{
]
}
tru
True
nul
truefalse
1 2
[] []
 1
1
//
/* x */ 1
"#;

/// The text in the place of `@` is a literal of Lua, between brackets that JSON does not use.
const JSON_CONTEXTS: &str = "
return cjson.decode([==[@]==])
return {pcall(cjson.decode, [==[@]==])}
return cjson.encode(cjson.decode([==[@]==]))
return type(cjson.decode([==[@]==]))
return cjson.encode(cjson.decode([==[[@, {\"k\": @}]]==]))
return cjson.new().encode(cjson.new().decode([==[@]==]))
";

/// The settings of cjson, its limits, and wrong uses of it.
const CJSON: &str = r#"
local names = {} for k, v in pairs(cjson) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) return names
return tostring(cjson._NAME) .. tostring(cjson._VERSION)
return tostring(cjson.null)
return cjson.null == cjson.decode('null')
return type(cjson.null)
return cjson.encode()
return cjson.encode(1, 2)
return cjson.decode()
return cjson.decode('1', '2')
return cjson.decode(1)
return cjson.decode(nil)
return cjson.decode({})
return cjson.decode('')
return cjson.decode('\0')
return cjson.decode('"\0"')
return cjson.decode('"' .. '\1' .. '"')
return cjson.decode('"\255"')
return cjson.decode('[1,\0 2]')
return cjson.encode(1/0)
return cjson.encode(-1/0)
return cjson.encode(0/0)
cjson.encode_invalid_numbers(true) return cjson.encode({1/0, -1/0})
cjson.encode_invalid_numbers('null') return cjson.encode({1/0, -1/0, 0/0})
cjson.encode_invalid_numbers(false) return cjson.encode({1/0})
cjson.decode_invalid_numbers(true) return tostring(cjson.decode('Infinity'))
cjson.decode_invalid_numbers(false) return tostring(cjson.decode('Infinity'))
cjson.decode_invalid_numbers(true) return tostring(cjson.decode('0x10'))
return cjson.encode_invalid_numbers('x')
return {tostring(cjson.encode_invalid_numbers())}
return cjson.encode({[1] = 1, [3] = 3})
return cjson.encode({[1] = 1, [10] = 3})
return cjson.encode({[1] = 1, [11] = 3})
return cjson.encode({[11] = 3})
return cjson.encode({[100] = 1})
return cjson.encode({[1] = 1, [21] = 2})
return cjson.encode({[5] = 1, [10] = 2})
return {cjson.encode_sparse_array()}
return {tostring(cjson.encode_sparse_array()), select(2, cjson.encode_sparse_array()), select(3, \
    cjson.encode_sparse_array())}
cjson.encode_sparse_array(true) return cjson.encode({[1000] = 1})
cjson.encode_sparse_array(true, 2, 3) return cjson.encode({[4] = 1})
cjson.encode_sparse_array(false, 0) return cjson.encode({[4] = 1})
cjson.encode_sparse_array(false, 2, 10) return cjson.encode({1})
return cjson.encode_sparse_array('x')
return cjson.encode_sparse_array(true, -1)
return cjson.encode_sparse_array(true, 1, 'x')
return cjson.encode_max_depth()
return cjson.encode_max_depth(0)
return cjson.encode_max_depth('x')
cjson.encode_max_depth(2) return cjson.encode({{1}})
return cjson.encode({{{1}}})
cjson.encode_max_depth(1000) return cjson.encode({{{1}}})
return cjson.decode_max_depth()
cjson.decode_max_depth(2) return cjson.encode(cjson.decode('[[[1]]]'))
cjson.decode_max_depth(1000) return cjson.encode(cjson.decode('[[[1]]]'))
local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)
local t = {} for i = 1, 1000 do t = {t} end return #cjson.encode(t)
local t = {} for i = 1, 1001 do t = {t} end return #cjson.encode(t)
local t = {} t[1] = t return cjson.encode(t)
return #cjson.decode(string.rep('[', 999) .. string.rep(']', 999))
return #cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000))
return #cjson.decode(string.rep('[', 1001) .. string.rep(']', 1001))
return #cjson.decode(string.rep('{"a":', 1001) .. '1' .. string.rep('}', 1001))
return cjson.encode_number_precision()
cjson.encode_number_precision(3) return cjson.encode({1/3, 12345, 0.1})
cjson.encode_number_precision(14) return cjson.encode({1/3, 12345, 0.1})
cjson.encode_number_precision(16) return cjson.encode(0.1)
cjson.encode_number_precision(17) return cjson.encode(0.1)
return cjson.encode_number_precision(0)
cjson.encode_number_precision(14) return cjson.encode(0.1)
return tostring(cjson.encode_keep_buffer())
cjson.encode_keep_buffer(false) return cjson.encode({1})
cjson.encode_keep_buffer(true) return cjson.encode({1})
return cjson.decode_array_with_array_mt
return cjson.encode(cjson.decode('{"a":[],"b":{}}').a)
return cjson.encode(cjson.empty_array)
local own = cjson.new() own.encode_max_depth(1) return {pcall(own.encode, {{1}}), cjson.encode({{1}})}
return cjson.encode({a = 1, b = 2, c = 3, d = 4})
return cjson.encode({z = 1, y = {2}, x = {w = 3}})
local t = {} for i = 1, 100 do t[i] = i end return cjson.encode(t)
local t = {} for i = 1, 100 do t['k' .. i] = true end return #cjson.encode(t)
return cjson.encode({n = -0.0, big = 2^63, small = 5e-324})
"#;

#[test]
fn json_is_read_and_written_alike() {
    evaluate("", combined(JSON_CONTEXTS, JSON));
    evaluate("", rows(CJSON));
}

/// Bytes as MessagePack, from the simplest to the wrong.
const MESSAGE_PACK: &str = r"
''
'\0'
'\127'
'\128'
'\129'
'\129\1'
'\129\1\2'
'\129\161a\1'
'\130\161a\1\161b\2'
'\129\192\1'
'\129\203\127\248\0\0\0\0\0\0\1'
'\143'
'\144'
'\145'
'\145\1'
'\146\1\2'
'\146\1'
'\147\192\192\192'
'\159'
'\160'
'\161'
'\161a'
'\191'
'\192'
'\193'
'\194'
'\195'
'\196\1a'
'\196\0'
'\196'
'\196\5a'
'\197\0\1a'
'\198\0\0\0\1a'
'\199\1\1a'
'\202\63\128\0\0'
'\202\127\128\0\0'
'\202'
'\203\63\240\0\0\0\0\0\0'
'\203\127\240\0\0\0\0\0\0'
'\203\63'
'\204\255'
'\204'
'\205\255\255'
'\205\255'
'\206\255\255\255\255'
'\206'
'\207\0\31\255\255\255\255\255\255'
'\207\255\255\255\255\255\255\255\255'
'\208\128'
'\209\128\0'
'\210\128\0\0\0'
'\211\128\0\0\0\0\0\0\0'
'\211\255\255\255\255\255\255\255\255'
'\212\1\1'
'\217\1a'
'\217'
'\218\0\1a'
'\219\0\0\0\1a'
'\219\255\255\255\255'
'\220\0\1\1'
'\220\255\255'
'\221\0\0\0\1\1'
'\221\255\255\255\255'
'\222\0\1\1\2'
'\223\0\0\0\1\1\2'
'\223\255\255\255\255'
'\224'
'\255'
'\1\2\3'
'\1\193'
'\145\145\145\145\1'
string.rep('\145', 15) .. '\1'
string.rep('\145', 16) .. '\1'
string.rep('\145', 17) .. '\1'
string.rep('\145', 18) .. '\1'
nil
5
{}
";

/// Uses of cmsgpack beside packing and unpacking one value.
const CMSGPACK: &str = r"
local names = {} for k, v in pairs(cmsgpack) do names[#names + 1] = k .. ' ' .. type(v) end table.sort(names) \
    return names
return {cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION}
return cmsgpack.pack()
return cmsgpack.unpack()
return {cmsgpack.unpack('\1\2\3')}
return {cmsgpack.unpack_one('\1\2\3')}
return {cmsgpack.unpack_one('\1\2\3', 1)}
return {cmsgpack.unpack_one('\1\2\3', 2)}
return {cmsgpack.unpack_one('\1\2\3', 3)}
return {cmsgpack.unpack_one('\1\2\3', -1)}
return {cmsgpack.unpack_limit('\1\2\3', 2)}
return {cmsgpack.unpack_limit('\1\2\3', 2, 1)}
return {cmsgpack.unpack_limit('\1\2\3', 9)}
return {cmsgpack.unpack_limit('\1\2\3', 0)}
return {cmsgpack.unpack_limit('\1\2\3', -1)}
return {cmsgpack.unpack_limit('\1\2\3')}
return {cmsgpack.unpack_one()}
return {cmsgpack.unpack_one('')}
local t = {} t[1] = t return cmsgpack.pack(t)
local t = {} t.a = t return cmsgpack.pack(t)
local t = {} for i = 1, 15 do t = {t} end return cmsgpack.pack(t)
local t = {} for i = 1, 16 do t = {t} end return cmsgpack.pack(t)
local t = {} for i = 1, 17 do t = {t} end return cmsgpack.pack(t)
local t = {} for i = 1, 20 do t = {a = t} end return cmsgpack.pack(t)
local t = {} for i = 1, 15 do t[i] = i end return cmsgpack.pack(t)
local t = {} for i = 1, 16 do t[i] = i end return cmsgpack.pack(t)
local t = {} for i = 1, 70000 do t[i] = 1 end return #cmsgpack.pack(t)
local t = {} for i = 1, 15 do t['k' .. i] = i end return #cmsgpack.pack(t)
local t = {} for i = 1, 16 do t['k' .. i] = i end return #cmsgpack.pack(t)
local t = {} for i = 1, 70000 do t['k' .. i] = 1 end return #cmsgpack.pack(t)
return cmsgpack.pack({[1] = 1, [2] = 2, [4] = 4})
return cmsgpack.pack({1, 2, nil, 4})
return cmsgpack.pack({a = 1, b = 2})
return cmsgpack.pack(1.0, 1.5, -1.5, 1e300, 16777216.5)
return cmsgpack.pack(1/0, -1/0)
return cmsgpack.pack(2^63, -2^63, 2^64)
return cmsgpack.pack(redis.call, KEYS)
return {cmsgpack.unpack(cmsgpack.pack(unpack({1, 2, 3, 4, 5})))}
return cmsgpack.safe
return type(cmsgpack_safe)
";

#[test]
fn message_pack_is_read_and_written_alike() {
    let contexts = format!(
        "return {{pcall(cmsgpack.unpack, @)}}\nreturn cmsgpack.unpack(@)\n\
         {SHOW} local r = {{pcall(cmsgpack.unpack, @)}} return show(r)\nreturn {{pcall(cmsgpack.unpack_one, @)}}\n"
    );
    evaluate("", combined(&contexts, MESSAGE_PACK));
    evaluate("", rows(CMSGPACK));
}
