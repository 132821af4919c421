//! The append-only file of an engine without sockets, on a disk that fails when the test says so.

use super::replay::{self, Manner};
use super::rewriter::Rewriter;
use crate::aof::{self, Folder};
use crate::command::execute::Engine;
use crate::command::execute::replay::Replayer;
use crate::server::log_feed::LogFeed;
use crate::state::WriteRefusal;
use crate::state::append_only::Mode;
use crate::state::append_only::durability::LogWriter;
use crate::state::config::Config;
use crate::util::disk::RealDisk;
use crate::util::test_disk::power_cut::{Model, for_each_state};
use crate::util::test_disk::{Operation, TestDisk};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// An engine whose append-only file lies on a test disk.
struct Stage {
    engine: Arc<Engine>,
    feed: Arc<LogFeed>,
    rewriter: Rewriter,
    disk: Arc<TestDisk>,
}

impl Stage {
    fn new(policy: &str) -> Stage {
        Stage::with(&[("appendfsync", policy)])
    }

    /// With these directives.
    fn with(directives: &[(&str, &str)]) -> Stage {
        let disk = Arc::new(TestDisk::new());
        let config = Config::default();
        for (name, value) in [&[("appendonly", "yes")], directives].concat() {
            let set = config.set_initial(name, &[value]);
            set.expect("it is a directive");
        }
        let engine = Arc::new(Engine::new(config, None));
        let log = engine.append_only.log.clone();
        engine.keyspace.listeners.set_journal(log);
        let feed = Arc::new(LogFeed::new(&engine));
        engine.append_only.durability.set_writer(feed.clone());
        let folder = Folder::new(disk.clone(), disk.directory.clone(), PREFIX);
        let rewriter = Rewriter::new(&engine, &feed, folder);
        let mut stage = Stage {
            engine,
            feed,
            rewriter,
            disk,
        };
        stage.rewriter.continue_loaded().expect("nothing fails");
        assert_eq!(stage.engine.append_only.mode(), Mode::On);
        stage
    }

    fn run(&self, words: &[&str]) {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let result = Replayer::new(&self.engine, 0).run(&words);
        result.expect("the command is right");
    }

    /// The value of a key in another engine that has loaded what is on the disk.
    fn loaded(&self, key: &str) -> Option<Vec<u8>> {
        let engine = Engine::new(Config::default(), None);
        let mut folder = Folder::new(Arc::new(RealDisk), self.disk.directory.clone(), PREFIX);
        assert!(folder.read().expect("it can be read"));
        let found = replay::load(&engine, &folder, Manner::default());
        assert_eq!(
            found
                .expect("it is whole")
                .expect("nobody stops it")
                .failures,
            0
        );
        let key = crate::keyspace::space::Key::new(0, key.as_bytes());
        let view = crate::keyspace::view::View::from(0);
        let db = engine.locks.read(view, &[key]).expect("no script is busy");
        db.string(&key).expect("a string").map(<[u8]>::to_vec)
    }
}

const PREFIX: &str = "appendonly.aof";

fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The file to which it was written is given up: what it should hold is in the next base.
#[test]
fn after_a_failed_fsync_a_new_file_is_begun() {
    let mut stage = Stage::new("everysec");
    stage.run(&["SET", "k", "1"]);
    stage.disk.failing.set("fsync");
    let state = &stage.engine.append_only;
    wait_until(|| state.has_fsync_failed());
    let words = "Input/output error".to_string();
    let refusal = stage.engine.write_refusal();
    assert_eq!(refusal, Some(WriteRefusal::AppendOnly(words)));
    // Effects may come all the same: of keys that have expired.
    stage.run(&["SET", "k", "2"]);
    let syncs = stage.disk.count.get();
    stage.rewriter.rewrite();
    assert!(
        !state.rewrites.record().last_is_ok,
        "the new file cannot be synced"
    );
    assert!(stage.disk.count.get() > syncs);
    assert!(state.has_fsync_failed());
    stage.disk.failing.set("");
    // It is not tried again on the old file: only a rewrite helps.
    stage.feed.write_out();
    assert!(state.has_fsync_failed());
    stage.rewriter.rewrite();
    assert_eq!(stage.engine.write_refusal(), None);
    stage.run(&["APPEND", "k", "3"]);
    stage.feed.write_and_sync().expect("nothing fails");
    assert_eq!(stage.loaded("k").as_deref(), Some(&b"23"[..]));
}

