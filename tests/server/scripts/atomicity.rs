//! No other client sees half a script, whether its keys are declared or not. Scripts move money between accounts of
//! every type; clients that read the accounts, each in another way, always find the same sum.

use super::{eval, far_apart, printed, server};
use crate::common::{Client, EndOnDrop, Folder, Server};
use my_redis_server::resp::decoder::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// Accounts of each type; each is in a shard of its own.
const ACCOUNTS: usize = 4;
/// What all accounts of one type hold together. More than the elements of any compact form.
const MONEY: usize = 12_000;
const TYPES: [&str; 5] = ["string", "hash", "list", "set", "zset"];

/// What an account holds.
const BALANCE: &str = "
    local function balance(kind, key)
        if kind == 'string' then return tonumber(redis.call('GET', key) or 0) end
        if kind == 'hash' then return redis.call('HLEN', key) end
        if kind == 'list' then return redis.call('LLEN', key) end
        if kind == 'set' then return redis.call('SCARD', key) end
        return redis.call('ZCARD', key)
    end
";

/// A Lua function that moves an amount from one account to another, at most what the first holds. Between the
/// withdrawal and the deposit it works for a while.
const MOVE: &str = "
    local function move(kind, from, to, amount)
        local function work() local n = 0 for i = 1, 200 do n = n + i end end
        if kind == 'string' then
            amount = math.min(amount, tonumber(redis.call('GET', from) or 0))
            redis.call('DECRBY', from, amount)
            work()
            redis.call('INCRBY', to, amount)
        elseif kind == 'hash' then
            local fields = redis.call('HRANDFIELD', from, amount)
            for _, field in ipairs(fields) do redis.call('HDEL', from, field) end
            work()
            for _, field in ipairs(fields) do redis.call('HSET', to, field, 'v') end
        elseif kind == 'list' then
            local elements = redis.call('LPOP', from, amount) or {}
            work()
            for _, element in ipairs(elements) do redis.call('RPUSH', to, element) end
        elseif kind == 'set' then
            local members = redis.call('SPOP', from, amount)
            work()
            for _, member in ipairs(members) do redis.call('SADD', to, member) end
        else
            local pairs = redis.call('ZPOPMIN', from, amount)
            work()
            for i = 1, #pairs, 2 do redis.call('ZADD', to, pairs[i + 1], pairs[i]) end
        end
    end
";

/// The ways to move money. `KEYS[1]` is the giver's account and the last argument the receiver's, if it is not
/// declared.
const WAYS: [(&str, usize); 6] = [
    // Both keys are declared.
    ("move(kind, KEYS[1], KEYS[2], amount)", 2),
    // The second is computed.
    ("move(kind, KEYS[1], other, amount)", 1),
    // It is read from another key that is not declared either; what is created on the way goes again.
    (
        "redis.call('SET', KEYS[1] .. ':tmp', other) move(kind, KEYS[1], redis.call('GET', KEYS[1] .. ':tmp'), amount)
         redis.call('DEL', KEYS[1] .. ':tmp')",
        1,
    ),
    // The stray is caught.
    (
        "local ok, err = pcall(move, kind, KEYS[1], other, amount) if not ok then error(err) end",
        1,
    ),
    // It happens in a coroutine. The error in the end changes nothing of what was done.
    (
        "local co = coroutine.create(function() move(kind, KEYS[1], other, amount) end)
         local ok, err = coroutine.resume(co) error('after all')",
        1,
    ),
    // The deadline and the type of the account are others for a while, and nothing is declared.
    (
        "local from = KEYS[1] if redis.call('EXPIRE', from, 100) == 0 then return end
         redis.call('RENAME', from, from .. ':away') redis.call('LPUSH', from, 'no account')
         redis.call('SELECT', 1) redis.call('SET', from, 'x') redis.call('SELECT', 0)
         move(kind, from .. ':away', other, amount)
         if redis.call('EXISTS', from .. ':away') == 1 then
             redis.call('RENAME', from .. ':away', from) redis.call('PERSIST', from)
         else redis.call('DEL', from) end",
        1,
    ),
];

fn accounts(server: &Server) -> Vec<Vec<String>> {
    let mut names = far_apart(server, ACCOUNTS * TYPES.len());
    TYPES
        .iter()
        .map(|_| names.split_off(names.len() - ACCOUNTS))
        .collect()
}

