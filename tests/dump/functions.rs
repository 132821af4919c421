//! Functions in dumps: written, loaded, and exchanged with real servers.

use crate::common::{
    Client, EndOnDrop, Folder, Server, free_port, keys_of, our_command, redis_tool, wait_until,
};
use my_redis_server::rdb::format::VERSION_FOR_ALL;
use my_redis_server::rdb::{Item, Reader, ValueRef, Writer, WriterOptions};
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Two libraries; the second is long enough to be compressed.
const LIBRARIES: [&str; 2] = [
    "#!lua name=counted\nredis.register_function('count', function(keys) return #keys end)",
    "#!lua name=stored\n\
     local function get(keys) return redis.call('GET', keys[1]) end\n\
     local function put(keys, args) return redis.call('SET', keys[1], args[1]) end\n\
     redis.register_function{function_name = 'get', callback = get, flags = {'no-writes'}}\n\
     redis.register_function('put', put)",
];

fn load(client: &mut Client) {
    for text in LIBRARIES {
        let loaded = client.call(&["FUNCTION", "LOAD", text]);
        assert!(matches!(loaded, Value::Bulk(_)), "{loaded:?}");
    }
}

/// The texts of the function libraries of a dump, sorted: a real server writes them in the order of a hash table.
fn libraries_of(dump: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(dump).expect("a dump");
    let mut texts = Vec::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        if let Item::Function(text) = item {
            texts.push(String::from_utf8(text).expect("it is text"));
        }
    }
    texts.sort();
    texts
}

fn check_rdb(path: &Path) {
    let checked = redis_tool("redis-check-rdb").arg(path).output();
    let said = String::from_utf8(checked.expect("it can be run").stdout).expect("text");
    assert!(said.contains("RDB looks OK!"), "{said}");
}

/// Calls the functions of [`LIBRARIES`].
fn check_calls(client: &mut Client) {
    assert_eq!(client.ask("FCALL count 2 a b"), "(integer) 2");
    assert_eq!(client.ask("FCALL put 1 called yes"), "OK");
    assert_eq!(client.ask("FCALL_RO get 1 called"), "\"yes\"");
}

#[test]
fn a_dump_has_the_functions_and_every_server_runs_them() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    load(&mut client);
    client.ask("SET k v");
    assert_eq!(client.info("rdb_changes_since_last_save"), "3");
    // Functions are no data: they stay.
    client.ask("FLUSHALL");
    client.ask("SET k v");
    assert_eq!(client.ask("SAVE"), "OK");
    assert_eq!(client.info("rdb_changes_since_last_save"), "0");
    drop(server);
    let dump = fs::read(folder.dump()).expect("a dump");
    assert_eq!(dump[..9], *b"REDIS0009");
    assert_eq!(libraries_of(&dump), LIBRARIES);
    assert_eq!(keys_of(&dump).len(), 1);
    check_rdb(&folder.dump());
    let real = Server::real(&folder, &["--dbfilename", "dump.my_rdb"]);
    let again = Server::ours(&folder, &["--save", ""]);
    for mut client in [real.client(), again.client()] {
        assert_eq!(client.ask("GET k"), "\"v\"");
        check_calls(&mut client);
    }
}

/// Before the first database, as real servers write them.
#[test]
fn functions_stand_between_the_facts_and_the_keys() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    load(&mut client);
    client.ask("SET k v");
    client.ask("SAVE");
    let dump = fs::read(folder.dump()).expect("a dump");
    let mut reader = Reader::new(&dump[..]).expect("a dump");
    let mut order = Vec::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        order.push(match item {
            Item::Aux { .. } => "fact",
            Item::Function(_) => "library",
            Item::SelectDb(_) | Item::ResizeDb { .. } => "database",
            Item::Key(_) => "key",
            Item::ModuleAux { .. } => "module",
        });
    }
    order.dedup();
    assert_eq!(order, ["fact", "library", "database", "key"]);
}

fn functions_rdb(server: &Server, path: &Path) -> Output {
    let mut command = redis_tool("redis-cli");
    command.args(["-p", &server.port.to_string(), "--functions-rdb"]);
    command.arg(path).output().expect("redis-cli can be run")
}

