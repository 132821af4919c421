//! What a server says of its commands, compared with a real redis-server: COMMAND, ACL CAT, and the numbers of
//! arguments.

use crate::common::oracle::{Oracle, words};
use crate::common::strings;
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;

const COMMAND: &str = r#"
COMMAND COUNT a
COMMAND HELP
COMMAND HELP a
COMMAND LIST a
COMMAND LIST FILTERBY
COMMAND LIST FILTERBY FOO bar
COMMAND LIST FILTERBY PATTERN
COMMAND LIST FILTERBY PATTERN a b
COMMAND LIST FILTERBY MODULE nothing
COMMAND LIST FILTERBY ACLCAT nothing
COMMAND LIST FILTERBY ACLCAT hash
COMMAND LIST FILTERBY ACLCAT HASH
COMMAND LIST FILTERBY ACLCAT @hash
COMMAND LIST FILTERBY PATTERN hget*
COMMAND LIST FILTERBY PATTERN HGET*
COMMAND LIST filterby pattern config*
COMMAND LIST FILTERBY PATTERN nothing
COMMAND INFO nothing
COMMAND INFO get GET nothing get
COMMAND INFO config|get
COMMAND INFO CONFIG|GET config|nothing get|x config|get|x
COMMAND INFO xadd xread xreadgroup xgroup|create xinfo|stream xautoclaim
COMMAND LIST FILTERBY PATTERN x[a-q]*
COMMAND INFO lmpop lcs copy object|freq mset rename set getex
COMMAND DOCS nothing
COMMAND GETKEYS
COMMAND GETKEYS GET k
COMMAND GETKEYS get k l
COMMAND GETKEYS nothing k
COMMAND GETKEYS PING x
COMMAND GETKEYS MSET a 1 b 2
COMMAND GETKEYS MSET a 1 b
COMMAND GETKEYS COPY a b DB 1
COMMAND GETKEYS LCS a b LEN
COMMAND GETKEYS RENAME a b
COMMAND GETKEYS LMPOP 2 a b LEFT
COMMAND GETKEYS LMPOP 3 a b LEFT
COMMAND GETKEYS LMPOP 4 a b LEFT
COMMAND GETKEYS LMPOP 0 a LEFT
COMMAND GETKEYS LMPOP -1 a LEFT
COMMAND GETKEYS LMPOP x a LEFT
COMMAND GETKEYS OBJECT FREQ k
COMMAND GETKEYS OBJECT FOO k
COMMAND GETKEYS CONFIG GET x
COMMAND GETKEYS config|get x y
COMMAND GETKEYS DEL a b c
COMMAND GETKEYS HSET k f v
COMMAND GETKEYS PFMERGE a
COMMAND GETKEYS PFMERGE a b c
COMMAND GETKEYS PFCOUNT a b
COMMAND GETKEYS SINTERCARD 2 a b LIMIT 1
COMMAND GETKEYS SINTERCARD 3 a b
COMMAND GETKEYS BITOP AND d a b
COMMAND GETKEYS XADD s * f v
COMMAND GETKEYS XTRIM s MAXLEN 5
COMMAND GETKEYS XGROUP CREATE s g $
COMMAND GETKEYS XGROUP HELP
COMMAND GETKEYS XINFO STREAM s
COMMAND GETKEYS XINFO FOO s
COMMAND GETKEYS XACK s g 1
COMMAND GETKEYS XREAD STREAMS s 0
COMMAND GETKEYS XREAD STREAMS s t u 0 0 0
COMMAND GETKEYS XREAD streams s t 0
COMMAND GETKEYS XREAD STREAMS s t
COMMAND GETKEYS XREAD STREAMS s
COMMAND GETKEYS XREAD COUNT 5 BLOCK 0
COMMAND GETKEYS XREAD COUNT 5 BLOCK 0 STREAMS s t $ $
COMMAND GETKEYS XREAD COUNT STREAMS STREAMS s 0
COMMAND GETKEYS XREAD BLOCK STREAMS s 0
COMMAND GETKEYS XREAD GROUP g a STREAMS s t > >
COMMAND GETKEYS XREAD STREAMS streams streams 0 0
COMMAND GETKEYS XREAD STREAMS streams t u v
COMMAND GETKEYS XREAD FOO STREAMS s 0
COMMAND GETKEYS XREADGROUP GROUP g a STREAMS s >
COMMAND GETKEYS XREADGROUP GROUP g a COUNT 5 BLOCK 1 NOACK STREAMS s t > 0
COMMAND GETKEYS XREADGROUP GROUP streams a STREAMS s t > >
COMMAND GETKEYS XREADGROUP GROUP g streams STREAMS s t > >
COMMAND GETKEYS XREADGROUP GROUP streams streams NOACK STREAMS streams >
COMMAND GETKEYS XREADGROUP COUNT 1 GROUP streams a STREAMS s >
COMMAND GETKEYS XREADGROUP NOACK BLOCK 1 GROUP g a STREAMS s >
COMMAND GETKEYS XREADGROUP GROUP g a STREAMS s t >
COMMAND GETKEYS XREADGROUP GROUP g a s t > >
COMMAND GETKEYSANDFLAGS XREAD STREAMS s t 0 0
COMMAND GETKEYSANDFLAGS XREADGROUP GROUP streams a STREAMS s t > >
COMMAND GETKEYSANDFLAGS XADD s * f v
COMMAND GETKEYSANDFLAGS XDEL s 1
COMMAND GETKEYSANDFLAGS XCLAIM s g a 0 1
COMMAND GETKEYSANDFLAGS XAUTOCLAIM s g a 0 1
COMMAND GETKEYSANDFLAGS XGROUP DESTROY s g
COMMAND GETKEYSANDFLAGS PFMERGE a
COMMAND GETKEYSANDFLAGS SUNIONSTORE a b c
COMMAND GETKEYSANDFLAGS BITFIELD k
COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 GET u4 3
COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 SET u8 0 1
COMMAND GETKEYSANDFLAGS BITFIELD k OVERFLOW SAT GET u8 0
COMMAND GETKEYSANDFLAGS BITFIELD k GET u8
COMMAND GETKEYSANDFLAGS BITFIELD k FOO
COMMAND GETKEYSANDFLAGS BITFIELD k INCRBY u8 0 1
COMMAND GETKEYSANDFLAGS
COMMAND GETKEYSANDFLAGS nothing k
COMMAND GETKEYSANDFLAGS PING x
COMMAND GETKEYSANDFLAGS SET k v
COMMAND GETKEYSANDFLAGS SET k v get
COMMAND GETKEYSANDFLAGS SET k v EX 5 GET
COMMAND GETKEYSANDFLAGS COPY a b
COMMAND GETKEYSANDFLAGS LMPOP 1 a LEFT
COMMAND GETKEYSANDFLAGS OBJECT ENCODING k
COMMAND GETKEYSANDFLAGS MSET a 1 b 2
COMMAND GETKEYSANDFLAGS DEL a b
COMMAND GETKEYSANDFLAGS LMOVE a b LEFT RIGHT
"#;

