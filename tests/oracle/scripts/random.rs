//! Random programs: expressions, tables, loops, functions, the libraries, and calls of simple commands. Most of them
//! are
//! valid; both servers must answer every one with the same bytes.

use super::{KEYS_AND_ARGUMENTS, SHOW};
use crate::common::oracle::{Oracle, words};
use fastrand::Rng;

/// Programs in each version of the protocol.
const PROGRAMS: usize = 1500;
/// Differences after which a run ends.
const ENOUGH: usize = 5;
/// Programs that use the same data.
const PROGRAMS_BEFORE_CLEARING: usize = 100;
/// Variables that a program may have.
const VARIABLES: [&str; 5] = ["a", "b", "c", "d", "e"];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "10",
    "100",
    "255",
    "256",
    "0.5",
    "1.5",
    "-2.25",
    "1e3",
    "2^31",
    "2^53",
    "-2^31",
    "65536",
    "#ARGV",
    "#KEYS",
    "tonumber(ARGV[2])",
];

const STRINGS: &[&str] = &[
    "''",
    "'x'",
    "'abc'",
    "'12'",
    "'-5'",
    "'1.5'",
    "'hello world'",
    "'\\0\\255'",
    "'a,b,c'",
    "'k=v'",
    "'{}'",
    "'[1,2]'",
    "ARGV[1]",
    "ARGV[2]",
    "KEYS[1]",
    "KEYS[2]",
    "string.rep('ab', 20)",
];

const OTHERS: &[&str] = &[
    "nil",
    "true",
    "false",
    "{}",
    "cjson.null",
    "ARGV[3]",
    "KEYS[9]",
];

/// Expressions with a number as the value: `N` is one more number, `S` a string, `T` a table, `V` any value.
const NUMBER_FORMS: &[&str] = &[
    "(N + N)",
    "(N - N)",
    "(N * N)",
    "(N / 8)",
    "(N % 7)",
    "-(N)",
    "#S",
    "#T",
    "math.floor(N)",
    "math.ceil(N)",
    "math.abs(N)",
    "math.max(N, N)",
    "math.min(N, N, N)",
    "bit.band(N, N)",
    "bit.bor(N, N)",
    "bit.bxor(N, N)",
    "bit.lshift(N, 3)",
    "bit.rshift(N, 3)",
    "bit.arshift(N, 1)",
    "bit.rol(N, 5)",
    "bit.bnot(N)",
    "bit.tobit(N)",
    "(tonumber(S) or N)",
    "(string.byte(S) or 0)",
    "string.len(S)",
    "(string.find(S, 'b', 1, true) or 0)",
    "math.random(10)",
    "math.random(5, 50)",
    "math.fmod(N, 9)",
    "select('#', V, V)",
    "(B and N or N)",
    "redis.call('INCRBY', 'counter', 3)",
    "redis.call('EXISTS', KEYS[1])",
    "redis.call('LLEN', 'list')",
    "redis.call('HSET', 'hash', S, S)",
    "redis.call('RPUSH', 'list', S, tostring(N))",
    "redis.call('ZADD', 'zset', 5, S)",
    "redis.call('STRLEN', KEYS[1])",
    "redis.call('DEL', S)",
    "redis.call('HLEN', 'hash')",
    "struct.size('>i4i2')",
    "(struct.unpack('>I4', struct.pack('>I4', bit.band(N, 65535))))",
];

/// Expressions with a string as the value.
const STRING_FORMS: &[&str] = &[
    "(S .. S)",
    "(S .. N)",
    "tostring(N)",
    "tostring(B)",
    "type(V)",
    "string.upper(S)",
    "string.lower(S)",
    "string.reverse(S)",
    "string.sub(S, 2)",
    "string.sub(S, -3, -1)",
    "string.rep(S, 2)",
    "(string.gsub(S, 'a', 'A'))",
    "(string.gsub(S, '%d', '#'))",
    "(string.match(S, '%w+') or S)",
    "string.format('%s|%5d', S, math.floor(N))",
    "string.format('%q', S)",
    "string.format('%.3f', N)",
    "string.format('%g', N)",
    "string.format('%x', bit.band(N, 255))",
    "string.char(bit.band(N, 127))",
    "table.concat({S, N, S}, '-')",
    "bit.tohex(N)",
    "cjson.encode(T)",
    "cjson.encode({N, S})",
    "cmsgpack.pack(T)",
    "cmsgpack.pack(N, S)",
    "redis.sha1hex(S)",
    "struct.pack('>hB', 5, bit.band(N, 255))",
    "struct.pack('s', 'fixed')",
    "(redis.call('GET', 'text') or S)",
    "(redis.call('HGET', 'hash', S) or S)",
    "redis.call('ECHO', S)",
    "redis.call('TYPE', 'list').ok",
    "redis.call('SET', KEYS[1], S).ok",
    "(B and S or S)",
    "string.format('%d', N)",
    "redis.status_reply(S).ok",
    "show(V)",
    "show(T)",
];

