//! Rounds in which a snapshot is sent to clients that ask for it: replicas, and what `redis-cli --rdb` wants.
//!
//! A round writes one snapshot, and all clients that joined before it began get it. Each client's thread sends at its
//! own pace from blocks that all of them share; the writer waits for the slowest.
//!
//! ```text
//!   join        a client asks: it joins the round that waits to begin, or makes one
//!   begin       when more clients have had time to join, and few enough rounds are under way, the thread of one of
//!               its clients begins it
//!   write       a thread of its own writes the snapshot, block after block; the clients' threads send them
//!   end         all is written, and the last client has got everything or is gone
//! ```
//!
//! # Thread safety
//! A client's thread joins, waits for its turn and takes blocks ([`Membership`]). The thread that writes the snapshot
//! uses [`RoundOutput`] and [`Round::finish`]. Both hold a mutex for a few lines, and wait on a condition variable.
//!
//! # Invariants
//! 1. A client joins only a round that has not begun, so it gets everything that was acknowledged before it asked.
//! 2. At most `MOST_ROUNDS` are under way. Clients that ask and do not read cost no more snapshots in memory, and no
//!    more files on the disk, than that.
//! 3. A round holds at most `MOST_WAITING_BYTES` that not all of its clients have sent, and one block more.
//!
//! The lock of a round is taken under that of the book when a client joins, never the other way round. No other lock
//! is taken under either.

use crate::resp::snapshot_end::MARK_BYTES;
use crate::state::replication::backlog::BacklogReader;
use crate::util::random::hex_digits;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Rounds that may be under way at the same time. With two, a client that does not read delays only the clients of its
/// own round.
const MOST_ROUNDS: usize = 2;
/// Bytes of a round that may wait for its slowest client.
const MOST_WAITING_BYTES: usize = 8 << 20;

/// The rounds of a server of one kind: for replicas, or for clients that want a dump.
#[derive(Debug, Default)]
pub struct Transfers {
    book: Mutex<Book>,
    /// A round has begun or ended.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Book {
    under_way: usize,
    /// The round that waits to begin.
    next: Option<Arc<Round>>,
}

/// One round.
#[derive(Debug)]
pub struct Round {
    /// The end mark: it follows the dump for clients that do not know its length.
    pub end_mark: String,
    /// The replication stream behind the snapshot, once that is taken; for replicas.
    stream: OnceLock<StreamStart>,
    progress: Mutex<Progress>,
    /// A block was added or sent, or the writer has ended.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    /// Clients and the writer.
    members: usize,
    has_begun: bool,
    /// When it may begin: then its first client has waited long enough for others.
    due: Option<Instant>,
    /// Whether a client must know the length before the first byte.
    needs_file: bool,
    /// For each client that sends blocks, the number of the next one.
    senders: BTreeMap<usize, usize>,
    last_sender: usize,
    /// Blocks that at least one client has not sent; the first of them has the number `sent_by_all`.
    blocks: VecDeque<Arc<Vec<u8>>>,
    sent_by_all: usize,
    waiting_bytes: usize,
    end: Option<End>,
}

/// Where the stream stands at the snapshot of a round.
#[derive(Debug)]
pub struct StreamStart {
    /// The replication id.
    pub id: String,
    /// The stream from there on.
    pub reader: BacklogReader,
}

/// How long a client that joins a round waits for others to join.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// At most this long, from the time at which the first client joins.
    pub delay: Duration,
    /// Not any more when the round has this many clients; 0 for any number.
    pub enough: usize,
}

impl Patience {
    /// It does not wait.
    pub const NONE: Patience = Patience {
        delay: Duration::ZERO,
        enough: 0,
    };
}

/// The end of the writing of a round.
#[derive(Clone, Debug)]
pub enum End {
    /// The dump is whole. If a client needs its length first, it lies in a file without a name.
    Whole(Option<Arc<File>>),
    /// The dump could not be written.
    Failed,
}

/// A client's place in a round, or the writer's. The round ends when the last one is dropped.
#[derive(Debug)]
pub struct Membership {
    transfers: Arc<Transfers>,
    /// The round.
    pub round: Arc<Round>,
    /// The number of a client that sends blocks; `None` for the writer, and for a client that waits for the whole file.
    sender: Option<usize>,
    is_writer: bool,
}