fn fill(client: &mut Client, accounts: &[Vec<String>]) {
    for (kind, accounts) in TYPES.iter().zip(accounts) {
        let script = "for i = 1, ARGV[2] do
            if ARGV[1] == 'string' then redis.call('INCR', KEYS[1])
            elseif ARGV[1] == 'hash' then redis.call('HSET', KEYS[1], i, 'v')
            elseif ARGV[1] == 'list' then redis.call('RPUSH', KEYS[1], i)
            elseif ARGV[1] == 'set' then redis.call('SADD', KEYS[1], 'm' .. i)
            else redis.call('ZADD', KEYS[1], i, 'm' .. i) end end";
        eval(client, script, &[&accounts[0]], &[kind, &MONEY.to_string()]);
    }
}

/// The text differs each time, so that the server does not know yet that it strays.
fn move_money(client: &mut Client, accounts: &[Vec<String>], random: &mut fastrand::Rng) {
    let (kind, way) = (random.usize(..TYPES.len()), random.usize(..WAYS.len()));
    let (from, to) = (random.usize(..ACCOUNTS), random.usize(..ACCOUNTS));
    if from == to {
        return;
    }
    let (body, keys) = WAYS[way];
    let names = [&accounts[kind][from][..], &accounts[kind][to]];
    let script = format!(
        "local kind, amount, other = ARGV[1], tonumber(ARGV[2]), ARGV[3] {MOVE} {body} -- {}",
        random.u64(..)
    );
    let amount = random.usize(1..40).to_string();
    let arguments = [TYPES[kind], &amount, names[1]];
    let reply = eval(client, &script, &names[..keys], &arguments);
    match reply {
        Value::Error(text) if way == 4 => {
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(
                text.contains("user_script") && text.contains("after all"),
                "{text}"
            );
        }
        Value::Null => {}
        other => assert_eq!(printed(&other), "(nil)", "{script}"),
    }
}

/// Looks at all accounts of one type, in one of the ways to see them at one moment.
fn look(client: &mut Client, kind: &str, accounts: &[String], way: usize) -> usize {
    let command = match kind {
        "string" => "GET",
        "hash" => "HLEN",
        "list" => "LLEN",
        "set" => "SCARD",
        _ => "ZCARD",
    };
    let number = |value: &Value| match value {
        Value::Integer(number) => *number as usize,
        Value::Bulk(text) => String::from_utf8_lossy(text).parse().unwrap(),
        _ => 0,
    };
    let sum = |reply: Value| match reply {
        Value::Array(values) => values.iter().map(number).sum(),
        other => panic!("{other:?}"),
    };
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let total = format!(
        "{BALANCE} local sum = 0 for _, key in ipairs(ARGV) do if key ~= ARGV[1] then \
         sum = sum + balance(ARGV[1], key) end end return sum"
    );
    let arguments: Vec<&str> = [kind].into_iter().chain(names.iter().copied()).collect();
    match way {
        0 if kind == "string" => sum(client.call(&[&["MGET"][..], &names].concat())),
        // Its keys are declared, or not.
        1 => number(&eval(client, &total, &names, &arguments)),
        2 => {
            let request = super::eval_request(&total, &[], &arguments);
            let request = [&["EVAL_RO".to_string()], &request[1..]].concat();
            number(&client.call(&request))
        }
        3 => {
            client.ask("MULTI");
            let request = super::eval_request(&total, &names[..1], &arguments);
            client.call(&request);
            sum(client.call(&["EXEC"]))
        }
        _ => {
            client.ask("MULTI");
            names
                .iter()
                .for_each(|name| drop(client.call(&[command, name])));
            sum(client.call(&["EXEC"]))
        }
    }
}

fn check_dump(folder: &Folder, accounts: &[Vec<String>]) {
    let copy = Folder::new();
    let name = "dump.my_rdb";
    std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    let server = Server::ours(&copy, &["--save", "", "--databases", "3"]);
    let mut client = server.client();
    for (kind, accounts) in TYPES.iter().zip(accounts) {
        assert_eq!(
            look(&mut client, kind, accounts, 4),
            MONEY,
            "{kind} in a dump"
        );
    }
    let Value::Array(names) = client.call(&["KEYS", "*:*:*"]) else {
        panic!("KEYS gives an array")
    };
    assert!(names.is_empty(), "what a script made for itself: {names:?}");
}