/// Expressions with a table as the value.
const TABLE_FORMS: &[&str] = &[
    "{N, S, V}",
    "{S, {N, T}}",
    "{x = N}",
    "{[1] = S, [2] = N, [4] = S}",
    "{N, nil, S}",
    "{ok = S}",
    "{map = {k = V}}",
    "{double = 1.5}",
    "{set = {m = true}}",
    "{V}",
    "cjson.decode('[1,{\"a\":[true,null]},\"s\"]')",
    "cjson.decode(cjson.encode({N, S}))",
    "{cmsgpack.unpack(cmsgpack.pack(N, S, {S}))}",
    "{struct.unpack('>HB', '\\1\\2\\3')}",
    "redis.call('LRANGE', 'list', 0, 4)",
    "redis.call('ZRANGE', 'zset', 0, 3)",
    "redis.call('MGET', KEYS[1], S)",
    "redis.pcall('LPUSH', 'text', S)",
    "redis.pcall('NOSUCH', S)",
    "{pcall(redis.call, 'INCR', 'text')}",
    "{pcall(error, S)}",
    "{unpack({N, S, N}, 2)}",
    "(function(...) return {...} end)(N, S)",
    "redis.call('HMGET', 'hash', S, 'f')",
    "{string.byte(S, 1, 3)}",
    "{B, B}",
    "KEYS",
    "ARGV",
];

/// Conditions.
const CONDITION_FORMS: &[&str] = &[
    "(N < N)",
    "(N <= N)",
    "(S < S)",
    "(N == N)",
    "(S ~= S)",
    "(V == V)",
    "not B",
    "(B and B)",
    "(B or B)",
    "(type(V) == 'nil')",
    "(redis.call('EXISTS', S) == 1)",
    "(redis.call('SISMEMBER', 'set', S) == 0)",
    "true",
    "false",
];

/// Statements: `{v}` is a variable, `P` a block, `X` an expression of any kind. Numbers become strings before they are
/// stored: 7.0 and 7.2 write some of them with different digits (`newer.rs`).
const STATEMENT_FORMS: &[&str] = &[
    "local {v} = X",
    "{v} = X",
    "local {v} = T",
    "if B then P else P end",
    "if B then P end",
    "for i = 1, 3 do P end",
    "for i = 3, 1, -1 do {v} = i P end",
    "for i, x in ipairs(T) do {v} = x end",
    "do P end",
    "redis.call('SET', S, S)",
    "redis.call('SET', 'text', S)",
    "redis.call('LPUSH', 'list', tostring(N))",
    "redis.call('SADD', 'set', S)",
    "redis.call('HINCRBY', 'hash', 'n', 2)",
    "redis.call('EXPIRE', 'text', 1000)",
    "redis.call('ZINCRBY', 'zset', 2, S)",
    "redis.pcall('INCR', 'text')",
    "local function f(x) return x end {v} = f(X)",
    "{v} = (function() return X end)()",
    "local ok, err = pcall(function() P end)",
    "local t = T t[#t + 1] = S {v} = #t",
    "table.sort({N, N, N})",
    "local i = 0 while i < 3 do i = i + 1 P end",
    "local i = 0 repeat i = i + 1 until i > 2 {v} = i",
    "if B then return X end",
    "local ok, r = pcall(function() return X + 1 end) {v} = ok",
];

/// What is wrong now and then: a program that fails, or that does not compile. A text that is thrown has one line:
/// Redis
/// sends all of it, and the reply would end too early.
const WRONG_FORMS: &[&str] = &[
    "error('text')",
    "error({err = 'CODE text'})",
    "return nosuch",
    "{v} = nil + 1",
    "local x = nil x.y = 1",
    "redis.call('NOSUCH')",
    "return redis.error_reply(S)",
    "redis.call('INCR', 'list')",
    "y = 5",
    "end",
    "return (",
    "redis.call('LPUSH', 'text')",
    "error(N)",
    "local x = {} .. 'x'",
    "string.rep()",
    "return redis.call('GET', {})",
    "for i = 1 do end",
];

