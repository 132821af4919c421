//! Keys written as commands: the commands are those of a real redis-server, and it makes the same keys of them.

use crate::common::{Client, Folder, Server, wait_until};
use crate::dump::streams;
use my_redis_server::aof::{Item, Reader, commands};
use my_redis_server::rdb;
use my_redis_server::resp::decoder::Value;
use my_redis_server::state::config::Config;
use my_redis_server::state::values;
use my_redis_server::util::number;
use my_redis_server::util::quoting::split_arguments;
use std::collections::BTreeMap;
use std::fs;

/// Keys of all types but streams, in two databases.
const COMMANDS: &str = r#"
SET integer -17
SET text "a\r\n\x00\xff"
SET "" ""
SET passing v PXAT 4102444800123
RPUSH few a 7 "" -3 "\x00"
SADD integers 1 -2 3000000000 9223372036854775807
SADD members a "" 7 "\r\n"
ZADD scores 1 a 0.1 b -inf c inf d 1e8 e 1.5e-300 f 5e-324 g 1.7976931348623157e308 h 0.30000000000000004 i 3 ""
HSET fields a 1 "" "" "\x00" "\xff" 12 13
PEXPIREAT fields 4102444800456
SELECT 3
SET text "in another database"
"#;

/// Collections of these numbers of items are written too: more than a command takes, and more than a listpack does.
const LENGTHS: [usize; 5] = [64, 65, 128, 129, 700];

const LIBRARY: &str =
    "#!lua name=counted\nredis.register_function('count', function(keys) return #keys end)";

/// A real server with keys of all types, that writes its append-only file as commands.
fn filled(folder: &Folder) -> Server {
    let options = [
        "--appendonly",
        "yes",
        "--aof-use-rdb-preamble",
        "no",
        "--enable-debug-command",
        "yes",
    ];
    let server = Server::real(folder, &options);
    let mut client = server.client();
    streams::fill(&mut client);
    client.call(&["FUNCTION", "LOAD", LIBRARY]);
    for line in COMMANDS.lines().filter(|line| !line.is_empty()) {
        let words = split_arguments(line.as_bytes()).expect("the quotes are balanced");
        let reply = client.call(&words);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
    }
    for len in LENGTHS {
        let key = |name: &str| format!("{name} of {len}");
        for item in 0..len {
            let (text, score) = (format!("item {item}"), format!("{}", item as f64 / 7.0));
            client.call(&["RPUSH", &key("list"), &text]);
            client.call(&["SADD", &key("set"), &text]);
            client.call(&["SADD", &key("integers"), &item.to_string()]);
            client.call(&["ZADD", &key("sorted set"), &score, &text]);
            client.call(&["HSET", &key("hash"), &text, &score]);
        }
    }
    client.call(&["SET", "long", &"0123456789".repeat(100_000)]);
    server
}

/// The dump of a real server.
fn saved(folder: &Folder, client: &mut Client) -> Vec<u8> {
    assert_eq!(client.ask("SAVE"), "OK");
    fs::read(folder.path().join("dump.rdb")).expect("a dump")
}

/// What a dump holds, as our server writes it: by way of the values that lie in its memory.
fn as_commands(dump: &[u8]) -> Vec<u8> {
    let limits = Config::default().limits();
    let mut reader = rdb::Reader::new(dump).expect("a dump");
    let mut output = Vec::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        let written = match item {
            rdb::Item::Function(code) => commands::write_library(&mut output, &code),
            rdb::Item::SelectDb(database) => commands::write_select(&mut output, database),
            rdb::Item::Key(record) => {
                let object = values::object(record.value, &limits).expect("a value that we know");
                values::with_value_ref(object.value(), |value| {
                    commands::write_key(&mut output, &record.key, record.expires_at_ms, value)
                })
            }
            _ => Ok(()),
        };
        written.expect("a Vec takes everything");
    }
    output
}

type Words = Vec<Vec<u8>>;

fn commands_in(bytes: &[u8]) -> Vec<Words> {
    let mut reader = Reader::new(bytes, 0);
    let mut commands = Vec::new();
    while let Some(item) = reader.next_item().expect("whole commands") {
        match item {
            Item::Command(words) => commands.push(words),
            annotation => panic!("{annotation:?} is no command"),
        }
    }
    commands
}

/// The commands that write one key, in order. Of those that write items in the order of a hash table, the items lie
/// apart, sorted, and of each command there is its number of words instead.
#[derive(Debug, Default, PartialEq)]
struct Written {
    commands: Vec<Words>,
    items: Vec<Words>,
}

