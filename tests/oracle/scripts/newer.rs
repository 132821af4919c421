//! What Redis 7.2 answers to scripts where 7.0, the oracle, answers something else: numbers have as few digits as tell
//! them, and commands that wait may be called. The replies are those of redis-server 7.2.4; each program starts on an
//! empty server.

use super::KEYS_AND_ARGUMENTS;
use crate::common::oracle::{RawClient, words};
use crate::common::{Folder, Server, request};
use my_redis_server::resp::decoder::Value;

/// A program, its reply in RESP2, and in RESP3.
type Row = (&'static str, &'static str, &'static str);

/// The reply in RESP3 is that in RESP2.
const SAME: &str = "";

/// A number as an argument of a call: as few digits as tell it.
#[rustfmt::skip] // a row a program
const NUMBERS: &[Row] = &[
    ("return redis.call('ECHO', 0.1)", "$3\r\n0.1\r\n", SAME),
    ("return redis.call('ECHO', 0.2)", "$3\r\n0.2\r\n", SAME),
    ("return redis.call('ECHO', 0.3)", "$3\r\n0.3\r\n", SAME),
    ("return redis.call('ECHO', 1/3)", "$18\r\n0.3333333333333333\r\n", SAME),
    ("return redis.call('ECHO', 2/3)", "$18\r\n0.6666666666666666\r\n", SAME),
    ("return redis.call('ECHO', 1.1)", "$3\r\n1.1\r\n", SAME),
    ("return redis.call('ECHO', 3.99)", "$4\r\n3.99\r\n", SAME),
    ("return redis.call('ECHO', 1e15)", "$5\r\n1e+15\r\n", SAME),
    ("return redis.call('ECHO', 1e16)", "$5\r\n1e+16\r\n", SAME),
    ("return redis.call('ECHO', 1e17)", "$5\r\n1e+17\r\n", SAME),
    ("return redis.call('ECHO', 1e18)", "$5\r\n1e+18\r\n", SAME),
    ("return redis.call('ECHO', 1e19)", "$5\r\n1e+19\r\n", SAME),
    ("return redis.call('ECHO', 1e20)", "$5\r\n1e+20\r\n", SAME),
    ("return redis.call('ECHO', 1e21)", "$5\r\n1e+21\r\n", SAME),
    ("return redis.call('ECHO', 1e22)", "$5\r\n1e+22\r\n", SAME),
    ("return redis.call('ECHO', 1e100)", "$6\r\n1e+100\r\n", SAME),
    ("return redis.call('ECHO', 1e300)", "$6\r\n1e+300\r\n", SAME),
    ("return redis.call('ECHO', -1e300)", "$7\r\n-1e+300\r\n", SAME),
    ("return redis.call('ECHO', 1e-4)", "$6\r\n0.0001\r\n", SAME),
    ("return redis.call('ECHO', 1e-5)", "$7\r\n0.00001\r\n", SAME),
    ("return redis.call('ECHO', 1e-6)", "$8\r\n0.000001\r\n", SAME),
    ("return redis.call('ECHO', 1e-7)", "$4\r\n1e-7\r\n", SAME),
    ("return redis.call('ECHO', 1e-10)", "$5\r\n1e-10\r\n", SAME),
    ("return redis.call('ECHO', 1e-300)", "$6\r\n1e-300\r\n", SAME),
    ("return redis.call('ECHO', 5e-324)", "$6\r\n5e-324\r\n", SAME),
    ("return redis.call('ECHO', 2^62)", "$19\r\n4611686018427388000\r\n", SAME),
    ("return redis.call('ECHO', 2^63)", "$19\r\n9223372036854776000\r\n", SAME),
    ("return redis.call('ECHO', -2^63)", "$20\r\n-9223372036854776000\r\n", SAME),
    ("return redis.call('ECHO', 2^64)", "$20\r\n18446744073709552000\r\n", SAME),
    ("return redis.call('ECHO', 123456789.123456789)", "$21\r\n1.2345678912345679e+8\r\n", SAME),
    ("return redis.call('ECHO', 1234567890123456789)", "$19\r\n1234567890123456800\r\n", SAME),
    ("return redis.call('ECHO', 0.1+0.2)", "$19\r\n0.30000000000000004\r\n", SAME),
    ("return redis.call('ECHO', -0.0)", "$2\r\n-0\r\n", SAME),
    ("return redis.call('ECHO', 100)", "$3\r\n100\r\n", SAME),
    ("return redis.call('ECHO', 1/0)", "$3\r\ninf\r\n", SAME),
    ("return redis.call('ECHO', -1/0)", "$4\r\n-inf\r\n", SAME),
    ("return redis.call('ECHO', 0/0)", "$4\r\n-nan\r\n", SAME),
];

/// A double in a reply.
#[rustfmt::skip] // a row a program
const DOUBLES: &[Row] = &[
    ("return {double = 0.1}", "$3\r\n0.1\r\n", ",0.1\r\n"),
    ("return {double = 0.2}", "$3\r\n0.2\r\n", ",0.2\r\n"),
    ("return {double = 0.3}", "$3\r\n0.3\r\n", ",0.3\r\n"),
    ("return {double = 1/3}", "$18\r\n0.3333333333333333\r\n", ",0.3333333333333333\r\n"),
    ("return {double = 2/3}", "$18\r\n0.6666666666666666\r\n", ",0.6666666666666666\r\n"),
    ("return {double = 1.1}", "$3\r\n1.1\r\n", ",1.1\r\n"),
    ("return {double = 3.99}", "$4\r\n3.99\r\n", ",3.99\r\n"),
    ("return {double = 1e15}", "$16\r\n1000000000000000\r\n", ",1000000000000000\r\n"),
    ("return {double = 1e16}", "$17\r\n10000000000000000\r\n", ",10000000000000000\r\n"),
    ("return {double = 1e17}", "$18\r\n100000000000000000\r\n", ",100000000000000000\r\n"),
    ("return {double = 1e18}", "$19\r\n1000000000000000000\r\n", ",1000000000000000000\r\n"),
    ("return {double = 1e19}", "$5\r\n1e+19\r\n", ",1e+19\r\n"),
    ("return {double = 1e20}", "$5\r\n1e+20\r\n", ",1e+20\r\n"),
    ("return {double = 1e21}", "$5\r\n1e+21\r\n", ",1e+21\r\n"),
    ("return {double = 1e22}", "$5\r\n1e+22\r\n", ",1e+22\r\n"),
    ("return {double = 1e100}", "$6\r\n1e+100\r\n", ",1e+100\r\n"),
    ("return {double = 1e300}", "$6\r\n1e+300\r\n", ",1e+300\r\n"),
    ("return {double = -1e300}", "$7\r\n-1e+300\r\n", ",-1e+300\r\n"),
    ("return {double = 1e-4}", "$6\r\n0.0001\r\n", ",0.0001\r\n"),
    ("return {double = 1e-5}", "$7\r\n0.00001\r\n", ",0.00001\r\n"),
    ("return {double = 1e-6}", "$8\r\n0.000001\r\n", ",0.000001\r\n"),
    ("return {double = 1e-7}", "$4\r\n1e-7\r\n", ",1e-7\r\n"),
    ("return {double = 1e-10}", "$5\r\n1e-10\r\n", ",1e-10\r\n"),
    ("return {double = 1e-300}", "$6\r\n1e-300\r\n", ",1e-300\r\n"),
    ("return {double = 5e-324}", "$6\r\n5e-324\r\n", ",5e-324\r\n"),
    ("return {double = 2^62}", "$19\r\n4611686018427387904\r\n", ",4611686018427387904\r\n"),
    ("return {double = 2^63}", "$19\r\n9223372036854776000\r\n", ",9223372036854776000\r\n"),
    ("return {double = -2^63}", "$20\r\n-9223372036854776000\r\n", ",-9223372036854776000\r\n"),
    ("return {double = 2^64}", "$20\r\n18446744073709552000\r\n", ",18446744073709552000\r\n"),
    ("return {double = 123456789.123456789}", "$21\r\n1.2345678912345679e+8\r\n", ",1.2345678912345679e+8\r\n"),
    ("return {double = 1234567890123456789}", "$19\r\n1234567890123456768\r\n", ",1234567890123456768\r\n"),
    ("return {double = 0.1+0.2}", "$19\r\n0.30000000000000004\r\n", ",0.30000000000000004\r\n"),
    ("return {double = -0.0}", "$2\r\n-0\r\n", ",-0\r\n"),
    ("return {double = 100}", "$3\r\n100\r\n", ",100\r\n"),
    ("return {double = 1/0}", "$3\r\ninf\r\n", ",inf\r\n"),
    ("return {double = -1/0}", "$4\r\n-inf\r\n", ",-inf\r\n"),
    ("return {double = 0/0}", "$3\r\nnan\r\n", ",nan\r\n"),
    ("return {double = 3.5}", "$3\r\n3.5\r\n", ",3.5\r\n"),
    ("return {double = 1e17}", "$18\r\n100000000000000000\r\n", ",100000000000000000\r\n"),
    ("return {double = 123456.789}", "$10\r\n123456.789\r\n", ",123456.789\r\n"),
];

/// Both together: what commands make of such numbers.
#[rustfmt::skip] // a row a program
const SCORES: &[Row] = &[
    ("redis.setresp(3) return redis.call('ZADD', 'z', 'INCR', 0.1, 'm')", "$3\r\n0.1\r\n", ",0.1\r\n"),
    ("redis.setresp(3) redis.call('ZADD', 'z', 0.1, 'm') return redis.call('ZSCORE', 'z', 'm')",
        "$3\r\n0.1\r\n", ",0.1\r\n"),
    ("redis.setresp(3) redis.call('ZADD', 'z', 123456789.123456789, 'm') return redis.call('ZRANGE', 'z', \
         0, -1, 'WITHSCORES')",
        "*1\r\n*2\r\n$1\r\nm\r\n$21\r\n1.2345678912345679e+8\r\n",
        "*1\r\n*2\r\n$1\r\nm\r\n,1.2345678912345679e+8\r\n"),
    ("redis.call('ZADD', 'z', 1e17, 'm') return redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')",
        "*2\r\n$1\r\nm\r\n$18\r\n100000000000000000\r\n", SAME),
    ("redis.call('GEOADD', 'g', 13.361389, 38.115556, 'm') redis.setresp(3) return redis.call('GEOPOS', 'g', 'm')",
        "*1\r\n*2\r\n$18\r\n13.361389338970184\r\n$16\r\n38.1155563954963\r\n",
        "*1\r\n*2\r\n,13.361389338970184\r\n,38.1155563954963\r\n"),
    ("return redis.call('SET', 'float', 1e-5)", "+OK\r\n", SAME),
    ("redis.call('SET', 'float', 1e15) return redis.call('GET', 'float')", "$5\r\n1e+15\r\n", SAME),
    ("return redis.call('INCRBYFLOAT', 'float', 0.1)", "$3\r\n0.1\r\n", SAME),
    ("return redis.call('HINCRBYFLOAT', 'hash', 'f', 1/3)", "$18\r\n0.3333333333333333\r\n", SAME),
];

/// Commands that wait do not wait, as in a transaction. And what 7.0 does not know.
#[rustfmt::skip] // a row a program
const WAITING: &[Row] = &[
    ("return redis.call('BLPOP', 'nothing', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BRPOP', 'nothing', 'nothing2', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BLMPOP', 0, 1, 'nothing', 'LEFT')", "$-1\r\n", "_\r\n"),
    ("return redis.call('BLMOVE', 'nothing', 'd', 'LEFT', 'LEFT', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BRPOPLPUSH', 'nothing', 'd', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BZPOPMIN', 'nothing', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BZPOPMAX', 'nothing', 0)", "$-1\r\n", "_\r\n"),
    ("return redis.call('BZMPOP', 0, 1, 'nothing', 'MIN')", "$-1\r\n", "_\r\n"),
    ("redis.call('RPUSH', 'q', 1, 2) return redis.call('BLPOP', 'q', 0)", "*2\r\n$1\r\nq\r\n$1\r\n1\r\n", SAME),
    ("redis.call('RPUSH', 'q', 1, 2) return redis.call('BRPOPLPUSH', 'q', 'd', 0)", "$1\r\n2\r\n", SAME),
    ("redis.call('RPUSH', 'q', 1, 2) return {redis.call('BLMPOP', 0, 1, 'q', 'LEFT', 'COUNT', 9), \
         redis.call('EXISTS', 'q')}",
        "*2\r\n*2\r\n$1\r\nq\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n:0\r\n", SAME),
    ("redis.call('ZADD', 'z', 1.5, 'm') return redis.call('BZPOPMIN', 'z', 0)",
        "*3\r\n$1\r\nz\r\n$1\r\nm\r\n$3\r\n1.5\r\n", SAME),
    ("redis.setresp(3) redis.call('ZADD', 'z', 1.5, 'm') return redis.call('BZPOPMIN', 'z', 0)",
        "*3\r\n$1\r\nz\r\n$1\r\nm\r\n$3\r\n1.5\r\n", "*3\r\n$1\r\nz\r\n$1\r\nm\r\n,1.5\r\n"),
    ("return redis.call('BLPOP', 'nothing', -1)",
        "-ERR timeout is negative script: ac48ad8c347d80b6a4351b9ee89b5dcbd93c9826, on @user_script:1.\r\n", SAME),
    ("return redis.call('BLPOP', 'nothing', 'x')",
        "-ERR timeout is not a float or out of range script: 8e5238f239c40604c0029d507e4ddd1f729d2ac2, on \
         @user_script:1.\r\n",
        SAME),
    ("return redis.pcall('BLPOP', 'nothing')",
        "-ERR Wrong number of args calling Redis command from script\r\n", SAME),
    ("return redis.call('WAIT', 0, 0)", ":0\r\n", SAME),
    ("return redis.call('WAIT', 1, 0)", ":0\r\n", SAME),
    ("redis.call('ZADD', 'z', 1, 'm') return redis.call('ZRANK', 'z', 'm', 'WITHSCORE')",
        "*2\r\n:0\r\n$1\r\n1\r\n", SAME),
    ("redis.setresp(3) redis.call('ZADD', 'z', 1, 'm') return redis.call('ZRANK', 'z', 'm', 'WITHSCORE')",
        "*2\r\n:0\r\n$1\r\n1\r\n", "*2\r\n:0\r\n,1\r\n"),
];

/// Takes some time, and tells whether TIME shows it.
const STANDS_STILL: &str = "local first = redis.call('TIME') for i = 1, 1e6 do end local second = redis.call('TIME') \
     return first[1] .. first[2] == second[1] .. second[2]";

fn check(rows: &[Row]) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for protocol in ["2", "3"] {
        let mut client = RawClient::connect(server.port);
        let mut ask = |arguments: &[&str]| {
            client.send(&request(&words(arguments)));
            let answer = client.receive().expect("it answers");
            String::from_utf8_lossy(&answer.bytes).into_owned()
        };
        ask(&["HELLO", protocol]);
        for (program, in_resp2, in_resp3) in rows {
            let is_same = protocol == "2" || *in_resp3 == SAME;
            let expected = if is_same { in_resp2 } else { in_resp3 };
            ask(&["FLUSHALL"]);
            let answer = ask(&[&["EVAL", program], &KEYS_AND_ARGUMENTS[..]].concat());
            assert_eq!(answer, *expected, "RESP{protocol}: {program}");
        }
    }
}

#[test]
fn numbers_have_as_few_digits_as_tell_them() {
    check(NUMBERS);
    check(DOUBLES);
    check(SCORES);
}

#[test]
fn commands_that_wait_may_be_called() {
    check(WAITING);
}

#[test]
fn time_stands_still_in_a_script_and_in_a_transaction() {
    check(&[(STANDS_STILL, ":1\r\n", SAME)]);
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.ask("MULTI");
    client.ask("TIME");
    client.call(&["EVAL", STANDS_STILL, "0"]);
    client.ask("TIME");
    let Value::Array(replies) = client.call(&["EXEC"]) else {
        panic!("the transaction is carried out")
    };
    assert_eq!(replies[1], Value::Integer(1));
    assert_eq!(replies[0], replies[2]);
    // And goes on behind it.
    assert_ne!(client.call(&["TIME"]), replies[0]);
}