/// Makes programs; deeper expressions become simpler.
struct Programs<'a> {
    random: &'a mut Rng,
}

impl Programs<'_> {
    fn program(&mut self) -> String {
        let mut program = format!("{SHOW} local a, b, c, d, e ");
        if self.random.u8(..4) == 0 {
            program += "redis.setresp(3) ";
        }
        for _ in 0..self.random.usize(1..=5) {
            program += &self.statement(2);
            program.push(' ');
        }
        if self.random.u8(..8) == 0 {
            let wrong = self.one_of(WRONG_FORMS);
            program += &self.filled(wrong, 1);
            return program;
        }
        let (value, variable) = (self.any(3), self.variable());
        program
            + &match self.random.u8(..4) {
                0 => format!("return {value}"),
                1 => format!("return {{{value}, {variable}}}"),
                2 => format!("return show({{{value}, a, b, c, d, e}})"),
                _ => format!("return {{{variable}, show({variable})}}"),
            }
    }

    fn statement(&mut self, depth: usize) -> String {
        let form = self.one_of(STATEMENT_FORMS);
        self.filled(form, depth)
    }

    fn block(&mut self, depth: usize) -> String {
        match depth {
            0 => format!("{} = 1", self.variable()),
            _ => self.statement(depth - 1),
        }
    }

    /// An expression of any kind.
    fn any(&mut self, depth: usize) -> String {
        match self.random.u8(..8) {
            0..3 => self.expression(NUMBERS, NUMBER_FORMS, depth),
            3..6 => self.expression(STRINGS, STRING_FORMS, depth),
            6 => self.expression(&["{}", "{1}"], TABLE_FORMS, depth),
            _ => self.one_of(OTHERS).to_string(),
        }
    }

    fn expression(&mut self, simple: &[&str], forms: &[&str], depth: usize) -> String {
        if depth == 0 || self.random.u8(..3) == 0 {
            return format!("({})", self.one_of(simple));
        }
        let form = self.one_of(forms);
        self.filled(form, depth - 1)
    }

    /// A form whose capital letters that stand alone are replaced by expressions.
    fn filled(&mut self, form: &str, depth: usize) -> String {
        let bytes = form.as_bytes();
        let is_name = |place: Option<usize>| {
            let byte = place.and_then(|place| bytes.get(place));
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'\'')
        };
        let mut text = String::new();
        for (place, letter) in form.char_indices() {
            let is_alone = !is_name(place.checked_sub(1)) && !is_name(Some(place + 1));
            match letter {
                'N' if is_alone => text += &self.expression(NUMBERS, NUMBER_FORMS, depth),
                'S' if is_alone => text += &self.expression(STRINGS, STRING_FORMS, depth),
                'T' if is_alone => text += &self.expression(&["{}", "{1}"], TABLE_FORMS, depth),
                'B' if is_alone => {
                    text += &self.expression(&["true", "false"], CONDITION_FORMS, depth)
                }
                'V' | 'X' if is_alone => text += &self.any(depth),
                'P' if is_alone => text += &self.block(depth),
                _ => text.push(letter),
            }
        }
        let variable = self.variable();
        text.replace("{v}", variable)
    }

    fn variable(&mut self) -> &'static str {
        self.random.choice(VARIABLES).expect("there are some")
    }

    fn one_of<'s>(&mut self, choices: &[&'s str]) -> &'s str {
        self.random.choice(choices).expect("there are some")
    }
}

/// `ORACLE_SEED=7 ORACLE_COMMANDS=100000 cargo test random` tries more than the tests usually do.
#[test]
fn random_programs_are_answered_alike() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = number("ORACLE_SEED").unwrap_or(1);
    let count = number("ORACLE_COMMANDS").map_or(PROGRAMS, |count| count as usize);
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        let mut random = Rng::with_seed(seed + u64::from(protocol));
        let mut differences = 0;
        for index in 0..count {
            if index % PROGRAMS_BEFORE_CLEARING == 0 {
                oracle.compare_data(&format!("seed {seed}, before program {index}\n"));
                oracle.clear();
            }
            let program = Programs {
                random: &mut random,
            }
            .program();
            let request = [&["EVAL", &program], &KEYS_AND_ARGUMENTS[..]].concat();
            if let Some(difference) = oracle.ask(&words(&request)) {
                oracle.report(&format!(
                    "seed {seed}, program {index}\n{program}\n{difference}"
                ));
                differences += 1;
            }
            if differences == ENOUGH {
                break;
            }
        }
    }
    oracle.finish();
}