#[test]
fn money_is_neither_made_nor_lost() {
    let (folder, server) = server();
    let accounts = accounts(&server);
    fill(&mut server.client(), &accounts);
    let (is_over, moved, looked) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let (accounts, is_over) = (&accounts, &is_over);
    let (moved, looked, server, folder) = (&moved, &looked, &server, &folder);
    std::thread::scope(|scope| {
        let _end = EndOnDrop(is_over);
        for seed in 0..8 {
            scope.spawn(move || {
                let _end = EndOnDrop(is_over);
                let (mut client, mut random) = (server.client(), fastrand::Rng::with_seed(seed));
                while !is_over.load(SeqCst) {
                    move_money(&mut client, accounts, &mut random);
                    moved.fetch_add(1, SeqCst);
                }
            });
        }
        for seed in 8..14 {
            scope.spawn(move || {
                let _end = EndOnDrop(is_over);
                let (mut client, mut random) = (server.client(), fastrand::Rng::with_seed(seed));
                while !is_over.load(SeqCst) {
                    let (kind, way) = (random.usize(..TYPES.len()), random.usize(..5));
                    let seen = look(&mut client, TYPES[kind], &accounts[kind], way);
                    assert_eq!(seen, MONEY, "{} seen by way {way}", TYPES[kind]);
                    looked.fetch_add(1, SeqCst);
                }
            });
        }
        // A client that moves money by WATCH and EXEC.
        scope.spawn(move || {
            let _end = EndOnDrop(is_over);
            let mut client = server.client();
            while !is_over.load(SeqCst) {
                let (from, to) = (&accounts[0][0], &accounts[0][1]);
                client.ask(&format!("WATCH {from}"));
                let Value::Bulk(text) = client.call(&["GET", from]) else {
                    client.ask("UNWATCH");
                    continue;
                };
                let has: usize = String::from_utf8(text).unwrap().parse().unwrap();
                client.ask("MULTI");
                client.ask(&format!("SET {from} {}", has - has / 2));
                client.ask(&format!("INCRBY {to} {}", has / 2));
                client.ask("EXEC");
            }
        });
        let mut client = server.client();
        for _ in 0..5 {
            assert_eq!(client.ask("SAVE"), "OK");
            check_dump(folder, accounts);
            if is_over.load(SeqCst) {
                return;
            }
        }
    });
    let mut client = server.client();
    for (kind, accounts) in TYPES.iter().zip(accounts) {
        (0..5).for_each(|way| assert_eq!(look(&mut client, kind, accounts, way), MONEY));
    }
    assert!(moved.load(SeqCst) > 100 && looked.load(SeqCst) > 100);
}

/// A client that waits for a key is served when the script has ended: the script has closed the door again. What the
/// script has taken back itself serves no client.
#[test]
fn a_waiting_client_sees_the_whole_script() {
    let (_folder, server) = server();
    let names = far_apart(&server, 4);
    let [queue, door, chain, end] = [&names[0], &names[1], &names[2], &names[3]];
    const ROUNDS: usize = 300;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = server.client();
                loop {
                    let served = client.ask(&format!("BLPOP {queue} 0"));
                    if served.ends_with("\"stop\"") {
                        return;
                    }
                    assert!(served.ends_with("\"real\""), "{served}");
                    assert_eq!(client.ask(&format!("GET {door}")), "\"closed\"");
                }
            });
        }
        scope.spawn(|| {
            let mut client = server.client();
            for _ in 0..ROUNDS {
                assert_eq!(
                    client.ask(&format!("BLMOVE {chain} {end} LEFT RIGHT 0")),
                    "\"x\""
                );
            }
        });
        let mut client = server.client();
        client.ask(&format!("SET {door} closed"));
        for round in 0..ROUNDS {
            let script = format!(
                "redis.call('RPUSH', KEYS[1], 'no') redis.call('RPOP', KEYS[1])
                 redis.call('RPUSH', KEYS[1], 'real', 'no')
                 redis.call('SET', ARGV[1], 'open') redis.call('RPOP', KEYS[1])
                 local n = 0 for i = 1, 1000 do n = n + i end
                 redis.call('RPUSH', ARGV[2], 'x') redis.call('SET', ARGV[1], 'closed') return {round}"
            );
            // Even rounds declare all.
            let keys = [&queue[..], door, chain];
            let keys = if round % 2 == 0 {
                &keys[..]
            } else {
                &keys[..1]
            };
            let reply = eval(&mut client, &script, keys, &[door, chain]);
            assert_eq!(printed(&reply), format!("(integer) {round}"));
        }
        (0..3).for_each(|_| drop(client.ask(&format!("RPUSH {queue} stop"))));
    });
    let mut client = server.client();
    assert_eq!(
        client.ask(&format!("LLEN {end}")),
        format!("(integer) {ROUNDS}")
    );
    assert_eq!(
        client.ask(&format!("EXISTS {queue} {chain}")),
        "(integer) 0"
    );
}

