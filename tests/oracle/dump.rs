//! DUMP and RESTORE: values go from our server to a real one and back.

use crate::common::oracle::{Oracle, words};
use crate::common::{Folder, Server};
use my_redis_server::rdb::checksum::crc64;
use my_redis_server::resp::decoder::{Decoder, Value};

/// The payload is that of the documentation, the string 10.
const EDGES: &str = r#"
DUMP
DUMP k x
DUMP nothing
RESTORE
RESTORE k 0
RESTORE k 0 ""
RESTORE k 0 short
RESTORE k 0 "long enough but not a payload"
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
GET k
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
RESTORE k x "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
RESTORE k x junk REPLACE
RESTORE k -1 junk REPLACE
RESTORE k 0 junk REPLACE
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\x0b" REPLACE
GET k
RESTORE k 100000 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" replace
PTTL k
RESTORE k 4102444800123 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE ABSTTL
PEXPIRETIME k
RESTORE k 1000 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE ABSTTL
EXISTS k
RESTORE k 1000 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" ABSTTL
EXISTS k
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" IDLETIME 1000
OBJECT IDLETIME k
RESTORE k 0 junk IDLETIME
RESTORE k 0 junk IDLETIME x
RESTORE k 0 junk IDLETIME -1
RESTORE k 0 junk FREQ
RESTORE k 0 junk FREQ 256
RESTORE k 0 junk FREQ -1
RESTORE k 0 junk FREQ 3 IDLETIME 1
RESTORE k 0 junk IDLETIME 1 FREQ 3
RESTORE k 0 junk BOGUS
RESTORE-ASKING k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE
GET k
"#;

#[test]
fn edges() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[EDGES]);
    oracle.finish();
}

/// Whole payloads, but not all of them values; the checksum is appended.
#[test]
fn what_follows_the_type() {
    let mut oracle = Oracle::start();
    for body in [
        &b"\x00\xc0\x0a\x09\x00"[..],
        // The newest version, and a newer one.
        b"\x00\xc0\x0a\x0a\x00",
        b"\x00\xc0\x0a\xff\x00",
        // A type that there is not, no list, no type at all.
        b"\x63\xc0\x0a\x09\x00",
        b"\x01\x00\x09\x00",
        b"\x09\x00",
        // Too much, a member twice.
        b"\x00\xc0\x0amore\x09\x00",
        b"\x02\x02\x01a\x01a\x09\x00",
    ] {
        let payload = [body, &crc64(0, body).to_le_bytes()].concat();
        let mut request = words(&["RESTORE", "k", "0"]);
        request.extend([payload, b"REPLACE".to_vec()]);
        let difference = oracle.ask(&request);
        difference.into_iter().for_each(|it| oracle.report(&it));
    }
    oracle.compare_data("");
    oracle.finish();
}

/// What Redis 7.2.4 refuses with `sanitize-dump-payload yes`, whatever the size of the value. By default it lets some
/// of it pass, and a hash then has a field twice.
#[test]
fn values_are_looked_into() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for body in [
        // A field twice: as strings, in a listpack, in a ziplist, in a zipmap.
        &b"\x04\x02\x01f\x011\x01f\x012"[..],
        b"\x04\x02\xc0\x01\x01a\x011\x01b",
        b"\x10\x11\x11\0\0\0\x04\0\x81a\x02\x01\x01\x81a\x02\x02\x01\xff",
        b"\x0d\x15\x15\0\0\0\x12\0\0\0\x04\0\0\x01a\x03\xf2\x02\x01a\x03\xf3\xff",
        b"\x09\x0c\x02\x01f\x01\x00a\x01f\x01\x00b\xff",
        // A member twice: in a listpack, an intset, a sorted set.
        b"\x14\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff",
        b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
        b"\x03\x02\x01a\x011\x01a\x012",
        // A way back that does not say that it begins there; a zipmap that counts 255 fields, and one without any.
        b"\x14\x0a\x0a\0\0\0\x01\0\x81a\x82\xff",
        b"\x09\x08\xff\x01f\x02\x00v1\xff",
        b"\x09\x02\x00\xff",
        // An element of its own that is empty, and collections without elements.
        b"\x12\x01\x01\x00",
        b"\x12\x00",
        b"\x04\x00",
        b"\x10\x07\x07\0\0\0\0\0\xff",
    ] {
        let body = [body, b"\x0b\0"].concat();
        let payload = [&body[..], &crc64(0, &body).to_le_bytes()].concat();
        let reply = client.call(&[b"RESTORE", b"k" as &[u8], b"0", &payload]);
        let refusal = Value::Error(b"ERR Bad data format".to_vec());
        assert_eq!(reply, refusal, "{body:?}");
    }
}

fn bulk(reply: &[u8]) -> Vec<u8> {
    match Decoder::default().decode(reply).expect("a reply").1 {
        Some(Value::Bulk(bytes)) => bytes,
        other => panic!("not a string: {other:?}"),
    }
}

