//! Sorted sets, compared with a real redis-server: the edges of every command. (`sorted_sets_combined.rs` has
//! unions and their kin, `sorted_sets_random.rs` random commands.)
//!
//! Redis 7.0 prints scores with 17 digits, 7.2 with as few as tell them apart. The scores here are numbers of which
//! both make the same; how 7.2 prints others is in [`scores_are_printed_as_7_2_does`].

use crate::common::oracle::{Oracle, RawClient};
use crate::common::{Folder, Server};
use my_redis_server::resp::decoder::Value;

const ADD: &str = r#"
ZADD
ZADD z
ZADD z 1
ZADD z 1 a
ZADD z 1 a 2
ZADD z NX
ZADD z NX 1
ZADD z NX XX
ZADD z NX XX 1 a
ZADD z nx gt 1 a
ZADD z NX LT 1 a
ZADD z GT LT 1 a
ZADD z GT LT NX XX 1 a
ZADD z INCR 1 a 2 b
ZADD z NX XX INCR 1 a 2
ZADD z INCR 1
ZADD z x a
ZADD z 1 a x b
ZADD z "" a
ZADD z " 1" a
ZADD z "1 " a
ZADD z nan a
ZADD z 1e400 a
ZADD z 1e-400 a
ZADD z 0x10 hex
ZADD z 1e2 exp +5 plus -5 minus .5 point
ZADD z inf i -inf j +inf k Infinity l -INFINITY m
ZRANGE z 0 -1 WITHSCORES
ZADD z 3 a
ZADD z CH 3 a 4 b 5 c
ZADD z CH 3 a 5 b
ZADD z NX 100 a 100 new
ZADD z XX 7 a 7 absent
ZADD z XX CH 8 a 7 absent
ZADD z GT CH 7 a 9 b 9 fresh
ZADD z LT CH 7 a 10 b 9 fresher
ZADD z XX GT 100 a 100 nobody
ZADD z XX LT CH INCR -1 a
ZADD z XX LT CH INCR 1 a
ZADD z GT INCR -1 a
ZADD z GT INCR 1 a
ZADD z GT INCR 0 a
ZADD z LT INCR 0 a
ZADD z NX INCR 1 a
ZADD z NX INCR 1 freshest
ZADD z XX INCR 1 nothing
ZADD z INCR inf i
ZADD z INCR -inf i
ZADD z NX INCR -inf i
ZADD z GT INCR -inf i
ZADD z INCR x i
ZADD nothing XX 1 a
ZADD nothing XX INCR 1 a
EXISTS nothing
ZADD z 1 1
ZADD z 2 "" 3 "\x00\r\n\xff"
ZRANGE z 0 -1 WITHSCORES
ZADD twice 1 a 2 a 3 a
ZADD twice CH 1 a 2 a 3 a
ZSCORE twice a
SET s v
ZADD s 1 a
ZADD s x a
ZADD s NX XX 1 a
ZADD s XX 1 a
ZINCRBY
ZINCRBY z
ZINCRBY z 1
ZINCRBY z 1 a b
ZINCRBY z x a
ZINCRBY z 1.5 a
ZINCRBY z -0.25 a
ZINCRBY z inf j
ZINCRBY z nan a
ZINCRBY zz 5 a
ZINCRBY zz 0 a
ZINCRBY s 1 a
ZADD zero 0 a
ZADD zero CH -0 a
ZADD zero -0 b
ZINCRBY zero -0 c
ZINCRBY zero 0 c
ZRANGE zero 0 -1 WITHSCORES
ZADD large 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
ZADD large -0 a 0 b
ZADD large CH 0 a
ZINCRBY large -0 c
ZRANGE large 0 -1 WITHSCORES
ZSCAN large 0 COUNT 100
OBJECT ENCODING large
TYPE large
EXPIRE z 100
ZADD z 1 a
TTL z
"#;

