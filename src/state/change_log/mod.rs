//! The change log: the effects of all commands in one order, for the append-only file and for replicas.
//!
//! A thread that has changed keys appends what is to be replayed while it still holds the locks of its command. One
//! lock for all of them would make all writers wait for each other. So there are many lanes, over which the threads are
//! spread, and the order is made afterwards: each block gets a number from a common counter, and the reader puts the
//! blocks of all lanes together by their numbers.
//!
//! ```text
//! thread 1   lane 1   │ 0 SET a │ 3 MULTI … EXEC │
//! thread 2   lane 2   │ 1 SET b │ 2 DEL a │ 5 … │         4 is being appended to lane 3: 5 waits for it
//!                                   reader   0 1 2 3
//! ```
//!
//! # Invariants
//! 1. A command that changes keys draws its number while it holds the locks of its shards. So the blocks of commands
//!    that meet in a shard are in the order in which they ran. Two kinds of blocks belong to no shard: what PUBLISH
//!    sends to replicas, which concerns no data, and changes of function libraries. An image may have a library whose
//!    block comes behind it: so these blocks say REPLACE.
//! 2. A thread draws its number and appends its block under the lock of one lane. So the numbers of a lane ascend, and
//!    when the reader has locked each lane once, it has every block whose number was drawn before it began.
//! 3. A transaction or script is one block.
//! 4. Blocks with consecutive numbers in one lane, of the same database and without MULTI, are one run: the reader
//!    copies them at once. No run goes over a place where the log was [divided](Journal::divide).
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

mod reader;

pub use self::reader::{LogReader, Run};
use crate::aof::commands::write_select;
use crate::keyspace::effect::{Effects, Journal};
use crate::resp::request_writer::write_command;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// More than there are processors. A lane serves several threads if there are more of them.
const LANES: usize = 64;
/// A lane with more unread bytes is full.
const FULL_BYTES: usize = 4 * 1024 * 1024;
/// A buffer that has grown larger gives its memory back when it has been read, or written.
pub const KEPT_BYTES: usize = 1024 * 1024;

thread_local! {
    /// The lane of the thread.
    static LANE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Relaxed) % LANES
    };
}

thread_local! {
    /// The number after that of the last block that the thread has appended, 0 for none.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// The number after that of the last block that the calling thread has appended since it last forgot it; 0 for none.
pub fn last_of_thread() -> u64 {
    LAST.get()
}

/// The client that the calling thread works for was served by another thread: its block lies before this number.
pub fn set_last_of_thread(number: u64) {
    LAST.set(number);
}

/// The calling thread works for another client from now on, which has written nothing.
pub fn forget_last_of_thread() {
    LAST.set(0);
}

/// The effects that have not been read.
#[derive(Debug)]
pub struct ChangeLog {
    /// The number of the next block.
    next: Counter,
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

/// What each block changes shares no cache line with what it reads (false sharing).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counter(AtomicU64);

/// Lanes share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(Mutex<Blocks>);

/// Runs of blocks in ascending order of their numbers, the bytes one after the other.
#[derive(Debug, Default)]
struct Blocks {
    heads: Vec<Head>,
    bytes: Vec<u8>,
    /// Whether the next block begins a run.
    is_divided: bool,
}

/// What is known of a run: of blocks with consecutive numbers, of the same database and without MULTI.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// The number of the first block.
    number: u64,
    blocks: u64,
    /// Bytes.
    len: usize,
    /// The databases in which the first and the last command run. Between two commands that run in different databases
    /// the bytes have a SELECT.
    first_database: usize,
    last_database: usize,
    is_transaction: bool,
    /// Whether it changes nothing, and is in no file.
    is_for_replicas: bool,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    /// Commands that change keys.
    Changes,
    /// Such commands, between MULTI and EXEC.
    Transaction,
    /// A command that changes nothing.
    ForReplicas,
}

impl Default for ChangeLog {
    fn default() -> ChangeLog {
        ChangeLog {
            next: Counter::default(),
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
    /// The number after that of the last block.
    #[inline]
    pub fn end(&self) -> u64 {
        self.next.0.load(Relaxed)
    }

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
        kind: BlockKind,
        databases: (usize, usize),
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let lane = &self.lanes[LANE.with(|lane| *lane)];
        let mut blocks = lane.lock();
        let before = blocks.bytes.len();
        write(&mut blocks.bytes);
        let head = Head {
            number: self.next.0.fetch_add(1, Relaxed),
            blocks: 1,
            len: blocks.bytes.len() - before,
            first_database: databases.0,
            last_database: databases.1,
            is_transaction: kind == BlockKind::Transaction,
            is_for_replicas: kind == BlockKind::ForReplicas,
        };
        LAST.set(head.number + 1);
        blocks.push(head);
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
        let kind = match effects.is_transaction() {
            true => BlockKind::Transaction,
            false => BlockKind::Changes,
        };
        self.append_block(kind, (first, last), |out| {
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
        self.append_block(BlockKind::Changes, (database, database), |out| {
            write_command(out, arguments).expect("a Vec takes everything");
        });
    }

    fn append_for_replicas(&self, database: usize, arguments: &[&[u8]]) {
        self.append_block(BlockKind::ForReplicas, (database, database), |out| {
            write_command(out, arguments).expect("a Vec takes everything");
        });
    }

    /// No run goes over the place: the blocks before it can be read without those behind it.
    fn divide(&self) -> u64 {
        let mut lanes: Vec<_> = self.lanes.iter().map(Lane::lock).collect();
        lanes.iter_mut().for_each(|blocks| blocks.is_divided = true);
        self.end()
    }
}

impl Blocks {
    /// Adds the head of a block whose bytes have been appended.
    fn push(&mut self, head: Head) {
        match self.heads.last_mut() {
            Some(last) if last.takes(&head) && !self.is_divided => {
                last.blocks += 1;
                last.len += head.len;
                last.last_database = head.last_database;
            }
            _ => {
                self.heads.push(head);
                self.is_divided = false;
            }
        }
    }

    fn clear(&mut self) {
        self.is_divided = false;
        self.heads.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.heads.shrink_to(KEPT_BYTES / size_of::<Head>());
    }
}

impl Head {
    /// Whether a block can become part of the run.
    fn takes(&self, block: &Head) -> bool {
        self.number + self.blocks == block.number
            && self.last_database == block.first_database
            && !self.is_transaction
            && !block.is_transaction
            && self.is_for_replicas == block.is_for_replicas
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

#[cfg(test)]
mod tests;