/// Commands that the oracle does not have.
const NEW_IN_7_2: &[&str] = &[
    "client|setinfo",
    "client|no-touch",
    "cluster|myshardid",
    "waitaof",
];

/// Hints for proxies that 7.0 does not give, or gives otherwise.
const NEW_TIPS: &[(&str, &[&str])] = &[
    ("acl|deluser", ON_ALL_NODES),
    ("acl|save", ON_ALL_NODES),
    ("acl|setuser", ON_ALL_NODES),
    ("client|setname", ON_ALL_NODES),
    ("config|resetstat", ON_ALL_NODES),
    ("config|rewrite", ON_ALL_NODES),
    (
        "latency|reset",
        &["request_policy:all_nodes", "response_policy:agg_sum"],
    ),
    ("msetnx", &[]),
    (
        "randomkey",
        &[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ],
    ),
    (
        "scan",
        &[
            "nondeterministic_output",
            "request_policy:special",
            "response_policy:special",
        ],
    ),
];
const ON_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

#[test]
fn edges_of_command() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[COMMAND]);
    oracle.finish();
}

/// Every command and subcommand with too few and too many arguments.
#[test]
fn wrong_numbers_of_arguments() {
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        for command in my_redis_server::command::COMMANDS.all() {
            let name = command.full_name();
            // What 7.0 does not have, and what ends the connection.
            let name = name.as_str();
            if NEW_IN_7_2.contains(&name) || ["quit", "shutdown", "reset"].contains(&name) {
                continue;
            }
            let mut request: Vec<&str> = name.split('|').collect();
            let arity = command.spec.arity.unsigned_abs() as usize;
            let is_exact = command.spec.arity > 0;
            let few = (request.len()..arity).chain(is_exact.then_some(arity + 1));
            for len in few {
                request.resize(len, "x");
                oracle.type_line(&request.join(" "));
                oracle.type_line(&request.join(" ").to_uppercase());
            }
        }
    }
    oracle.finish();
}