/// The commands of a file by the database and the key. Libraries count as keys.
fn by_key(bytes: &[u8]) -> BTreeMap<(Vec<u8>, Vec<u8>), Written> {
    let mut keys: BTreeMap<_, Written> = BTreeMap::new();
    let mut database = Vec::new();
    for mut words in commands_in(bytes) {
        let items_of = match &words[0][..] {
            b"SELECT" => {
                database = words.remove(1);
                continue;
            }
            b"SADD" => Some(1),
            b"ZADD" | b"HMSET" => Some(2),
            _ => None,
        };
        let key = match &words[0][..] {
            b"XGROUP" => &words[2],
            _ => &words[1],
        };
        let written = keys.entry((database.clone(), key.clone())).or_default();
        if let Some(len) = items_of {
            let count = words.len().to_string().into_bytes();
            let mut items: Vec<Words> = words.split_off(2).chunks(len).map(<[_]>::to_vec).collect();
            if words[0] == b"ZADD" {
                // Redis 7.0 prints other digits than 7.2.
                for item in &mut items {
                    let score = number::parse_f64(&item[0]).expect("a score");
                    item[0] = score.to_string().into_bytes();
                }
            }
            written.items.extend(items);
            words.push(count);
        }
        written.commands.push(words);
    }
    keys.values_mut().for_each(|written| written.items.sort());
    keys
}

#[test]
fn they_are_those_of_a_real_server() {
    let folder = Folder::new();
    let server = filled(&folder);
    let mut client = server.client();
    let ours = by_key(&as_commands(&saved(&folder, &mut client)));
    client.ask("BGREWRITEAOF");
    let folder = folder.path().join("appendonlydir");
    wait_until("the rewrite to be over", || {
        client.info("aof_rewrite_in_progress") == "0"
            && client.info("aof_last_bgrewrite_status") == "ok"
            && fs::read_dir(&folder).is_ok_and(|files| files.count() == 3)
    });
    let base = fs::read(folder.join("appendonly.aof.2.base.aof")).expect("the base");
    let real = by_key(&base);
    assert!(ours.keys().eq(real.keys()), "{:?}", ours.keys());
    for (key, written) in &real {
        assert_eq!(&ours[key], written);
    }
}

/// A real server takes all of them, and so does ours; afterwards they hold what the first server holds.
#[test]
fn servers_replay_them() {
    let folder = Folder::new();
    let source = filled(&folder);
    let mut client = source.client();
    forget_deleted(&mut client);
    let commands = as_commands(&saved(&folder, &mut client));

    let folders = [Folder::new(), Folder::new()];
    let options = ["--enable-debug-command", "yes"];
    let real = Server::real(&folders[0], &options);
    let ours = [&options[..], &["--save", "", "--databases", "16"]].concat();
    let ours = Server::ours(&folders[1], &ours);
    for server in [&real, &ours] {
        let mut replayed = server.client();
        replayed.send_bytes(&commands);
        for command in commands_in(&commands) {
            let reply = replayed.receive();
            assert!(!matches!(reply, Value::Error(_)), "{command:?}: {reply:?}");
        }
        // A command does not say when a consumer was seen; deleted entries take no place in the blocks of a stream.
        let left_out = [
            "seen-time",
            "active-time",
            "radix-tree-keys",
            "radix-tree-nodes",
        ];
        replayed.ask("SELECT 0");
        let expected = streams::facts(&mut client, &left_out);
        streams::assert_same(&streams::facts(&mut replayed, &left_out), &expected);
        let libraries = ["FUNCTION", "LIST", "WITHCODE"];
        assert_eq!(replayed.call(&libraries), client.call(&libraries));
    }
    let digest = ["DEBUG", "DIGEST"];
    assert_eq!(real.client().call(&digest), client.call(&digest));
}

/// Acknowledges the entries that are pending and have been deleted: commands do not bring them back.
fn forget_deleted(client: &mut Client) {
    for line in ["XACK deleted g 1-0 3-0", "XACK emptied g 5-0"] {
        client.ask(line);
    }
    let trimmed = (1..150).map(|ms| format!("{ms}-{}", ms % 7));
    let deleted = ["500-3", "501-4", "502-5"].map(String::from);
    for id in trimmed.chain(deleted) {
        assert_eq!(client.integer(&["XACK", "long", "readers", &id]), 1);
    }
}
