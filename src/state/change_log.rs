//! The change log: the effects of all commands in one order, for the append-only file and for replicas.
//!
//! A thread that has changed keys appends what is to be replayed while it still holds the locks of its command. One
//! lock for all of them would make all writers wait for each other. So there are many lanes, of which a thread has one,
//! and the order is made afterwards: each block gets a number from a common counter, and the reader puts the blocks of
//! all lanes together by their numbers.
//!
//! ```text
//! thread 1   lane 1   │ 0 SET a │ 3 MULTI … EXEC │
//! thread 2   lane 2   │ 1 SET b │ 2 DEL a │ 5 … │         4 is being appended to lane 3: 5 waits for it
//!                                   reader   0 1 2 3
//! ```
//!
//! # Invariants
//! 1. A number is drawn while the locks of its command are held. So the blocks of commands that meet in a shard are in
//!    the order in which they ran.
//! 2. A number is drawn, and its block appended, under the lock of one lane. So the numbers of a lane ascend, and a
//!    number that was drawn before the reader has begun to look is there when it has looked into all lanes, or comes
//!    with its next look.
//! 3. A transaction or script is one block.
//!
//! # Back-pressure
//! The log is [held](ChangeLog::hold) when a lane is full, or when its reader says that the disk is too slow. Then
//! commands that change keys wait before they take their locks, so that no thread waits with a lock in hand.
//!
//! # Thread safety
//! Any thread appends, with shards locked; the lock of a lane is a leaf, held while a command is copied. One reader
//! reads, whichever thread has it.
//!
//! A reader that sleeps is woken by the next block. It sets `is_awaited` before it looks into all lanes for the last
//! time. A thread that appends after that look has taken the lane's lock after the reader let it go: so it sees the
//! flag.

use crate::aof::commands::write_select;
use crate::keyspace::effect::{Effects, Journal};
use crate::resp::request_writer::write_command;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// More than threads that run at the same time.
const LANES: usize = 64;
/// A lane with more unread bytes is full.
const FULL_BYTES: usize = 4 * 1024 * 1024;
/// A buffer that has grown larger gives its memory back when it has been read, or written.
pub const KEPT_BYTES: usize = 1024 * 1024;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

thread_local! {
    /// The lane of the thread.
    static LANE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Relaxed) % LANES
    };
}

/// The effects that have not been read.
#[derive(Debug)]
pub struct ChangeLog {
    /// The number of the next block.
    next: AtomicU64,
    lanes: Box<[Lane]>,
    /// Whether the reader sleeps until there is a block.
    is_awaited: AtomicBool,
    /// Why changes wait: bits of [`Hold`].
    held: AtomicU8,
    /// Under this mutex the reader falls asleep, and `held` changes.
    changing: Mutex<()>,
    appended: Condvar,
    let_go: Condvar,
}

/// Why changes wait.
#[derive(Clone, Copy, Debug)]
pub enum Hold {
    /// A lane is full.
    Full = 1,
    /// What was written first is not on the disk yet, and should be.
    Late = 2,
}

/// Lanes do not share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(Mutex<Blocks>);

/// Blocks in ascending order of their numbers, the bytes one after the other.
#[derive(Debug, Default)]
struct Blocks {
    heads: Vec<Head>,
    bytes: Vec<u8>,
}

/// What is known of a block.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: u64,
    len: usize,
    /// The databases in which its first and its last command run. Between two commands that run in different databases
    /// the bytes have a SELECT.
    first_database: usize,
    last_database: usize,
    is_transaction: bool,
}

impl Default for ChangeLog {
    fn default() -> ChangeLog {
        ChangeLog {
            next: AtomicU64::new(0),
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            is_awaited: AtomicBool::new(false),
            held: AtomicU8::new(0),
            changing: Mutex::default(),
            appended: Condvar::new(),
            let_go: Condvar::new(),
        }
    }
}

impl ChangeLog {
    /// Bytes of the blocks that have not been read.
    pub fn bytes(&self) -> usize {
        let lanes = self.lanes.iter();
        lanes.map(|lane| lane.lock().bytes.len()).sum()
    }

    /// Lets changes wait.
    pub fn hold(&self, why: Hold) {
        let _changing = self.changing();
        self.held.fetch_or(why as u8, Relaxed);
    }