/// The next step for the thread of a client that has joined a round.
#[derive(Debug)]
pub enum Turn {
    /// Go on waiting.
    Wait,
    /// Send: the round has begun.
    Send,
    /// Have a thread write the round with this membership, then send.
    Begin(Membership),
}

/// The next thing to send.
#[derive(Debug)]
pub enum Next {
    /// The next block.
    Block(Arc<Vec<u8>>),
    /// Nothing yet.
    Nothing,
    /// Nothing more.
    End(End),
}

impl Transfers {
    /// Joins the round that begins next. `needs_length` says that the client must know the length before the first
    /// byte.
    pub fn join(self: &Arc<Self>, needs_length: bool, patience: Patience) -> Membership {
        let mut book = self.lock();
        let round = book
            .next
            .get_or_insert_with(|| Arc::new(Round::new()))
            .clone();
        // Joined under the lock of the book, so that the round has not begun.
        let sender = round.lock().join(needs_length, patience);
        drop(book);
        self.changed.notify_all();
        Membership {
            transfers: self.clone(),
            round,
            sender,
            is_writer: false,
        }
    }

    /// Forgets a round that waits to begin, if its last client has left: the next client waits for others anew.
    fn forget(&self, round: &Arc<Round>) {
        let mut book = self.lock();
        let is_left = |next: &mut Arc<Round>| Arc::ptr_eq(next, round) && next.lock().members == 0;
        drop(book.next.take_if(is_left));
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Waits for the beginning of the round, at most this long.
    pub fn wait_for_turn(&mut self, longest: Duration) -> Turn {
        let is_next = |book: &Book| {
            let next = book.next.as_ref();
            next.is_some_and(|next| Arc::ptr_eq(next, &self.round))
        };
        let until = Instant::now() + longest;
        let mut book = self.transfers.lock();
        loop {
            let left = self.round.lock().time_until_due();
            let waits = is_next(&book) && (book.under_way >= MOST_ROUNDS || !left.is_zero());
            if !waits {
                break;
            }
            let mut longest = until.saturating_duration_since(Instant::now());
            if longest.is_zero() {
                return Turn::Wait;
            }
            if !left.is_zero() {
                longest = longest.min(left);
            }
            let waited = self.transfers.changed.wait_timeout(book, longest);
            book = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_next = book
            .next
            .take_if(|next| Arc::ptr_eq(next, &self.round))
            .is_some();
        if !is_next {
            return Turn::Send;
        }
        book.under_way += 1;
        drop(book);
        self.transfers.changed.notify_all();
        self.round.lock().begin();
        Turn::Begin(Membership {
            transfers: self.transfers.clone(),
            round: self.round.clone(),
            sender: None,
            is_writer: true,
        })
    }

    /// Waits, at most this long, for the next block (for a client that sends blocks) or for the end of the round.
    pub fn next(&mut self, longest: Duration) -> Next {
        let round = &self.round;
        let has_nothing = |progress: &mut Progress| {
            progress.end.is_none() && progress.block(self.sender).is_none()
        };
        let waited = round
            .changed
            .wait_timeout_while(round.lock(), longest, has_nothing);
        let (mut progress, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = progress.block(self.sender) {
            // It counts as sent already, before it is: one block more in memory does not matter.
            let is_sent_by_all = progress.advance(self.sender);
            drop(progress);
            if is_sent_by_all {
                round.changed.notify_all();
            }
            return Next::Block(block);
        }
        match &progress.end {
            Some(end) => Next::End(end.clone()),
            None => Next::Nothing,
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut progress = self.round.lock();
        progress.members -= 1;
        if self.is_writer {
            // A writer that panics or returns early has not called `finish`.
            progress.end.get_or_insert(End::Failed);
        }
        if let Some(sender) = self.sender {
            progress.senders.remove(&sender);
            progress.drop_sent();
        }
        let (is_empty, has_begun) = (progress.members == 0, progress.has_begun);
        drop(progress);
        self.round.changed.notify_all();
        if is_empty && has_begun {
            self.transfers.lock().under_way -= 1;
            self.transfers.changed.notify_all();
        } else if is_empty {
            self.transfers.forget(&self.round);
        }
    }
}

/// A new end mark, which follows a dump whose length was not known at its beginning: 160 random bits, so that no dump
/// contains it.
pub fn new_end_mark() -> String {
    hex_digits(MARK_BYTES)
}

impl Round {
    fn new() -> Round {
        Round {
            end_mark: new_end_mark(),
            stream: OnceLock::new(),
            progress: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a client of the round needs the dump as a file. For the writer: it does not change once the round has
    /// begun.
    pub fn needs_file(&self) -> bool {
        self.lock().needs_file
    }

    /// The clients that it is for. For the writer, which is a member too.
    pub fn clients(&self) -> usize {
        self.lock().members - 1
    }

    /// Says where the stream stands at the snapshot. For the writer.
    pub fn set_stream(&self, stream: StreamStart) {
        let _progress = self.lock();
        let already = self.stream.set(stream);
        debug_assert!(already.is_ok(), "a round has one snapshot");
        self.changed.notify_all();
    }

    /// Waits for the snapshot, at most this long; `None` if it is not there yet, or will never be.
    pub fn wait_for_stream(&self, longest: Duration) -> Option<&StreamStart> {
        let has_none =
            |progress: &mut Progress| self.stream.get().is_none() && progress.end.is_none();
        drop(
            self.changed
                .wait_timeout_while(self.lock(), longest, has_none),
        );
        self.stream.get()
    }

    /// Whether nothing more is written.
    pub fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Says that nothing more is written. For the writer.
    pub fn finish(&self, end: End) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }
}

impl Progress {
    /// Adds a client; returns its number if it sends blocks.
    fn join(&mut self, needs_length: bool, patience: Patience) -> Option<usize> {
        self.members += 1;
        let due = Instant::now() + patience.delay;
        let is_enough = patience.enough > 0 && self.members >= patience.enough;
        self.due = match self.due {
            _ if is_enough => None,
            Some(first) => Some(first.min(due)),
            None if self.members == 1 => Some(due),
            None => None,
        };
        self.needs_file |= needs_length;
        if needs_length {
            return None;
        }
        self.last_sender += 1;
        self.senders.insert(self.last_sender, 0);
        Some(self.last_sender)
    }

    /// How long it waits for more clients.
    fn time_until_due(&self) -> Duration {
        let due = self
            .due
            .map(|due| due.saturating_duration_since(Instant::now()));
        due.unwrap_or_default()
    }

    /// Begins the round, and adds the writer as a member.
    fn begin(&mut self) {
        self.members += 1;
        self.has_begun = true;
    }

    fn block(&self, sender: Option<usize>) -> Option<Arc<Vec<u8>>> {
        let next = *self.senders.get(&sender?)?;
        self.blocks.get(next - self.sent_by_all).cloned()
    }

    /// Goes on to the next block. Returns whether a block was dropped, because all clients have sent it.
    fn advance(&mut self, sender: Option<usize>) -> bool {
        if let Some(next) = sender.and_then(|sender| self.senders.get_mut(&sender)) {
            *next += 1;
        }
        self.drop_sent()
    }

    fn drop_sent(&mut self) -> bool {
        let newest = self.sent_by_all + self.blocks.len();
        let slowest = self.senders.values().copied().min().unwrap_or(newest);
        let count = slowest - self.sent_by_all;
        let sent = self.blocks.drain(..count);
        self.waiting_bytes -= sent.map(|block| block.len()).sum::<usize>();
        self.sent_by_all = slowest;
        count > 0
    }
}

/// Where the writer of a round writes.
#[derive(Debug)]
pub struct RoundOutput {
    round: Arc<Round>,
    file: Option<File>,
    file_error: Option<io::Error>,
}

impl RoundOutput {
    /// The output of a round; `file` gets a copy for the clients that need the length first.
    pub fn new(round: Arc<Round>, file: Option<File>) -> RoundOutput {
        RoundOutput {
            round,
            file,
            file_error: None,
        }
    }

    /// The file, if there was to be one.
    ///
    /// # Errors
    /// The file could not be written. Clients that need no file have got the dump.
    pub fn into_file(self) -> io::Result<Option<File>> {
        match self.file_error {
            Some(error) => Err(error),
            None => Ok(self.file),
        }
    }
}

impl Write for RoundOutput {
    /// Waits for the slowest client.
    ///
    /// # Errors
    /// No client is left.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            self.file = None;
            self.file_error = Some(error);
        }
        let is_full = |progress: &mut Progress| {
            !progress.senders.is_empty() && progress.waiting_bytes >= MOST_WAITING_BYTES
        };
        let waited = self.round.changed.wait_while(self.round.lock(), is_full);
        let mut progress = waited.unwrap_or_else(PoisonError::into_inner);
        // The writer itself is a member.
        if progress.members == 1 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if !progress.senders.is_empty() {
            progress.waiting_bytes += bytes.len();
            progress.blocks.push_back(Arc::new(bytes.to_vec()));
        }
        drop(progress);
        self.round.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn begin(member: &mut Membership) -> Membership {
        match member.wait_for_turn(AT_ONCE) {
            Turn::Begin(writer) => writer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_that_join_before_the_beginning_share_a_round() {
        let transfers = Arc::new(Transfers::default());
        let mut first = transfers.join(false, Patience::NONE);
        let mut second = transfers.join(false, Patience::NONE);
        let writer = begin(&mut second);
        assert!(matches!(first.wait_for_turn(AT_ONCE), Turn::Send));
        let mut third = transfers.join(false, Patience::NONE);
        assert!(!Arc::ptr_eq(&first.round, &third.round));
        let other_writer = begin(&mut third);
        // Two rounds are under way, so new clients wait for the end of one.
        let mut waiting: Vec<_> = (0..3)
            .map(|_| transfers.join(false, Patience::NONE))
            .collect();
        assert!(
            waiting
                .iter_mut()
                .all(|member| matches!(member.wait_for_turn(AT_ONCE), Turn::Wait))
        );
        drop((first, writer));
        assert!(matches!(waiting[0].wait_for_turn(AT_ONCE), Turn::Wait));
        drop(second);
        drop(begin(&mut waiting[1]));
        drop((waiting, third, other_writer));
        assert_eq!(transfers.lock().under_way, 0);
    }

    #[test]
    fn blocks_go_to_all_and_wait_for_the_slowest() {
        let transfers = Arc::new(Transfers::default());
        let mut members = [
            transfers.join(false, Patience::NONE),
            transfers.join(false, Patience::NONE),
        ];
        let writer = begin(&mut members[0]);
        assert!(matches!(members[1].wait_for_turn(AT_ONCE), Turn::Send));
        let mut output = RoundOutput::new(writer.round.clone(), None);
        let block = vec![b'x'; MOST_WAITING_BYTES / 2];
        output.write_all(&block).unwrap();
        output.write_all(b"end").unwrap();
        let [quick, slow] = &mut members;
        for expected in [&block[..], b"end"] {
            match quick.next(AT_ONCE) {
                Next::Block(block) => assert!(**block == *expected),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(quick.next(AT_ONCE), Next::Nothing));
        assert_eq!(writer.round.lock().blocks.len(), 2);
        assert!(matches!(slow.next(AT_ONCE), Next::Block(_)));
        assert_eq!(writer.round.lock().waiting_bytes, 3);
        writer.round.finish(End::Whole(None));
        assert!(matches!(quick.next(AT_ONCE), Next::End(End::Whole(None))));
        assert!(matches!(slow.next(AT_ONCE), Next::Block(_)));
        assert!(matches!(slow.next(AT_ONCE), Next::End(_)));
    }

    #[test]
    fn a_writer_ends_without_clients_and_does_not_wait_for_one_that_is_gone() {
        let transfers = Arc::new(Transfers::default());
        let mut first = transfers.join(false, Patience::NONE);
        let second = transfers.join(true, Patience::NONE);
        let writer = begin(&mut first);
        assert!(writer.round.needs_file());
        let mut output = RoundOutput::new(writer.round.clone(), None);
        output.write_all(&vec![0; MOST_WAITING_BYTES]).unwrap();
        drop(first);
        output.write_all(&vec![0; MOST_WAITING_BYTES]).unwrap();
        assert_eq!(writer.round.lock().waiting_bytes, 0);
        drop(second);
        let error = output.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