/// Each message and each event comes once, in the order of the changes, although every script is taken back once.
#[test]
fn messages_and_events_come_once_and_in_order() {
    let (_folder, server) = server();
    let names = far_apart(&server, 9);
    const ROUNDS: usize = 60;
    const THREADS: usize = 8;
    let mut listener = server.client();
    let mut client = server.client();
    client.ask("CONFIG SET notify-keyspace-events E$");
    listener.ask("PSUBSCRIBE *");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (server, own, shared) = (&server, &names[thread], &names[8]);
            scope.spawn(move || {
                let mut client = server.client();
                for round in 0..ROUNDS {
                    let script = format!(
                        "local n = redis.call('INCR', KEYS[1]) redis.call('PUBLISH', 'own', KEYS[1] .. ' ' .. n)
                         local all = redis.call('INCR', ARGV[1]) redis.call('PUBLISH', 'all', all)
                         redis.call('APPEND', KEYS[1], '') return n -- {round} {thread}"
                    );
                    let keys: &[&str] = if round % 3 == 0 { &[own, shared] } else { &[own] };
                    let reply = eval(&mut client, &script, keys, &[shared]);
                    assert_eq!(printed(&reply), format!("(integer) {}", round + 1));
                }
            });
        }
    });
    client.ask("PUBLISH last x");
    let mut seen = vec![0; THREADS];
    let mut of_all = 0;
    loop {
        let Value::Array(message) = listener.receive() else {
            panic!("no message")
        };
        let text = |value: &Value| match value {
            Value::Bulk(text) => String::from_utf8(text.clone()).unwrap(),
            other => panic!("{other:?}"),
        };
        let (channel, content) = (text(&message[2]), text(&message[3]));
        if channel == "last" {
            break;
        }
        // A script is whole: its five messages follow each other.
        let thread = names.iter().position(|name| *name == content).unwrap();
        assert_eq!(channel, "__keyevent@0__:incrby");
        let expect = [
            ("own", format!("{content} {}", seen[thread] + 1)),
            ("__keyevent@0__:incrby", names[8].clone()),
            ("all", (of_all + 1).to_string()),
            ("__keyevent@0__:append", content.clone()),
        ];
        for (channel, content) in expect {
            let Value::Array(message) = listener.receive() else {
                panic!("no message")
            };
            assert_eq!(
                (text(&message[2]), text(&message[3])),
                (channel.to_string(), content)
            );
        }
        seen[thread] += 1;
        of_all += 1;
    }
    assert_eq!(seen, [ROUNDS; THREADS]);
}