    /// Lets changes go on, unless there is another reason to wait.
    pub fn release(&self, why: Hold) {
        if self.held.load(Relaxed) & why as u8 != 0 {
            let _changing = self.changing();
            self.held.fetch_and(!(why as u8), Relaxed);
            self.let_go.notify_all();
        }
    }

    /// Whether changes have to wait.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.held.load(Relaxed) != 0
    }

    /// Waits until changes may go on, for this long at most. The thread must hold no lock.
    pub fn wait_while_held(&self, longest: Duration) {
        let is_held = |(): &mut ()| self.is_held();
        let wait = self
            .let_go
            .wait_timeout_while(self.changing(), longest, is_held);
        drop(wait);
    }

    /// Sleeps until there are unread blocks, for this long at most. For the reader's thread.
    pub fn wait_for_blocks(&self, longest: Duration) {
        let changing = self.changing();
        self.is_awaited.store(true, Relaxed);
        let mut lanes = self.lanes.iter();
        if lanes.all(|lane| lane.lock().heads.is_empty()) {
            let is_awaited = |(): &mut ()| self.is_awaited.load(Relaxed);
            let wait = self
                .appended
                .wait_timeout_while(changing, longest, is_awaited);
            drop(wait);
        }
        self.is_awaited.store(false, Relaxed);
    }

    #[cold]
    fn wake_reader(&self) {
        let _changing = self.changing();
        self.is_awaited.store(false, Relaxed);
        self.appended.notify_all();
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a block; `write` writes its bytes.
    fn append_block(
        &self,
        databases: (usize, usize),
        is_transaction: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let lane = &self.lanes[LANE.with(|lane| *lane)];
        let mut blocks = lane.lock();
        let before = blocks.bytes.len();
        write(&mut blocks.bytes);
        let head = Head {
            number: self.next.fetch_add(1, Relaxed),
            len: blocks.bytes.len() - before,
            first_database: databases.0,
            last_database: databases.1,
            is_transaction,
        };
        blocks.heads.push(head);
        let is_full = blocks.bytes.len() >= FULL_BYTES;
        drop(blocks);
        if self.is_awaited.load(Relaxed) {
            self.wake_reader();
        }
        if is_full {
            self.hold(Hold::Full);
        }
    }
}

impl Journal for ChangeLog {
    fn append(&self, effects: &Effects) {
        let mut commands = effects.iter();
        let Some((first, bytes)) = commands.next() else {
            return;
        };
        let last = effects
            .iter()
            .next_back()
            .map_or(first, |(database, _)| database);
        self.append_block((first, last), effects.is_transaction(), |out| {
            out.extend_from_slice(bytes);
            let mut selected = first;
            for (database, bytes) in commands {
                if std::mem::replace(&mut selected, database) != database {
                    select(database, out);
                }
                out.extend_from_slice(bytes);
            }
        });
    }

    fn append_command(&self, database: usize, arguments: &[&[u8]]) {
        self.append_block((database, database), false, |out| {
            write_command(out, arguments).expect("a Vec takes everything");
        });
    }

