//! Servers killed by SIGKILL while they write and save. What they leave is a dump that had been completed, and never
//! one older than what a client was told is saved.
//!
//! 200 kills are part of every run; for more:
//!
//! ```sh
//! SIGKILLS=2000 cargo test --release --test main kills -- --nocapture
//! ```

use crate::common::{Client, Folder, Server, kill_in_lanes, redis_tool};
use my_redis_server::rdb::{Item, Reader, Value};
use my_redis_server::resp::decoder::Value as Reply;
use std::fs::{self, File};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

/// Servers that are killed side by side, each in a folder of its own.
const LANES: usize = 4;
/// The keys that every write sets, all to the same number.
const KEYS: usize = 40;
/// Bytes behind the number in each value, so that a dump is more than one write.
const PADDING: usize = 4_000;
/// Replies after which a server is killed, at most.
const MAX_REPLIES: u64 = 30;

#[test]
fn a_killed_server_leaves_the_last_dump_that_it_has_completed() {
    let (kills, tallies) = kill_in_lanes(LANES, |index, kills| Lane::new(index as u64).run(kills));
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (within_save, advanced) = (sum(|it| it.within_save), sum(|it| it.advanced));
    println!(
        "{kills} kills: {within_save} within a save, {advanced} left a newer dump than the kill before"
    );
    assert_eq!(sum(|it| it.kills), kills);
    // Otherwise the kills would show nothing.
    assert!(within_save * 10 >= kills && advanced * 20 >= kills);
}

/// What a lane has met.
#[derive(Default)]
struct Tally {
    kills: usize,
    /// Kills that left an unfinished dump behind.
    within_save: usize,
    /// Kills after which the dump was newer than before.
    advanced: usize,
}

struct Lane {
    folder: Folder,
    random: fastrand::Rng,
    tally: Tally,
    /// The number of the last write that was sent.
    sent: AtomicU64,
    /// The number of the last write that was answered.
    answered: AtomicU64,
    /// The last write that must be in the dump: it had been answered when a save was asked for that has ended well.
    saved: AtomicU64,
}

impl Lane {
    fn new(seed: u64) -> Lane {
        Lane {
            folder: Folder::new(),
            random: fastrand::Rng::with_seed(seed),
            tally: Tally::default(),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            saved: AtomicU64::new(0),
        }
    }

    fn run(mut self, kills: usize) -> Tally {
        for _ in 0..kills {
            let mut server = self.start();
            let replies = self.random.u64(1..=MAX_REPLIES);
            self.write_and_save_until_killed(&mut server, replies);
            server.wait();
            self.check_folder();
        }
        drop(self.start());
        if self.folder.dump().exists() {
            let checked = redis_tool("redis-check-rdb")
                .arg(self.folder.dump())
                .output();
            let text = checked.expect("it runs").stdout;
            assert!(String::from_utf8_lossy(&text).contains("RDB looks OK!"));
        }
        self.tally
    }

    /// Starts a server on what the last one has left: it holds what the dump does, and has cleared away the rest.
    fn start(&self) -> Server {
        let server = Server::ours(&self.folder, &["--save", "", "--rdbcompression", "no"]);
        let mut client = server.client();
        let (keys, value) = match self.saved.load(SeqCst) {
            0 => (0, Reply::Null),
            number => (KEYS as i64, Reply::Bulk(value(number))),
        };
        assert_eq!(client.integer(&["DBSIZE"]), keys);
        let found = client.call(&["GET", "key:0"]);
        assert!(
            found == value,
            "the server does not hold what its dump does"
        );
        let unknown: Vec<String> = self
            .names()
            .into_iter()
            .filter(|name| name != "log" && name != "dump.my_rdb")
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        server
    }

    /// One client saves all the time, another writes; after so many replies to the latter the server is killed.
    fn write_and_save_until_killed(&self, server: &mut Server, replies: u64) {
        let mut writer = server.client();
        let saver = server.client();
        thread::scope(|scope| {
            scope.spawn(|| self.save_until_killed(saver));
            for _ in 0..replies {
                let number = self.sent.fetch_add(1, SeqCst) + 1;
                let value = value(number);
                let keys: Vec<String> = (0..KEYS).map(|index| format!("key:{index}")).collect();
                let pairs = keys.iter().flat_map(|key| [key.as_bytes(), &value[..]]);
                let request: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain(pairs).collect();
                assert_eq!(writer.call(&request), Reply::Simple(b"OK".to_vec()));
                self.answered.store(number, SeqCst);
            }
            server.process.kill().expect("it runs");
        });
    }

    fn save_until_killed(&self, mut client: Client) {
        loop {
            let answered = self.answered.load(SeqCst);
            if client.try_send(&["SAVE"]).is_err() {
                return;
            }
            match client.try_receive() {
                None => return,
                Some(reply) => assert_eq!(reply, Reply::Simple(b"OK".to_vec())),
            }
            self.saved.fetch_max(answered, SeqCst);
        }
    }

    /// The folder of a killed server: a dump of one moment, neither too old nor from the future, and at most one
    /// unfinished one beside it.
    fn check_folder(&mut self) {
        let names = self.names();
        let unfinished = names
            .iter()
            .filter(|name| name.starts_with("temp-"))
            .count();
        assert!(unfinished <= 1, "{names:?}");
        self.tally.kills += 1;
        self.tally.within_save += unfinished;
        let found = match File::open(self.folder.dump()) {
            Ok(dump) => number_in(dump),
            Err(_) => 0,
        };
        let (saved, sent) = (self.saved.load(SeqCst), self.sent.load(SeqCst));
        assert!(
            (saved..=sent).contains(&found),
            "the dump holds {found}; {saved} was saved, {sent} sent"
        );
        // The dump that is there now must not give way to an older one either.
        let before = self.saved.swap(found, SeqCst);
        self.answered.store(found, SeqCst);
        self.tally.advanced += usize::from(found > before);
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there");
        entries
            .map(|entry| entry.expect("a readable entry").file_name())
            .map(|name| name.into_string().expect("an ASCII name"))
            .collect()
    }
}

/// The number, and bytes that differ from those of its neighbours.
fn value(number: u64) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = fastrand::Rng::with_seed(1);
        (0..2 * PADDING).map(|_| random.u8(..)).collect()
    });
    let start = number as usize % PADDING;
    [
        format!("{number}:").as_bytes(),
        &BYTES[start..start + PADDING],
    ]
    .concat()
}

/// The number of the write that a dump holds: all of it, and nothing else. 0 if it was written before the first one.
fn number_in(dump: File) -> u64 {
    let mut reader = Reader::new(dump).expect("a dump");
    let mut numbers = Vec::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        if let Item::Key(record) = item {
            let Value::String(found) = record.value else {
                panic!("a string")
            };
            let digits = found.split(|byte| *byte == b':').next().expect("a number");
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse().ok());
            let number = number.expect("a number");
            assert!(found == value(number), "the value of write {number}");
            numbers.push(number);
        }
    }
    assert!(numbers.is_empty() || numbers.len() == KEYS, "{numbers:?}");
    assert!(
        numbers.windows(2).all(|pair| pair[0] == pair[1]),
        "{numbers:?}"
    );
    numbers.first().copied().unwrap_or(0)
}