/// redis-cli --functions-rdb on both servers, and each starts with what the other has given.
#[test]
fn functions_alone_are_a_dump_without_keys() {
    let folder = Folder::new();
    let other = Folder::new();
    let servers = [
        Server::ours(&folder, &["--save", ""]),
        Server::real(&other, &[]),
    ];
    let given = ["of_ours.rdb", "of_real.rdb"].map(|name| folder.path().join(name));
    for (server, path) in servers.iter().zip(&given) {
        let mut client = server.client();
        let output = functions_rdb(server, path);
        assert!(output.status.success(), "{output:?}");
        assert!(libraries_of(&fs::read(path).expect("a file")).is_empty());
        load(&mut client);
        client.ask("SET k v");
        let output = functions_rdb(server, path);
        assert!(output.status.success(), "{output:?}");
        let dump = fs::read(path).expect("a file");
        assert!(keys_of(&dump).is_empty());
        assert_eq!(libraries_of(&dump), LIBRARIES);
        check_rdb(path);
        // The whole dump, over the connection.
        let mut command = redis_tool("redis-cli");
        command.args(["-p", &server.port.to_string(), "--rdb"]);
        let whole = folder.path().join("whole.rdb");
        let _ = fs::remove_file(&whole);
        let output = command.arg(&whole).output().expect("redis-cli can be run");
        assert!(output.status.success(), "{output:?}");
        let dump = fs::read(&whole).expect("a file");
        assert_eq!((keys_of(&dump).len(), libraries_of(&dump).len()), (1, 2));
    }
    drop(servers);
    let [of_ours, of_real] = given;
    fs::copy(of_real, folder.dump()).expect("it can be copied");
    let ours = Server::ours(&folder, &["--save", ""]);
    let name = of_ours.file_name().and_then(|name| name.to_str());
    let real = Server::real(&folder, &["--dbfilename", name.expect("it has a name")]);
    for mut client in [ours.client(), real.client()] {
        assert_eq!(client.ask("DBSIZE"), "(integer) 0");
        check_calls(&mut client);
    }
}

/// The same library in the dumps of Redis 7.2 and Valkey 8, and in one of version 9, which the real server can load.
#[test]
fn functions_of_other_servers_are_loaded() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb");
    let [of_redis, of_valkey, readable] = [
        "redis-7.2/functions.rdb",
        "valkey-8/functions.rdb",
        "edge/x_function2.rdb",
    ]
    .map(|file| {
        let folder = Folder::new();
        fs::copy(fixtures.join(file), folder.dump()).expect("it can be copied");
        folder
    });
    let list = |server: Server| {
        let mut client = server.client();
        assert_eq!(client.integer(&["DBSIZE"]), 1);
        client.call(&["FUNCTION", "LIST", "WITHCODE"])
    };
    let expected = list(Server::real(&readable, &["--dbfilename", "dump.my_rdb"]));
    for folder in [&of_redis, &of_valkey, &readable] {
        assert_eq!(list(Server::ours(folder, &["--save", ""])), expected);
    }
}

fn dump(libraries: &[&str]) -> Vec<u8> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: false,
        checksum: true,
    };
    let mut writer = Writer::new(Vec::new(), options).expect("memory takes everything");
    let added = libraries
        .iter()
        .try_for_each(|text| writer.library(text.as_bytes()));
    added.expect("memory takes everything");
    writer.select_db(0, 1, 0).expect("memory takes everything");
    let key = writer.key(b"k", None, ValueRef::String(b"v"));
    key.expect("memory takes everything");
    writer.finish().expect("memory takes everything")
}

/// What a server that cannot load its dump says of the library, in its log.
fn complaint(folder: &Folder, is_real: bool) -> String {
    let log = folder.path().join("log");
    let port = free_port().to_string();
    let mut command = match is_real {
        false => our_command(folder, &["--port", &port]),
        true => {
            let mut command = redis_tool("redis-server");
            let log = fs::File::create(&log).expect("the log can be made");
            command.args(["--port", &port, "--dbfilename", "dump.my_rdb"]);
            command.current_dir(folder.path()).stdout(log);
            command
        }
    };
    let mut process = command.spawn().expect("the server can be started");
    let read = || fs::read_to_string(&log).expect("a log");
    wait_until("the server has ended or is ready", || {
        let has_ended = process.try_wait().expect("it can be asked").is_some();
        has_ended || read().contains("Ready to accept")
    });
    let _ = process.kill();
    let code = process.wait().expect("it ends").code();
    // redis-server checks the file then, finds no fault in its form, and exits with 0.
    assert_eq!(code, Some(if is_real { 0 } else { 1 }));
    let text = read();
    let (_, said) = text
        .split_once("Failed loading library, ")
        .unwrap_or_else(|| panic!("nothing is said of a library: {text}"));
    said.lines().next().unwrap_or_default().to_string()
}

#[test]
fn a_library_that_cannot_be_loaded_keeps_the_server_from_starting() {
    let [one, _] = LIBRARIES;
    for libraries in [
        &["#!lua name=broken\nthis is no Lua"][..],
        &["#!lua name=empty\nreturn 1"],
        &["no shebang"],
        &["#!nosuch name=x\nx"],
        &["#!lua name=caller\nredis.call('PING')"],
        &["#!lua name=fails\nerror('told')"],
        &[one, one],
        &[
            one,
            "#!lua name=other\nredis.register_function('count', function() end)",
        ],
    ] {
        let folder = Folder::new();
        let dump = dump(libraries);
        fs::write(folder.dump(), &dump).expect("it can be written");
        let [ours, real] = [false, true].map(|is_real| complaint(&folder, is_real));
        assert_eq!(ours, real, "{libraries:?}");
        assert_eq!(fs::read(folder.dump()).expect("it stays"), dump);
    }
}