const LOOKUP: &str = r#"
ZADD z 1 a 2 b 2 c 3.5 d inf e
SET s v
ZSCORE
ZSCORE z
ZSCORE z a
ZSCORE z e
ZSCORE z nobody
ZSCORE z a b
ZSCORE nothing a
ZSCORE s a
ZMSCORE
ZMSCORE z
ZMSCORE z a nobody d a
ZMSCORE nothing a b
ZMSCORE s a
ZCARD
ZCARD z
ZCARD z z
ZCARD nothing
ZCARD s
ZRANK
ZRANK z
ZRANK z a
ZRANK z c
ZRANK z nobody
ZRANK nothing a
ZRANK s a
ZREVRANK
ZREVRANK z
ZREVRANK z a
ZREVRANK z e
ZREVRANK z nobody
ZREVRANK nothing a
ZREVRANK s a
ZCOUNT
ZCOUNT z
ZCOUNT z 1
ZCOUNT z 1 2
ZCOUNT z (1 (3.5
ZCOUNT z -inf +inf
ZCOUNT z -inf (inf
ZCOUNT z 3 1
ZCOUNT z x 1
ZCOUNT z 1 x
ZCOUNT z nan 1
ZCOUNT z "" 5
ZCOUNT z "(" 5
ZCOUNT z " 1" "\t\n\x0b\x0c\r2"
ZCOUNT z "1 " 2
ZCOUNT z " " 2
ZCOUNT z 0x1 0x2
ZCOUNT z 0x 2
ZCOUNT z 1e400 inf
ZCOUNT z -1e400 1e-400
ZCOUNT z ((1 2
ZCOUNT z "(\x00x" "2\x00x"
ZCOUNT z 1 "(2" 3
ZCOUNT nothing 1 2
ZCOUNT nothing x 2
ZCOUNT s 1 2
ZCOUNT s x 2
ZADD names 0 "" 0 a 0 b 0 ba 0 c 0 "\xff"
ZLEXCOUNT
ZLEXCOUNT names - +
ZLEXCOUNT names + -
ZLEXCOUNT names [a [b
ZLEXCOUNT names (a (b
ZLEXCOUNT names (a [ba
ZLEXCOUNT names [ [
ZLEXCOUNT names ( +
ZLEXCOUNT names - (
ZLEXCOUNT names a b
ZLEXCOUNT names [a b
ZLEXCOUNT names -x +
ZLEXCOUNT names "-\x00x" "+\x00x"
ZLEXCOUNT names "" +
ZLEXCOUNT names [b [a
ZLEXCOUNT nothing - +
ZLEXCOUNT nothing x +
ZLEXCOUNT s - +
ZLEXCOUNT s x +
"#;

const RANGE: &str = r#"
ZADD z 1 a 2 b 2 c 3.5 d inf e
SET s v
ZRANGE
ZRANGE z
ZRANGE z 0
ZRANGE z 0 -1
ZRANGE z 0 -1 WITHSCORES
ZRANGE z 0 -1 withscores WITHSCORES
ZRANGE z 1 2
ZRANGE z -2 100
ZRANGE z -100 1
ZRANGE z 3 1
ZRANGE z 5 9
ZRANGE z x 1
ZRANGE z 1 x
ZRANGE z 1.5 2
ZRANGE z 0 9223372036854775807
ZRANGE z -9223372036854775808 9223372036854775807
ZRANGE z 0 1 REV
ZRANGE z 0 1 REV REV
ZRANGE z -2 -1 REV WITHSCORES
ZRANGE z 0 1 BYSCORE
ZRANGE z (1 3.5 BYSCORE WITHSCORES
ZRANGE z 3.5 (1 BYSCORE REV WITHSCORES
ZRANGE z 1 3.5 BYSCORE REV
ZRANGE z -inf inf BYSCORE LIMIT 1 2
ZRANGE z inf -inf BYSCORE REV LIMIT 1 2
ZRANGE z -inf inf BYSCORE LIMIT 0 0
ZRANGE z -inf inf BYSCORE LIMIT 0 -1
ZRANGE z -inf inf BYSCORE LIMIT 2 -5
ZRANGE z -inf inf BYSCORE LIMIT -1 2
ZRANGE z inf -inf BYSCORE REV LIMIT -1 2
ZRANGE z -inf inf BYSCORE LIMIT 100 2
ZRANGE z -inf inf BYSCORE LIMIT 4 100
ZRANGE z -inf inf BYSCORE LIMIT 4
ZRANGE z -inf inf BYSCORE LIMIT x 1
ZRANGE z -inf inf BYSCORE LIMIT 1 x
ZRANGE z -inf inf BYSCORE LIMIT 9223372036854775807 9223372036854775807
ZRANGE z -inf inf BYSCORE LIMIT 0 1 LIMIT 1 1
ZRANGE z -inf inf BYSCORE BYLEX
ZRANGE z -inf inf BYSCORE BYSCORE
ZRANGE z 0 -1 LIMIT 0 5
ZRANGE z 0 -1 LIMIT 1 -1
ZRANGE z 0 -1 LIMIT 1 -2
ZRANGE z 0 -1 FOO
ZRANGE z 0 -1 WITHSCORES FOO
ZRANGE z x y BYSCORE
ZRANGE z x y BYSCORE FOO
ZRANGE z - + BYLEX WITHSCORES
ZRANGE z x y BYLEX WITHSCORES
ZRANGE z x + BYLEX
ZRANGE nothing 0 -1
ZRANGE nothing x -1
ZRANGE nothing x y BYSCORE
ZRANGE s 0 -1
ZRANGE s x -1
ZRANGE s 0 -1 FOO
ZREVRANGE z 0 -1
ZREVRANGE z 0 1 WITHSCORES
ZREVRANGE z 1 -2
ZREVRANGE z 0 1 REV
ZREVRANGE z 0 1 BYSCORE
ZREVRANGE z 0 1 LIMIT 0 1
ZREVRANGE z 0 1 LIMIT 0 -1
ZREVRANGE z x 1
ZREVRANGE nothing 0 1
ZREVRANGE s 0 1
ZRANGEBYSCORE z
ZRANGEBYSCORE z 1 2
ZRANGEBYSCORE z 1 2 WITHSCORES
ZRANGEBYSCORE z (1 (inf WITHSCORES LIMIT 1 1
ZRANGEBYSCORE z 1 2 LIMIT 0 1 WITHSCORES
ZRANGEBYSCORE z 1 2 REV
ZRANGEBYSCORE z 1 2 BYLEX
ZRANGEBYSCORE z x 2
ZRANGEBYSCORE z 1 2 LIMIT 1
ZRANGEBYSCORE nothing 1 2
ZRANGEBYSCORE s 1 2
ZREVRANGEBYSCORE z 2 1
ZREVRANGEBYSCORE z 1 2
ZREVRANGEBYSCORE z +inf (1 WITHSCORES
ZREVRANGEBYSCORE z +inf -inf LIMIT 1 2
ZREVRANGEBYSCORE z +inf -inf LIMIT -1 2
ZREVRANGEBYSCORE z x 1
ZREVRANGEBYSCORE nothing 1 2
ZREVRANGEBYSCORE s 1 2
ZADD names 0 "" 0 a 0 b 0 ba 0 c 0 "\xff"
ZRANGEBYLEX names - +
ZRANGEBYLEX names [a (c
ZRANGEBYLEX names (a [c
ZRANGEBYLEX names - + LIMIT 1 2
ZRANGEBYLEX names - + LIMIT -1 2
ZRANGEBYLEX names - + WITHSCORES
ZRANGEBYLEX names + -
ZRANGEBYLEX names [c [a
ZRANGEBYLEX names c a
ZRANGEBYLEX nothing - +
ZRANGEBYLEX s - +
ZREVRANGEBYLEX names + -
ZREVRANGEBYLEX names [c (a
ZREVRANGEBYLEX names (c [a
ZREVRANGEBYLEX names + - LIMIT 1 2
ZREVRANGEBYLEX names - +
ZREVRANGEBYLEX names x -
ZRANGE names [a [c BYLEX
ZRANGE names [c [a BYLEX REV
ZRANGE names + - BYLEX REV LIMIT 1 2
ZRANGESTORE
ZRANGESTORE d
ZRANGESTORE d z
ZRANGESTORE d z 0
ZRANGESTORE d z 0 1
ZRANGE d 0 -1 WITHSCORES
ZRANGESTORE d z 0 1 WITHSCORES
ZRANGESTORE d z 0 1 REV
ZRANGE d 0 -1 WITHSCORES
ZRANGESTORE d z (1 +inf BYSCORE LIMIT 1 2
ZRANGE d 0 -1 WITHSCORES
ZRANGESTORE d z +inf (1 BYSCORE REV LIMIT 1 2
ZRANGE d 0 -1 WITHSCORES
ZRANGESTORE d names [a [c BYLEX
ZRANGE d 0 -1 WITHSCORES
EXPIRE d 100
ZRANGESTORE d names [a [c BYLEX
TTL d
ZRANGESTORE d z 7 9
EXISTS d
ZRANGESTORE s z 7 9
EXISTS s
ZRANGESTORE d nothing 0 -1
ZRANGESTORE z nothing 0 -1
EXISTS z
SET s v
ZRANGESTORE d s 0 -1
ZRANGESTORE s names 0 -1
TYPE s
ZRANGESTORE names names 0 0
ZRANGE names 0 -1
"#;

const REMOVE: &str = r#"
SET s v
ZADD z 1 a 2 b 2 c 3.5 d inf e
ZREM
ZREM z
ZREM z nobody
ZREM z a a nobody
ZREM nothing a
ZREM s a
ZREM z b c d e f
EXISTS z
ZADD z 1 a 2 b 2 c 3.5 d inf e
ZREMRANGEBYRANK
ZREMRANGEBYRANK z 0
ZREMRANGEBYRANK z 0 0 0
ZREMRANGEBYRANK z x 0
ZREMRANGEBYRANK z 9 10
ZREMRANGEBYRANK z 3 1
ZREMRANGEBYRANK z 1 1
ZREMRANGEBYRANK z -1 -1
ZREMRANGEBYRANK z 0 -1
EXISTS z
ZREMRANGEBYRANK nothing 0 -1
ZREMRANGEBYRANK nothing x -1
ZREMRANGEBYRANK s 0 -1
ZREMRANGEBYRANK s x -1
ZADD z 1 a 2 b 2 c 3.5 d inf e
ZREMRANGEBYSCORE z
ZREMRANGEBYSCORE z 5 9
ZREMRANGEBYSCORE z x 9
ZREMRANGEBYSCORE z (1 2
ZREMRANGEBYSCORE z 2 1
ZREMRANGEBYSCORE nothing 2 1
ZREMRANGEBYSCORE nothing x 1
ZREMRANGEBYSCORE s 2 1
ZREMRANGEBYSCORE z -inf inf
EXISTS z
ZADD names 0 a 0 b 0 c 0 d
ZREMRANGEBYLEX names
ZREMRANGEBYLEX names x +
ZREMRANGEBYLEX names [b (c
ZREMRANGEBYLEX names + -
ZREMRANGEBYLEX nothing + -
ZREMRANGEBYLEX nothing x -
ZREMRANGEBYLEX s + -
ZREMRANGEBYLEX names - +
EXISTS names
ZADD z 1 a 2 b 2 c 3.5 d inf e
ZPOPMIN
ZPOPMIN z 1 2
ZPOPMIN z x
ZPOPMIN z -1
ZPOPMIN z 0
ZPOPMIN z
ZPOPMIN z 1
ZPOPMAX z
ZPOPMAX z 0
ZPOPMAX z x
ZPOPMAX z 10
EXISTS z
ZPOPMIN nothing
ZPOPMIN nothing 0
ZPOPMIN nothing 5
ZPOPMIN nothing -5
ZPOPMIN s
ZPOPMIN s 0
ZPOPMIN s -5
ZPOPMAX nothing
ZPOPMAX s 1
ZADD z 1 a 2 b 2 c 3.5 d inf e
ZMPOP
ZMPOP 1
ZMPOP 1 z
ZMPOP 1 z FOO
ZMPOP x z MIN
ZMPOP 0 z MIN
ZMPOP -1 z MIN
ZMPOP 2 z MIN
ZMPOP 9223372036854775807 z MIN
ZMPOP 1 z MIN FOO
ZMPOP 1 z MIN COUNT
ZMPOP 1 z MIN COUNT x
ZMPOP 1 z MIN COUNT 0
ZMPOP 1 z MIN COUNT -1
ZMPOP 1 z MIN COUNT 1 COUNT 1
ZMPOP 1 z min
ZMPOP 2 nothing z MAX count 2
ZMPOP 2 nothing nothing2 MAX
ZMPOP 2 s z MAX
ZMPOP 2 z s MAX COUNT 100
ZMPOP 2 z s MAX COUNT 100
EXISTS z
"#;

const RANDOM_AND_SCAN: &str = r#"
ZADD one 1.5 a
SET s v
ZRANDMEMBER
ZRANDMEMBER one
ZRANDMEMBER one 0
ZRANDMEMBER one 1
ZRANDMEMBER one 5
ZRANDMEMBER one -3
ZRANDMEMBER one 0 WITHSCORES
ZRANDMEMBER one 5 withscores
ZRANDMEMBER one -3 WITHSCORES
ZRANDMEMBER one x
ZRANDMEMBER one x WITHSCORES
ZRANDMEMBER one 1 FOO
ZRANDMEMBER one 1 WITHSCORES FOO
ZRANDMEMBER one WITHSCORES
ZRANDMEMBER one 9223372036854775807
ZRANDMEMBER one -9223372036854775808
ZRANDMEMBER one -9223372036854775807 WITHSCORES
ZRANDMEMBER one 4611686018427387904 WITHSCORES
ZRANDMEMBER one -4611686018427387905 WITHSCORES
ZRANDMEMBER nothing
ZRANDMEMBER nothing 5
ZRANDMEMBER nothing 5 WITHSCORES
ZRANDMEMBER nothing x
ZRANDMEMBER nothing 5 FOO
ZRANDMEMBER s
ZRANDMEMBER s 5
ZRANDMEMBER s x
ZSCAN
ZSCAN one
ZSCAN one 0
ZSCAN one x
ZSCAN one 0 COUNT 100
ZSCAN one 0 COUNT 0
ZSCAN one 0 COUNT x
ZSCAN one 0 COUNT
ZSCAN one 0 MATCH a*
ZSCAN one 0 MATCH b*
ZSCAN one 0 TYPE string
ZSCAN one 0 FOO bar
ZSCAN nothing 0
ZSCAN nothing x
ZSCAN nothing 0 FOO bar
ZSCAN s 0
ZSCAN s x
ZADD two 1 a -2 b 3.25 c inf d 1e20 e 1000000000000000 f
ZSCAN two 0
ZSCAN two 0 MATCH [ab] COUNT 1
ZADD large 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
ZADD large 0.1 a -2 b 3.25 c inf d 1e20 e 1000000000000000 f 1e-7 g -0 h 12345678.9 i -inf j 3.3333333333333335 k
ZSCAN large 0 COUNT 100
ZSCAN large 0 COUNT 100 MATCH [a-c]
"#;

#[test]
fn edges_of_sorted_sets() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[ADD, LOOKUP, RANGE, REMOVE, RANDOM_AND_SCAN]);
    oracle.finish();
}

/// The same with large sets, however few members they have.
#[test]
fn edges_of_large_sorted_sets() {
    let mut oracle = Oracle::listening(&["--zset-max-listpack-entries", "0"]);
    oracle.scripts(&[ADD, LOOKUP, RANGE, REMOVE, RANDOM_AND_SCAN]);
    oracle.finish();
}

/// What valkey-server 8.0.1 answers, which prints numbers as Redis has done since 7.2.
#[test]
fn scores_are_printed_as_7_2_does() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let scores = [
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("1e20", "1e+20"),
        ("3.3333333333333335", "3.3333333333333335"),
        ("12345678.9", "12345678.9"),
        ("1e15", "1000000000000000"),
        ("-inf", "-inf"),
    ];
    for key in ["compact", "indexed"] {
        if key == "indexed" {
            client.call(&["ZADD", key, "0", &"x".repeat(65)]);
        }
        for (score, expected) in scores {
            client.call(&["ZADD", key, score, score]);
            let answer = client.call(&["ZSCORE", key, score]);
            assert_eq!(answer, Value::Bulk(expected.into()), "{key}");
        }
    }
    // ZSCAN alone differs, if the set is large.
    for (key, expected) in [("compact", "1e-7"), ("indexed", "9.9999999999999995e-08")] {
        let answer = client.call(&["ZSCAN", key, "0", "MATCH", "1e-7", "COUNT", "1000"]);
        let found = Value::Array(vec![
            Value::Bulk(b"1e-7".into()),
            Value::Bulk(expected.into()),
        ]);
        assert_eq!(answer, Value::Array(vec![Value::Bulk(b"0".into()), found]));
    }
}

/// What redis-server 7.2 and valkey-server 8.0.1 answer.
#[test]
fn ranks_with_scores_and_new_encodings_of_7_2() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--zset-max-listpack-entries", "3"]);
    let mut client = server.client();
    for (typed, expected) in [
        ("ZADD z 1 a 2.5 b", "(integer) 2"),
        ("ZRANK z b WITHSCORE", "1) (integer) 1\n2) \"2.5\""),
        ("ZREVRANK z b withscore", "1) (integer) 0\n2) \"2.5\""),
        ("ZRANK z c WITHSCORE", "(nil)"),
        ("ZRANK nothing c WITHSCORE", "(nil)"),
        ("ZRANK z a WITHSCORES", "(error) ERR syntax error"),
        (
            "ZRANK z a WITHSCORE 1",
            "(error) ERR wrong number of arguments for 'zrank' command",
        ),
        // As many pairs as do not fit, even if they are of one member.
        ("ZADD same 1 a 1 a 1 a 1 a", "(integer) 1"),
        ("OBJECT ENCODING same", "\"skiplist\""),
    ] {
        assert_eq!(client.ask(typed), expected, "{typed}");
    }
    // Nothing where an array could be.
    let mut raw = RawClient::connect(server.port);
    raw.send(b"ZRANK z c WITHSCORE\r\n");
    assert_eq!(raw.receive().expect("it answers").bytes, b"*-1\r\n");
}

/// What ZRANDMEMBER draws are members of the set, different ones unless the count is negative, and in time all of them.
#[test]
fn random_members() {
    crate::common::check_draws("ZRANDMEMBER", |element| vec!["ZADD", "k", "1", element]);
}

/// ZSCAN with a small COUNT finds every member, also when the set changes meanwhile.
#[test]
fn scanning_finds_every_member() {
    crate::common::check_scan_of_what_changes(
        "ZSCAN",
        |element| vec!["ZADD", "k", "1", element],
        "ZREM",
    );
}