/// Keys of every type, small and large.
fn fill(oracle: &mut Oracle) -> Vec<&'static str> {
    let text = "text that is long enough to be compressed ".repeat(40);
    for line in [
        "SET int 12345",
        "SET text hello",
        "SET binary \"\\x00\\xff\\r\\n\"",
        "RPUSH list a 1 -5000 c",
        "HSET hash f v 1 2",
        "SADD set a b 1",
        "SADD ints 1 2 300000",
        "ZADD zset 1.5 a -inf b 3 c",
    ] {
        oracle.type_line(line);
    }
    oracle.type_line(&format!("SET long \"{text}\""));
    for number in 0..700 {
        oracle.type_line(&format!("RPUSH longlist \"element {number} {text}\""));
        oracle.type_line(&format!("HSET longhash field:{number} value:{number}"));
        oracle.type_line(&format!("SADD longset member:{number}"));
        oracle.type_line(&format!("SADD longints {}", number * 7));
        oracle.type_line(&format!("ZADD longzset {number}.25 member:{number}"));
    }
    vec![
        "int", "text", "binary", "long", "list", "hash", "set", "ints", "zset", "longlist",
        "longhash", "longset", "longints", "longzset",
    ]
}

#[test]
fn values_go_both_ways() {
    let mut oracle = Oracle::start();
    for key in fill(&mut oracle) {
        for (index, origin) in ["ours", "real"].into_iter().enumerate() {
            let payload = bulk(&oracle.ask_one(index, &words(&["DUMP", key])));
            let name = format!("{key} from {origin}");
            let request = [words(&["RESTORE", &name, "0"]), vec![payload]].concat();
            for server in [0, 1] {
                assert_eq!(oracle.ask_one(server, &request), b"+OK\r\n", "{name}");
            }
        }
    }
    oracle.compare_data("");
    oracle.finish();
}

#[test]
fn a_damaged_payload_does_no_harm() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.call(&["SET", "string", &"compressed ".repeat(9)]);
    client.call(&["RPUSH", "list", "a", "b", "300"]);
    client.call(&["HSET", "hash", "f", "v", "g", "w"]);
    client.call(&["SADD", "set", "x", "y"]);
    client.call(&["ZADD", "zset", "1", "x", "2", "y"]);
    for key in ["string", "list", "hash", "set", "zset"] {
        let Value::Bulk(payload) = client.call(&["DUMP", key]) else {
            panic!("DUMP gives a string")
        };
        let body = &payload[..payload.len() - 8];
        let damaged = (0..8 * body.len())
            .map(|bit| {
                let mut damaged = body.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                damaged
            })
            .chain((2..body.len()).map(|len| body[..len].to_vec()));
        for mut damaged in damaged {
            damaged.extend(crc64(0, &damaged).to_le_bytes());
            let reply = client.call(&[b"RESTORE", b"copy" as &[u8], b"0", &damaged, b"REPLACE"]);
            assert!(matches!(reply, Value::Simple(_) | Value::Error(_)));
        }
    }
}

/// The encodings that Redis 7.2.4 tells of lists as older versions wrote them: after RESTORE, and after each of some
/// commands. A quicklist stays one until a command shrinks it, or could have; Redis 7.0 has no other encoding.
#[test]
fn lists_keep_their_nodes_until_they_shrink() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let commands: [&[&str]; 5] = [
        &["LREM", "k", "0", "nothing"],
        &["RPUSH", "k", "d"],
        &["LSET", "k", "0", "e"],
        &["RPOP", "k"],
        &["RPOP", "k"],
    ];
    let [quick, pack, none] = ["\"quicklist\"", "\"listpack\"", "(nil)"];
    for (body, encodings) in [
        // A ziplist.
        (
            &b"\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01a\xff"[..],
            [quick, quick, quick, pack, pack, none],
        ),
        // A quicklist of ziplists: one, two, two of which one is empty.
        (
            b"\x0e\x01\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\x01b\xff",
            [pack; 6],
        ),
        (
            b"\x0e\x02\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\x01b\xff\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01c\xff",
            [quick, quick, quick, quick, quick, pack],
        ),
        (
            b"\x0e\x02\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01c\xff",
            [pack, pack, pack, pack, pack, none],
        ),
        // A quicklist of listpacks: one, two, one that is no listpack but an element.
        (
            b"\x12\x01\x02\x0d\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff",
            [pack; 6],
        ),
        (
            b"\x12\x02\x02\x0d\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff\x02\x0a\x0a\0\0\0\x01\0\x81c\x02\xff",
            [quick, quick, quick, quick, quick, pack],
        ),
        (
            b"\x12\x01\x01\x01a",
            [quick, quick, quick, pack, pack, none],
        ),
    ] {
        let body = [body, b"\x0b\0"].concat();
        let payload = [&body[..], &crc64(0, &body).to_le_bytes()].concat();
        let restored = client.call(&[b"RESTORE", b"k" as &[u8], b"0", &payload, b"REPLACE"]);
        assert_eq!(restored, Value::Simple(b"OK".to_vec()), "{body:?}");
        let mut found = vec![client.ask("OBJECT ENCODING k")];
        for command in commands {
            client.call(command);
            found.push(client.ask("OBJECT ENCODING k"));
        }
        assert_eq!(found, encodings, "{body:?}");
    }
    // A compact list that is full leaves its form when an element is replaced.
    for line in ["CONFIG SET list-max-listpack-size 3", "RPUSH full a b c"] {
        client.ask(line);
    }
    assert_eq!(client.ask("OBJECT ENCODING full"), pack);
    assert_eq!(client.ask("LSET full 0 z"), "OK");
    assert_eq!(client.ask("OBJECT ENCODING full"), quick);
}