/// What a run that was taken back leaves: nothing that INFO, OBJECT or a listener shows.
#[test]
fn a_run_that_was_taken_back_leaves_nothing() {
    let (_folder, server) = server();
    let names = far_apart(&server, 3);
    let [own, other, empty] = [&names[0], &names[1], &names[2]];
    let mut client = server.client();
    client.ask("CONFIG SET notify-keyspace-events EAm");
    client.ask(&format!("RPUSH {own} a b c"));
    client.ask(&format!("EXPIRE {own} 1000"));
    let before = client
        .info("rdb_changes_since_last_save")
        .parse::<usize>()
        .unwrap();
    let mut listener = server.client();
    listener.ask("PSUBSCRIBE *");
    let script = "for i = 1, 300 do redis.call('RPUSH', KEYS[1], i) end redis.call('SET', KEYS[1], 'x') \
        redis.call('DEL', KEYS[1]) redis.call('GET', ARGV[1]) error('end')";
    let reply = eval(&mut client, script, &[own], &[other]);
    assert!(super::error_text(reply).contains("end"));
    // An error leaves what was done, once.
    assert_eq!(
        client.info("rdb_changes_since_last_save"),
        (before + 302).to_string()
    );
    assert_eq!(client.ask("DBSIZE"), "(integer) 0");
    let read_only = super::eval_request(
        "redis.call('GET', KEYS[1]) return redis.call('GET', ARGV[1])",
        &[empty],
        &[other],
    );
    client.call(&[&["EVAL_RO".to_string()], &read_only[1..]].concat());
    client.ask("PUBLISH last x");
    let mut events = Vec::new();
    while events
        .last()
        .is_none_or(|event: &String| !event.starts_with("last"))
    {
        let Value::Array(message) = listener.receive() else {
            panic!("no message")
        };
        let text = |value: &Value| match value {
            Value::Bulk(text) => String::from_utf8(text.clone()).unwrap(),
            other => panic!("{other:?}"),
        };
        events.push(format!("{} {}", text(&message[2]), text(&message[3])));
    }
    let mut expected = vec![format!("__keyevent@0__:rpush {own}"); 300];
    expected.push(format!("__keyevent@0__:set {own}"));
    expected.push(format!("__keyevent@0__:del {own}"));
    expected.push(format!("__keyevent@0__:keymiss {other}"));
    expected.push(format!("__keyevent@0__:keymiss {empty}"));
    expected.push(format!("__keyevent@0__:keymiss {other}"));
    expected.push("last x".to_string());
    assert_eq!(events, expected);
}

/// A script that strays shows its commands to MONITOR and the statistics once, as in Redis.
#[test]
fn a_run_that_was_taken_back_is_not_counted() {
    let (folder, server) = server();
    let names = far_apart(&server, 2);
    let mut client = server.client();
    let mut monitor = server.client();
    assert_eq!(monitor.ask("MONITOR"), "OK");
    let script = "redis.call('SET', KEYS[1], 'v') redis.log(redis.LOG_WARNING, 'once') redis.call('SET', ARGV[1], 'w')";
    eval(&mut client, script, &[&names[0]], &[&names[1]]);
    let lines = (0..3).map(|_| printed(&monitor.receive()));
    let lines: Vec<String> = lines.collect();
    assert!(
        lines[1].ends_with(&format!("\"SET\" \"{}\" \"v\"", names[0])),
        "{lines:?}"
    );
    assert!(
        lines[2].ends_with(&format!("\"SET\" \"{}\" \"w\"", names[1])),
        "{lines:?}"
    );
    assert!(client.info("cmdstat_set").starts_with("calls=2,"));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("once").count(), 1);
}

/// New texts that stray, again and again: neither interpreters nor undo points stay behind.
#[test]
fn memory_does_not_grow_by_straying() {
    let (_folder, server) = server();
    let names = far_apart(&server, 3);
    let mut client = server.client();
    let rounds = std::env::var("STRAYS").map_or(2000, |count| count.parse().expect("a number"));
    client.call(&["SET", &names[2], &"x".repeat(100_000)]);
    let stray = |client: &mut Client, number: usize| {
        let script = format!(
            "redis.call('SET', KEYS[1], 'v') redis.call('APPEND', KEYS[2], 'y') \
             redis.call('SETRANGE', KEYS[2], 100000, '') \
             redis.call('SET', ARGV[1], 'v') redis.call('DEL', ARGV[1]) \
             return redis.call('SET', KEYS[2], string.rep('x', 100000)) -- {number}"
        );
        let reply = eval(client, &script, &[&names[0], &names[2]], &[&names[1]]);
        assert_eq!(printed(&reply), "OK");
    };
    let used = |client: &mut Client| {
        client.ask("SCRIPT FLUSH");
        client
            .info_of("memory", "used_memory")
            .parse::<usize>()
            .unwrap()
    };
    (0..200).for_each(|number| stray(&mut client, number));
    let before = used(&mut client);
    (200..200 + rounds).for_each(|number| stray(&mut client, number));
    let after = used(&mut client);
    // What one round left would add up to more.
    assert!(
        after < before + 100_000 + rounds * 50,
        "{before} bytes before, {after} after"
    );
}