/// COMMAND INFO of every command that both servers have. Subcommands come in no order, so each is compared alone.
#[test]
fn command_info() {
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        for command in my_redis_server::command::COMMANDS.all() {
            let name = command.full_name();
            let answers = oracle.answers(&words(&["COMMAND", "INFO", &name]));
            let [ours, real] = answers.map(|answer| without_subcommands(answer.value));
            let real = real.map(|elements| as_7_2_says(&name, elements));
            if NEW_IN_7_2.contains(&name.as_str()) {
                assert!(ours.is_some() && real.is_none(), "{name} is not new");
            } else {
                assert_eq!(ours, real, "{name}");
            }
        }
    }
    oracle.finish();
}

fn without_subcommands(reply: Value) -> Option<Vec<Value>> {
    let Value::Array(mut commands) = reply else {
        panic!("{reply:?}")
    };
    match commands.pop() {
        Some(Value::Null) => None,
        Some(Value::Array(mut elements)) => {
            elements.truncate(9);
            Some(elements)
        }
        other => panic!("{other:?}"),
    }
}

/// Since 7.2 a command without arguments is a full command too, and ZRANK may have one more.
fn as_7_2_says(name: &str, mut elements: Vec<Value>) -> Vec<Value> {
    if ["zrank", "zrevrank"].contains(&name) {
        assert_eq!(elements[1], Value::Integer(3));
        elements[1] = Value::Integer(-3);
    }
    if ["command|getkeys", "command|getkeysandflags"].contains(&name) {
        assert_eq!(elements[1], Value::Integer(-4));
        elements[1] = Value::Integer(-3);
    }
    // Commands that wait became fit for scripts, where they do not wait.
    if name.starts_with('b')
        && let Value::Array(flags) | Value::Set(flags) = &mut elements[2]
        && flags.contains(&Value::Simple(b"blocking".to_vec()))
    {
        flags.retain(|flag| *flag != Value::Simple(b"noscript".to_vec()));
    }
    if let Some((_, tips)) = NEW_TIPS.iter().find(|(command, _)| *command == name) {
        let tips = tips.iter().map(|tip| Value::Bulk((*tip).into())).collect();
        elements[7] = match elements[7] {
            Value::Set(_) => Value::Set(tips),
            _ => Value::Array(tips),
        };
    }
    if ["cluster|shards", "cluster|slots"].contains(&name)
        && let Value::Array(flags) | Value::Set(flags) = &mut elements[2]
    {
        flags.insert(0, Value::Simple(b"loading".to_vec()));
    }
    if name == "wait" {
        for (index, names) in [(2, &[][..]), (6, &["@slow", "@connection"])] {
            let names = names.iter().map(|name| name.as_bytes().to_vec());
            match &mut elements[index] {
                Value::Array(flags) | Value::Set(flags) => {
                    *flags = names.map(Value::Simple).collect();
                }
                other => panic!("{other:?}"),
            }
        }
    }
    elements
}

/// ACL CAT names the categories of Redis, and of each those commands that we have.
#[test]
fn acl_categories() {
    let mut oracle = Oracle::start();
    oracle.type_line("ACL CAT");
    let Value::Array(categories) = oracle.answers(&words(&["ACL", "CAT"]))[1].value.clone() else {
        panic!("categories are an array")
    };
    let own: Vec<String> = my_redis_server::command::COMMANDS
        .all()
        .iter()
        .map(|command| command.full_name())
        .filter(|name| !NEW_IN_7_2.contains(&name.as_str()))
        .collect();
    for category in strings(Value::Array(categories)) {
        let request = [b"acl".to_vec(), b"Cat".to_vec(), category.clone()];
        let [ours, real] = oracle.answers(&request).map(|answer| {
            let names = strings(answer.value).into_iter();
            let names = names.map(|name| String::from_utf8(name).expect("a name"));
            names.filter(|name| own.contains(name)).collect()
        });
        let real: BTreeSet<String> = real;
        assert_eq!(ours, real, "{}", category.escape_ascii());
    }
    oracle.finish();
}