/// A library that runs `steps` steps of a loop before it registers its function.
fn slow(steps: u64) -> String {
    format!(
        "#!lua name=slow\nfor step = 1, {steps} do end redis.register_function('slow', function() return 1 end)"
    )
}

/// FUNCTION LOAD has half a second, a library of a dump all the time that it needs.
#[test]
fn a_slow_library_of_a_dump_is_loaded_and_a_stop_ends_it() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let is_refused = |steps: &u64| {
        let loaded = client.call(&["FUNCTION", "LOAD", "REPLACE", &slow(*steps)]);
        matches!(loaded, Value::Error(text) if text.ends_with(b"FUNCTION LOAD timeout"))
    };
    let too_many = (20..50).map(|power| 1 << power).find(is_refused);
    drop(server);
    let too_many = too_many.expect("the server has an end of patience");
    let text = slow(4 * too_many);
    fs::write(folder.dump(), dump(&[&text])).expect("it can be written");
    let server = Server::ours(&folder, &["--save", ""]);
    assert_eq!(server.client().ask("FCALL slow 0"), "(integer) 1");
    drop(server);
    let endless = "#!lua name=endless\nredis.log(redis.LOG_WARNING, 'it begins') while true do end";
    let written = dump(&[endless]);
    fs::write(folder.dump(), &written).expect("it can be written");
    let port = free_port();
    let process = our_command(&folder, &["--port", &port.to_string()]).spawn();
    let process = process.expect("the server can be started");
    let server = Server { port, process };
    wait_until("the library is being loaded", || {
        let log = fs::read_to_string(folder.path().join("log")).expect("a log");
        log.contains("it begins")
    });
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(fs::read(folder.dump()).expect("it stays"), written);
}

/// A library of its own for each number.
fn numbered(number: usize) -> String {
    format!("#!lua name=lib{number}\nredis.register_function('f{number}', function() end)")
}

/// A client loads libraries while the server is told to stop. Those that it was told are loaded come back.
#[test]
fn what_is_acknowledged_before_the_end_comes_back() {
    for _ in 0..5 {
        let folder = Folder::new();
        let server = Server::ours(&folder, &["--save", "3600 1"]);
        let mut client = server.client();
        let has_begun = AtomicBool::new(false);
        let acknowledged = thread::scope(|scope| {
            let loader = scope.spawn(|| {
                let _begun = EndOnDrop(&has_begun);
                let mut acknowledged = 0;
                loop {
                    let text = numbered(acknowledged);
                    if client.try_send(&["FUNCTION", "LOAD", &text]).is_err()
                        || !matches!(client.try_receive(), Some(Value::Bulk(_)))
                    {
                        return acknowledged;
                    }
                    acknowledged += 1;
                    has_begun.store(acknowledged >= 20, Relaxed);
                }
            });
            wait_until("libraries are loaded", || has_begun.load(Relaxed));
            server.signal("INT");
            loader.join().expect("it ends")
        });
        assert_eq!(server.wait().code(), Some(0));
        let saved = libraries_of(&fs::read(folder.dump()).expect("a dump")).len();
        assert!(saved >= acknowledged, "{saved} of {acknowledged}");
    }
}

/// An interpreter has room for 8000 values that are held from outside.
#[test]
fn libraries_that_are_loaded_again_and_again_leave_nothing_behind() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for _ in 0..9_000 {
        let loaded = client.call(&["FUNCTION", "LOAD", "REPLACE", LIBRARIES[0]]);
        assert_eq!(loaded, Value::Bulk(b"counted".to_vec()));
    }
    assert_eq!(client.ask("FCALL count 1 a"), "(integer) 1");
}

/// DEBUG RELOAD replaces the functions, but none that another client loads meanwhile.
#[test]
fn nothing_that_is_loaded_during_a_reload_is_lost() {
    const RELOADS: usize = 30;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let is_over = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        let _end = EndOnDrop(&is_over);
        let loader = scope.spawn(|| {
            let mut client = server.client();
            let mut acknowledged = 0;
            while !is_over.load(Relaxed) {
                let loaded = client.call(&["FUNCTION", "LOAD", &numbered(acknowledged)]);
                assert!(matches!(loaded, Value::Bulk(_)), "{loaded:?}");
                acknowledged += 1;
            }
            acknowledged
        });
        let mut client = server.client();
        (0..RELOADS).for_each(|_| assert_eq!(client.ask("DEBUG RELOAD"), "OK"));
        is_over.store(true, Relaxed);
        loader.join().expect("it ends")
    });
    assert!(acknowledged > 0);
    match server.client().call(&["FUNCTION", "LIST"]) {
        Value::Array(libraries) => assert_eq!(libraries.len(), acknowledged),
        other => panic!("{other:?}"),
    }
}
