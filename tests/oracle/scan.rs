//! SCAN and its kin, compared with a real redis-server, and how few calls it takes to scan little.

use crate::common::oracle::Oracle;
use crate::common::{Folder, Server};
use my_redis_server::resp::decoder::Value;

const SCAN: &str = r#"
SCAN
SCAN 0
SCAN x
SCAN -1
SCAN ""
SCAN 1.5
SCAN 18446744073709551615
SCAN 18446744073709551616
SCAN "0 "
SCAN " 0"
SCAN 00
MSET one 1 two 2 three 3
RPUSH l a
HSET h f v
SCAN 0 COUNT 100
SCAN 0 count 100
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 COUNT x
SCAN 0 COUNT
SCAN 0 COUNT 9223372036854775807
SCAN 0 COUNT 9223372036854775808
SCAN 0 MATCH t* COUNT 100
SCAN 0 MATCH t*
SCAN 0 MATCH
SCAN 0 MATCH t* MATCH o* COUNT 100
SCAN 0 MATCH nothing* COUNT 100
SCAN 0 TYPE string COUNT 100
SCAN 0 TYPE STRING COUNT 100
SCAN 0 TYPE list COUNT 100
SCAN 0 TYPE hash COUNT 100
SCAN 0 TYPE zset COUNT 100
SCAN 0 TYPE nonsense COUNT 100
SCAN 0 TYPE
SCAN 0 TYPE string TYPE hash COUNT 100
SCAN 0 MATCH * TYPE hash COUNT 100
SCAN 0 FOO
SCAN 0 FOO bar
SCAN 0 COUNT 10 FOO
SCAN x FOO
SCAN 0 NOVALUES
SELECT 3
SCAN 0 COUNT 100
SET "\xff\x00" v
SCAN 0 MATCH "\xff*" COUNT 100
"#;

#[test]
fn edges_of_scan() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[SCAN]);
    oracle.finish();
}

/// What small tools and tests expect, and what Redis does: if there are fewer keys than COUNT, one call returns them
/// all.
#[test]
fn few_keys_are_returned_by_one_scan() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--databases", "2"]);
    let mut client = server.client();
    let mut scan = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let Value::Array(reply) = client.call(&words) else {
            panic!("{line} gives an array")
        };
        let [Value::Bulk(cursor), Value::Array(found)] = &reply[..] else {
            panic!("{line} gives a cursor and an array")
        };
        (String::from_utf8_lossy(cursor).into_owned(), found.len())
    };
    assert_eq!(scan("SCAN 0"), ("0".into(), 0));
    let mut other = server.client();
    assert_eq!(other.call(&["SET", "", "v"]), Value::Simple("OK".into()));
    assert_eq!(other.ask("SCAN 0"), "1) \"0\"\n2) 1) \"\"");
    for number in 1..5 {
        other.ask(&format!("SET key:{number} v"));
    }
    // As many as COUNT are enough, too: behind the last one there is nothing to come back for.
    for (line, found) in [
        ("SCAN 0", 5),
        ("SCAN 0 COUNT 5", 5),
        ("SCAN 0 MATCH key:*", 4),
        ("SCAN 0 TYPE string", 5),
        // Redis 7.2 knows no wrong types, only such as no key has.
        ("SCAN 0 TYPE nosuch", 0),
    ] {
        assert_eq!(scan(line), ("0".into(), found), "{line}");
    }
    for number in 5..1000 {
        other.ask(&format!("SET key:{number} v"));
    }
    assert_eq!(scan("SCAN 0 COUNT 2000"), ("0".into(), 1000));
    assert_eq!(scan("SCAN 0 COUNT 1000"), ("0".into(), 1000));
    // Of what has been large, nothing is left to walk through.
    for number in 4..1000 {
        other.ask(&format!("DEL key:{number}"));
    }
    assert_eq!(scan("SCAN 0"), ("0".into(), 4));
    // In a transaction all databases are locked.
    other.ask("SELECT 1");
    other.ask("SET elsewhere v");
    other.ask("MULTI");
    other.ask("SCAN 0");
    assert_eq!(other.ask("EXEC"), "1) 1) \"0\"\n   2) 1) \"elsewhere\"");
}

/// HSCAN, SSCAN and ZSCAN of what has been large and is not compact any more.
#[test]
fn few_elements_are_returned_by_one_scan() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for (scan, add, remove) in [
        ("HSCAN", &["HSET", "HSCAN", "element", "1"][..], "HDEL"),
        ("SSCAN", &["SADD", "SSCAN", "element"], "SREM"),
        ("ZSCAN", &["ZADD", "ZSCAN", "1", "element"], "ZREM"),
    ] {
        let mut elements: Vec<String> = (0..1000).map(|number| format!("e{number}")).collect();
        for element in &elements {
            let words = add.iter().map(|word| match *word {
                "element" => element.as_str(),
                word => word,
            });
            client.call(&words.collect::<Vec<_>>());
        }
        let mut found = |count: &str| {
            let reply = client.call(&[scan, scan, "0", "COUNT", count]);
            let Value::Array(reply) = reply else {
                panic!("{scan} gives an array")
            };
            assert_eq!(reply[0], Value::Bulk("0".into()), "{scan} COUNT {count}");
            let Value::Array(found) = &reply[1] else {
                panic!("{scan} gives elements")
            };
            found.len() / if scan == "SSCAN" { 1 } else { 2 }
        };
        assert_eq!(found("2000"), 1000, "{scan}");
        assert_eq!(found("1000"), 1000, "{scan}");
        let removed = elements.split_off(3);
        let words = [remove, scan].into_iter();
        let words = words.chain(removed.iter().map(String::as_str));
        server.client().call(&words.collect::<Vec<_>>());
        assert_eq!(found("10"), 3, "{scan}");
    }
}