    fn end(&self) -> u64 {
        self.next.load(Relaxed)
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn select(database: usize, out: &mut Vec<u8>) {
    write_select(out, database as u64).expect("a Vec takes everything");
}

/// Puts the blocks together.
#[derive(Debug)]
pub struct LogReader {
    log: Arc<ChangeLog>,
    /// What was taken out of the lanes.
    taken: Vec<Blocks>,
    /// Where the block of each number is, from `next` on: its lane, and the place of its first byte.
    places: Vec<Option<(Head, usize, usize)>>,
    /// Blocks that came before one with a lower number.
    early: BTreeMap<u64, (Head, Vec<u8>)>,
    /// The number of the block that comes next.
    next: u64,
    /// The database that is selected where the reader is; `None` at the beginning of a file.
    selected: Option<usize>,
}

impl LogReader {
    /// Reads from the end of the log on. What is in the lanes is dropped.
    pub fn new(log: Arc<ChangeLog>) -> LogReader {
        let next = log.end();
        log.lanes.iter().for_each(|lane| lane.lock().clear());
        LogReader {
            taken: (0..LANES).map(|_| Blocks::default()).collect(),
            places: Vec::new(),
            early: BTreeMap::new(),
            next,
            selected: None,
            log,
        }
    }

    /// The number of the block that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// What follows goes into a new file.
    pub fn forget_selected(&mut self) {
        self.selected = None;
    }

    /// Appends what can be read of the blocks before a number to `out`, as it goes over the wire. `end` says which
    /// number that is, when the
    /// blocks have been taken out of the lanes: so it may be set by a thread that holds the locks of all shards, and no
    /// block that comes after that is read.
    pub fn read_before(&mut self, end: impl FnOnce() -> u64, out: &mut Vec<u8>) {
        self.take_all();
        let end = end();
        self.write_early(end, out);
        let places = std::mem::take(&mut self.places);
        for (head, lane, start) in places.iter().flatten() {
            let bytes = &self.taken[*lane].bytes[*start..start + head.len];
            if head.number == self.next && self.next < end {
                self.selected = Some(write_block(head, bytes, self.selected, out));
                self.next += 1;
                self.write_early(end, out);
            } else {
                self.early.insert(head.number, (*head, bytes.to_vec()));
            }
        }
        self.places = places;
        self.places.clear();
        self.taken.iter_mut().for_each(Blocks::clear);
    }

    /// Appends the blocks whose turn has come since they were taken out of the lanes.
    fn write_early(&mut self, end: u64, out: &mut Vec<u8>) {
        while self.next < end
            && let Some((head, bytes)) = self.early.remove(&self.next)
        {
            self.selected = Some(write_block(&head, &bytes, self.selected, out));
            self.next += 1;
        }
    }

    /// Takes the blocks out of all lanes, and notes their places.
    fn take_all(&mut self) {
        let lanes = self.log.lanes.iter().zip(&mut self.taken);
        for (number, (lane, taken)) in lanes.enumerate() {
            let mut blocks = lane.lock();
            if blocks.heads.is_empty() {
                continue;
            }
            std::mem::swap(&mut *blocks, taken);
            drop(blocks);
            let mut start = 0;
            for head in &taken.heads {
                let place = (head.number - self.next) as usize;
                if place >= self.places.len() {
                    self.places.resize(place + 1, None);
                }
                self.places[place] = Some((*head, number, start));
                start += head.len;
            }
        }
        self.log.release(Hold::Full);
    }
}

impl Blocks {
    fn clear(&mut self) {
        self.heads.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.heads.shrink_to(KEPT_BYTES / size_of::<Head>());
    }
}

/// Writes a block where a database is selected; returns which one is afterwards. As in Redis, MULTI comes before
/// SELECT.
fn write_block(head: &Head, bytes: &[u8], selected: Option<usize>, out: &mut Vec<u8>) -> usize {
    if head.is_transaction {
        out.extend_from_slice(MULTI);
    }
    if selected != Some(head.first_database) {
        select(head.first_database, out);
    }
    out.extend_from_slice(bytes);
    if head.is_transaction {
        out.extend_from_slice(EXEC);
    }
    head.last_database
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &mut LogReader) -> String {
        let mut out = Vec::new();
        reader.read_before(|| u64::MAX, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn wire(lines: &[&str]) -> String {
        let command = |line: &&str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let mut out = Vec::new();
            write_command(&mut out, &words).unwrap();
            String::from_utf8(out).unwrap()
        };
        lines.iter().map(command).collect()
    }

    fn log() -> (Arc<ChangeLog>, LogReader) {
        let log = Arc::new(ChangeLog::default());
        let reader = LogReader::new(log.clone());
        (log, reader)
    }

    #[test]
    fn commands_come_in_their_order_each_in_its_database() {
        let (log, mut reader) = log();
        log.append_command(0, &[b"SET", b"a", b"1"]);
        log.append_command(3, &[b"SET", b"b", b"2"]);
        log.append_command(3, &[b"DEL", b"b"]);
        let expected = ["SELECT 0", "SET a 1", "SELECT 3", "SET b 2", "DEL b"];
        assert_eq!(read(&mut reader), wire(&expected));
        assert_eq!((reader.next(), log.end()), (3, 3));
        log.append_command(3, &[b"DEL", b"a"]);
        assert_eq!(read(&mut reader), wire(&["DEL a"]));
        // Another file begins.
        reader.forget_selected();
        log.append_command(3, &[b"DEL", b"a"]);
        assert_eq!(read(&mut reader), wire(&["SELECT 3", "DEL a"]));
        assert_eq!(read(&mut reader), "");
    }

    #[test]
    fn a_transaction_is_a_block() {
        let (log, mut reader) = log();
        let mut effects = Effects::default();
        for (database, word) in [(1, "a"), (1, "b"), (2, "c")] {
            effects.push(database, &[b"DEL", word.as_bytes()]);
        }
        // An expired key, and the command: no transaction.
        log.append(&effects);
        log.append(&Effects::default());
        log.append_command(2, &[b"DEL", b"d"]);
        assert_eq!(
            read(&mut reader),
            wire(&["SELECT 1", "DEL a", "DEL b", "SELECT 2", "DEL c", "DEL d"])
        );
        effects.join();
        log.append(&effects);
        assert_eq!(
            read(&mut reader),
            wire(&[
                "MULTI", "SELECT 1", "DEL a", "DEL b", "SELECT 2", "DEL c", "EXEC"
            ])
        );
    }

    /// A block waits for those before it that are still being appended.
    #[test]
    fn no_block_comes_before_its_turn() {
        let (log, mut reader) = log();
        log.append_command(0, &[b"DEL", b"0"]);
        // Number 1 has been drawn, and its block is not there yet.
        log.next.fetch_add(1, Relaxed);
        log.append_command(0, &[b"DEL", b"2"]);
        assert_eq!(read(&mut reader), wire(&["SELECT 0", "DEL 0"]));
        log.append_command(0, &[b"DEL", b"3"]);
        assert_eq!(read(&mut reader), "");
        let mut bytes = Vec::new();
        write_command(&mut bytes, &[b"DEL", b"1"]).unwrap();
        let head = Head {
            number: 1,
            len: bytes.len(),
            first_database: 0,
            last_database: 0,
            is_transaction: false,
        };
        *log.lanes[LANES - 1].lock() = Blocks {
            heads: vec![head],
            bytes,
        };
        log.append_command(0, &[b"DEL", b"4"]);
        assert_eq!(
            read(&mut reader),
            wire(&["DEL 1", "DEL 2", "DEL 3", "DEL 4"])
        );
    }

    #[test]
    fn blocks_after_an_end_are_kept() {
        let (log, mut reader) = log();
        for word in [&b"0"[..], b"1", b"2"] {
            log.append_command(0, &[b"DEL", word]);
        }
        let mut out = Vec::new();
        reader.read_before(|| 1, &mut out);
        assert_eq!(out, wire(&["SELECT 0", "DEL 0"]).into_bytes());
        assert_eq!(reader.next(), 1);
        reader.forget_selected();
        log.append_command(0, &[b"DEL", b"3"]);
        assert_eq!(
            read(&mut reader),
            wire(&["SELECT 0", "DEL 1", "DEL 2", "DEL 3"])
        );
    }

    #[test]
    fn a_full_lane_holds_changes_until_it_is_read() {
        let (log, mut reader) = log();
        log.append_command(0, &[b"SET", b"k", &vec![b'x'; FULL_BYTES]]);
        assert!(log.is_held());
        log.hold(Hold::Late);
        read(&mut reader);
        assert!(log.is_held());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| log.wait_while_held(Duration::from_secs(3600)));
            log.release(Hold::Late);
            waiting.join().unwrap();
        });
        assert!(!log.is_held());
    }

    /// However the reader's sleep and a block meet, the reader wakes.
    #[test]
    fn a_block_wakes_the_reader() {
        let (log, mut reader) = log();
        for number in 1..=1000 {
            std::thread::scope(|scope| {
                scope.spawn(|| log.append_command(0, &[b"DEL", b"k"]));
                while reader.next() < number {
                    log.wait_for_blocks(Duration::from_secs(3600));
                    read(&mut reader);
                }
            });
        }
    }

    /// Threads that count a shared number up under its lock, each time with a command: the commands come in that order.
    #[test]
    fn the_order_is_that_of_the_locks() {
        const THREADS: usize = 4;
        const TIMES: usize = 2000;
        let (log, mut reader) = log();
        let count = Mutex::new(0);
        let mut out = String::new();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        let mut count = count.lock().unwrap();
                        log.append_command(0, &[b"ECHO", count.to_string().as_bytes()]);
                        *count += 1;
                    }
                });
            }
            while reader.next() < (THREADS * TIMES) as u64 {
                out += &read(&mut reader);
            }
        });
        let lines: Vec<String> = (0..THREADS * TIMES)
            .map(|count| format!("ECHO {count}"))
            .collect();
        let lines: Vec<&str> = std::iter::once("SELECT 0")
            .chain(lines.iter().map(String::as_str))
            .collect();
        assert_eq!(out, wire(&lines));
    }
}