#[test]
fn what_cannot_be_written_is_written_later() {
    let stage = Stage::new("no");
    stage.run(&["SET", "k", "1"]);
    stage.feed.write_out();
    stage.disk.failing.set("write");
    stage.run(&["APPEND", "k", "2"]);
    stage.feed.write_out();
    assert!(stage.engine.append_only.has_failed());
    assert_eq!(stage.loaded("k").as_deref(), Some(&b"1"[..]));
    stage.disk.failing.set("");
    stage.feed.write_out();
    assert!(!stage.engine.append_only.has_failed());
    assert_eq!(stage.loaded("k").as_deref(), Some(&b"12"[..]));
}

/// Of `always`, the reply does not leave, and the server ends.
#[test]
fn what_has_to_be_synced_and_cannot_ends_the_server() {
    for (operation, line) in [
        (
            "write",
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
        ),
        (
            "fsync",
            "Can't persist AOF for fsync error when the AOF fsync policy is 'always': Input/output error. Exiting...",
        ),
    ] {
        let stage = Stage::new("always");
        let state = &stage.engine.append_only;
        stage.run(&["SET", "k", "1"]);
        assert!(state.durability.wait_for(state.end()));
        stage.disk.failing.set(operation);
        stage.run(&["SET", "k", "2"]);
        assert!(!state.durability.wait_for(state.end()));
        assert_eq!(stage.engine.shutdown.failure().as_deref(), Some(line));
    }
}

/// The name of the new manifest cannot be given: the old files stay valid, and are written on.
#[test]
fn a_manifest_that_cannot_be_replaced_harms_nothing() {
    let mut stage = Stage::new("no");
    stage.run(&["SET", "k", "1"]);
    for operation in ["create", "rename", "fsync directory", "read back", "remove"] {
        stage.disk.failing.set(operation);
        stage.rewriter.rewrite();
        stage.run(&["APPEND", "k", "2"]);
        stage.disk.failing.set("");
        stage.feed.write_and_sync().expect("nothing fails");
    }
    assert_eq!(stage.loaded("k").as_deref(), Some(&b"122222"[..]));
    stage.rewriter.rewrite();
    assert!(stage.engine.append_only.rewrites.record().last_is_ok);
    assert_eq!(stage.loaded("k").as_deref(), Some(&b"122222"[..]));
}

/// The last value of the only key, as the server would load it from these files.
///
/// # Errors
/// The server would not start.
fn last_value(files: &BTreeMap<&str, Vec<u8>>) -> Result<u64, String> {
    let read = |path: &Path| files.get(path.to_str()?).map(Vec::as_slice);
    let commands = aof::tests::commands(&format!("{PREFIX}.manifest"), read)?;
    let last = commands.iter().rfind(|words| words[0] == b"SET");
    let digits = last.map_or(&b"0"[..], |words| &words[2]);
    let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
    digits.parse().map_err(|_| "no number".to_string())
}

/// Every state of the disk that a power cut may leave while the server writes, rewrites and begins anew under `always`
/// can be loaded, and holds what was acknowledged, or what came after it.
#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let mut stage = Stage::with(&[("appendfsync", "always"), ("aof-use-rdb-preamble", "no")]);
    // Each operation with the values that were given and acknowledged when it was done.
    let mut recorded: Vec<(Operation, u64, u64)> = Vec::new();
    let mut note = |stage: &Stage, given: u64, before: u64, acknowledged: u64| {
        let done = stage.disk.take_done();
        recorded.extend(done.into_iter().map(|operation| (operation, given, before)));
        if let Some(last) = recorded.last_mut() {
            last.2 = acknowledged;
        }
    };
    note(&stage, 0, 0, 0);
    for value in 1..=4 {
        stage.run(&["SET", "k", &value.to_string()]);
        let state = &stage.engine.append_only;
        assert!(state.durability.wait_for(state.end()));
        note(&stage, value, value - 1, value);
        match value {
            2 => stage.rewriter.rewrite(),
            3 => {
                stage.engine.give_up_increment("for the test".to_string());
                stage.rewriter.rewrite();
            }
            _ => continue,
        }
        assert!(stage.engine.append_only.rewrites.record().last_is_ok);
        note(&stage, value, value, value);
    }
    let mut model = Model::default();
    let mut states = 0;
    let mut least = 0;
    for (operation, given, acknowledged) in &recorded {
        model.apply(operation, 0);
        least = least.max(*acknowledged);
        for directory in model.directories() {
            for_each_state(&directory, &mut |files| {
                states += 1;
                let value = last_value(files).expect("it can be loaded");
                assert!(
                    (least..=*given).contains(&value),
                    "{value}, {least} acknowledged"
                );
            });
        }
    }
    assert!(states > 1000, "{states}");
}
