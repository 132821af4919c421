//! What other threads send to a client: messages of channels, lines of MONITOR.
//!
//! The thread that has a message puts it into the client's outbox. That needs memory only, so a publisher never waits
//! for a client that does not read. The message leaves the outbox in one of two ways:
//!
//! - While the client's own thread is awake, it takes the messages between two commands.
//! - While it sleeps, another thread writes to its socket: the one that has put the message in, as far as the socket
//!   takes it without waiting. That saves waking a thread for each message of each subscriber. If the socket does not
//!   take everything, the client's thread is woken for the rest.
//!
//! A client that leaves too much unread is disconnected: `client-output-buffer-limit`.
//!
//! # Which thread may write to the socket
//! ```text
//!          fall_asleep, if the queue is empty             begin_delivery
//!   Owner ───────────────────────────────────► Free ─────────────────────► Deliverer
//!     ▲                                        │  ▲                            │
//!     └────────────────────────────────────────┘  └────────────────────────────┘
//!          wake_up                                        end_delivery
//! ```
//! `wake_up` waits while the state is `Deliverer`. That is short, since a deliverer never waits for the socket.
//!
//! # Invariants, under the mutex of the queue
//! 1. Only the thread that the state names writes to the socket, so messages go out whole and in order. Replies that
//!    are [deferred](super::append_only::durability) are sent for the owner, which writes nothing meanwhile.
//! 2. If the state is `Free` and there are messages, the client is on the list of [`Pushes`], or its doorbell, if it
//!    has one, has been rung, or a thread is between `begin_delivery` calls.
//! 3. A closed queue is empty and stays so. Exactly one thread claims the disconnection.
//!
//! # Thread safety
//! [`open`](Outbox::open), the `take` methods, [`fall_asleep`](Outbox::fall_asleep) and [`wake_up`](Outbox::wake_up)
//! are for the client's own thread. [`Pushes::push`] may be called with shards, the tables of channels, the turn to
//! publish or the monitors locked; it locks one outbox, then the list, never both. [`Pushes::deliver`] writes to
//! sockets, so its caller holds no lock.

use super::clients::Client;
use crate::resp::reply::Reply;
use crate::util::doorbell::Doorbell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use triomphe::Arc as Shared;

/// Bytes that are taken out to be sent together.
const BATCH_BYTES: usize = 64 * 1024;

/// The weight of a message beside its bytes, for comparison with limits: about that of Redis.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// A message, encoded in RESP2 or RESP3. All clients of that protocol that get it share it.
pub type Message = Shared<Vec<u8>>;

/// The messages for one client.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Another thread has finished writing to the socket.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    /// Whether the beginning of the first message has been sent.
    is_begun: bool,
    /// The weight of the messages.
    bytes: usize,
    writer: Writer,
    /// Whether the client is on the list of [`Pushes`].
    is_due: bool,
    /// The limit was exceeded: no message is kept, and none goes out.
    is_closed: bool,
    /// A thread has taken on to disconnect the client.
    is_disconnection_claimed: bool,
    /// Unix time at which the soft limit was reached; 0 while the client is below it.
    above_soft_limit_since_ms: i64,
    /// Wakes the client's thread, if it sleeps where that is possible.
    doorbell: Option<Arc<Doorbell>>,
}

/// Which thread may write to the client's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// The client's own thread, which is awake.
    #[default]
    Owner,
    /// No thread writes; another thread may begin to, since the client's own thread sleeps.
    Free,
    /// Another thread, which is writing.
    Deliverer,
}

/// The limits of what a client may leave unread; 0 is no limit.
#[derive(Debug, Default)]
pub struct OutputLimit {
    /// Bytes that it may never exceed.
    pub hard_bytes: AtomicU64,
    /// Bytes that it may not exceed for longer than `soft_seconds`.
    pub soft_bytes: AtomicU64,
    /// See [`soft_bytes`](Self::soft_bytes).
    pub soft_seconds: AtomicI64,
}

/// For the client's own thread.
impl Outbox {
    /// From now on the client's thread may sleep while messages come in; this bell wakes it.
    pub fn open(&self, doorbell: Arc<Doorbell>) {
        self.lock().doorbell = Some(doorbell);
    }

    /// Moves messages into the output until that holds a batch.
    pub fn take_into(&self, reply: &mut Reply) {
        self.take_until(reply, BATCH_BYTES);
    }

    /// Moves all messages into the output.
    pub fn take_all_into(&self, reply: &mut Reply) {
        self.take_until(reply, usize::MAX);
    }

    fn take_until(&self, reply: &mut Reply, most_bytes: usize) {
        let mut queue = self.lock();
        while reply.len() < most_bytes
            && let Some(message) = queue.pop()
        {
            reply.encoded(&message);
        }
    }

    /// Lets other threads write to the socket; `false` if the client's thread has to write messages first.
    pub fn fall_asleep(&self) -> bool {
        let mut queue = self.lock();
        if queue.messages.is_empty() {
            queue.bytes = 0;
            queue.writer = Writer::Free;
        }
        queue.messages.is_empty()
    }

    /// Takes the socket back. What another thread has begun to send goes on in `reply`.
    pub fn wake_up(&self, reply: &mut Reply) {
        let queue = self
            .written
            .wait_while(self.lock(), |queue| queue.writer == Writer::Deliverer);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.writer = Writer::Owner;
        if queue.is_begun
            && let Some(rest) = queue.pop()
        {
            reply.encoded(&rest);
        }
    }
}

/// For other threads, except [`claim_disconnection`](Outbox::claim_disconnection), which any thread may call.
impl Outbox {
    /// The number of messages, and their weight in bytes.
    pub fn len_and_bytes(&self) -> (usize, usize) {
        let queue = self.lock();
        (queue.messages.len(), queue.bytes)
    }

    /// Closes the outbox if the client leaves more unread than `limit` allows: its messages, and `unsent` bytes of
    /// replies. Returns `true` to one caller only, who must disconnect the client.
    pub fn claim_disconnection(&self, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
        let mut queue = self.lock();
        queue.close_if_over_limit(limit, unsent, now_ms) && queue.claim_disconnection()
    }

    /// Puts a message in. Returns whether the client must be put on the list of [`Pushes`]: its thread sleeps or it is
    /// to be disconnected, and it is not on the list yet.
    fn put(&self, message: &Message, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
        let mut queue = self.lock();
        if queue.is_closed {
            return false;
        }
        queue.bytes += weight(message);
        queue.messages.push_back(message.clone());
        let needs_care =
            queue.close_if_over_limit(limit, unsent, now_ms) || queue.writer != Writer::Owner;
        needs_care && !std::mem::replace(&mut queue.is_due, true)
    }

    /// Becomes the deliverer and takes a batch to send; `None` if the client's thread is awake, another deliverer is at
    /// work, or there is no message.
    fn begin_delivery(&self) -> Option<Message> {
        let mut queue = self.lock();
        if queue.writer != Writer::Free {
            return None;
        }
        let first = queue.pop()?;
        queue.writer = Writer::Deliverer;
        if queue.messages.is_empty() || first.len() >= BATCH_BYTES {
            return Some(first);
        }
        let mut batch = first.to_vec();
        while batch.len() < BATCH_BYTES
            && let Some(message) = queue.pop()
        {
            batch.extend_from_slice(&message);
        }
        Some(Shared::new(batch))
    }

    /// Ends what [`begin_delivery`](Self::begin_delivery) has begun. For a rest that the socket did not take, the
    /// client's thread is woken. A thread that cannot be woken sends it when the client sends a request.
    fn end_delivery(&self, unsent: Option<Message>) {
        let mut queue = self.lock();
        queue.writer = Writer::Free;
        self.written.notify_all();
        if let Some(unsent) = unsent {
            queue.bytes += weight(&unsent);
            queue.messages.push_front(unsent);
            queue.is_begun = true;
            if let Some(doorbell) = &queue.doorbell {
                doorbell.ring();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Returns `true` to the first caller after the queue was closed; that caller must disconnect the client.
    fn claim_disconnection(&mut self) -> bool {
        self.is_closed && !std::mem::replace(&mut self.is_disconnection_claimed, true)
    }

    /// Removes the first message, and its weight out of `bytes`.
    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.is_begun = false;
        self.bytes -= weight(&message);
        Some(message)
    }

    /// Closes the queue and drops its messages if a limit is exceeded; returns whether it is closed.
    fn close_if_over_limit(&mut self, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
        let bytes = (self.bytes + unsent) as u64;
        let reaches = |limit: &AtomicU64| match limit.load(Relaxed) {
            0 => false,
            limit => bytes >= limit,
        };
        if !reaches(&limit.soft_bytes) {
            self.above_soft_limit_since_ms = 0;
        } else if self.above_soft_limit_since_ms == 0 {
            self.above_soft_limit_since_ms = now_ms;
        }
        let soft_ms = limit.soft_seconds.load(Relaxed).saturating_mul(1000);
        let since_ms = self.above_soft_limit_since_ms;
        let is_above = since_ms != 0 && now_ms - since_ms > soft_ms;
        if reaches(&limit.hard_bytes) || is_above {
            self.is_closed = true;
            self.messages = VecDeque::new();
            self.bytes = 0;
        }
        self.is_closed
    }
}

fn weight(message: &Message) -> usize {
    message.len() + MESSAGE_OVERHEAD_BYTES
}

/// The clients with messages that another thread has to deliver, and how much each class of clients may leave unread.
#[derive(Debug, Default)]
pub struct Pushes {
    due: Mutex<Vec<Arc<Client>>>,
    is_any_due: AtomicBool,
    /// The limits, by [`OutputClass`].
    pub limits: [OutputLimit; 3],
}

/// The classes of clients that `client-output-buffer-limit` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputClass {
    /// A client of neither other class.
    Normal,
    /// A replica of this server.
    Replica,
    /// A client that has subscribed to a channel or a pattern.
    PubSub,
}

impl Pushes {
    /// Puts a message into a client's outbox. The thread that pushes must call [`deliver`](Self::deliver) afterwards,
    /// once it holds no lock.
    pub fn push(&self, client: &Arc<Client>, message: &Message, now_ms: i64) {
        let limit = self.limit(client);
        let unsent = client.buffers.unsent_bytes.load(Relaxed);
        let needs_care = client.outbox.put(message, limit, unsent, now_ms);
        client.measure();
        if needs_care {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            due.push(client.clone());
            self.is_any_due.store(true, SeqCst);
        }
    }

    /// The limit for a client.
    pub fn limit(&self, client: &Client) -> &OutputLimit {
        &self.limits[client.output_class() as usize]
    }

    /// Whether there are messages that another thread has to deliver.
    pub fn are_any(&self) -> bool {
        self.is_any_due.load(SeqCst)
    }

    /// Sends what was pushed to clients whose threads sleep. Disconnects clients that leave too much unread, after
    /// calling `disconnected` for each. Returns how many bytes were sent.
    pub fn deliver(&self, disconnected: impl Fn(&Client)) -> usize {
        if !self.is_any_due.load(SeqCst) {
            return 0;
        }
        let due = {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            self.is_any_due.store(false, SeqCst);
            std::mem::take(&mut *due)
        };
        let deliver = |client: &Arc<Client>| deliver_to(client, &disconnected);
        due.iter().map(deliver).sum()
    }
}

fn deliver_to(client: &Client, disconnected: &impl Fn(&Client)) -> usize {
    let outbox = &client.outbox;
    let must_disconnect = {
        let mut queue = outbox.lock();
        queue.is_due = false;
        queue.claim_disconnection()
    };
    if must_disconnect {
        disconnected(client);
        client.disconnect();
        return 0;
    }
    let mut sent = 0;
    while let Some(batch) = outbox.begin_delivery() {
        // If the connection is broken, the client's own thread will find that out.
        let len = client.link.send(&batch).unwrap_or(batch.len());
        sent += len;
        let rest = (len < batch.len()).then(|| Shared::new(batch[len..].to_vec()));
        let is_full = rest.is_some();
        outbox.end_delivery(rest);
        if is_full {
            break;
        }
    }
    client.measure();
    sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::reply::Protocol;
    use crate::util::doorbell::{Until, Wakeup, Woken};

    fn message(text: &str) -> Message {
        Shared::new(text.as_bytes().to_vec())
    }

    fn put(outbox: &Outbox, text: &str) -> bool {
        outbox.put(&message(text), &OutputLimit::default(), 0, 0)
    }

    fn taken(outbox: &Outbox) -> String {
        let mut reply = Reply::new(Protocol::Resp2);
        outbox.take_into(&mut reply);
        String::from_utf8(reply.into_bytes()).unwrap()
    }

    #[test]
    fn a_thread_that_is_awake_takes_its_messages_itself() {
        let outbox = Outbox::default();
        assert!(!put(&outbox, "a") && !put(&outbox, "b"));
        assert!(outbox.begin_delivery().is_none());
        assert!(!outbox.fall_asleep());
        assert_eq!(taken(&outbox), "ab");
        assert_eq!(outbox.len_and_bytes(), (0, 0));
        assert!(outbox.fall_asleep());
        assert_eq!(outbox.len_and_bytes(), (0, 0));
    }

    #[test]
    fn messages_are_taken_batch_by_batch_or_all_at_once() {
        let outbox = Outbox::default();
        let large = "x".repeat(BATCH_BYTES / 2 + 1);
        assert!((0..5).all(|_| !put(&outbox, &large)));
        let mut reply = Reply::new(Protocol::Resp2);
        outbox.take_into(&mut reply);
        assert_eq!(reply.len(), 2 * large.len());
        outbox.take_into(&mut reply);
        assert_eq!(reply.len(), 2 * large.len(), "the output is full");
        outbox.take_all_into(&mut reply);
        assert_eq!(reply.len(), 5 * large.len());
    }

    #[test]
    fn other_threads_write_for_a_thread_that_sleeps_and_wake_it_for_the_rest() {
        let outbox = Outbox::default();
        let doorbell = Arc::new(Doorbell::new().unwrap());
        outbox.open(doorbell.clone());
        assert!(outbox.fall_asleep());
        // The first message puts the client on the list, the second finds it there.
        assert!(put(&outbox, "abc") && !put(&outbox, "def"));
        let batch = outbox.begin_delivery().unwrap();
        assert_eq!(**batch, *b"abcdef");
        put(&outbox, "ghi");
        assert!(outbox.begin_delivery().is_none(), "one at a time");
        outbox.end_delivery(Some(message("ef")));
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let wakeup = Wakeup {
            bell: Some(&doorbell),
            until: Until::Input,
            for_room: false,
            deadline: None,
        };
        let woken = wakeup.wait(&socket).unwrap();
        assert_eq!(woken, Woken::Rung);
        let mut reply = Reply::new(Protocol::Resp2);
        outbox.wake_up(&mut reply);
        assert_eq!(reply.len(), "ef".len(), "its beginning has been sent");
        assert_eq!(taken(&outbox), "ghi");
    }

    #[test]
    fn a_client_that_leaves_too_much_unread_is_disconnected_once_and_nothing_is_kept() {
        let limit = OutputLimit {
            hard_bytes: AtomicU64::new(500),
            soft_bytes: AtomicU64::new(200),
            soft_seconds: AtomicI64::new(2),
        };
        let outbox = Outbox::default();
        let put = |text: &str, now_ms| outbox.put(&message(text), &limit, 100, now_ms);
        assert!(!put("a", 1000) && !outbox.claim_disconnection(&limit, 100, 1000));
        // Above the soft limit, but not for longer than 2 s. The time begins anew once the client was below it.
        assert!(!put("b", 1000) && !outbox.claim_disconnection(&limit, 100, 3000));
        assert!(!outbox.claim_disconnection(&limit, 0, 3001));
        assert!(
            !outbox.claim_disconnection(&limit, 100, 3002)
                && !outbox.claim_disconnection(&limit, 100, 5002)
        );
        assert!(
            outbox.claim_disconnection(&limit, 100, 5003)
                && !outbox.claim_disconnection(&limit, 100, 5004)
        );
        assert_eq!(outbox.len_and_bytes(), (0, 0));
        assert!(!put("c", 6000));
        assert_eq!(outbox.len_and_bytes(), (0, 0));

        let outbox = Outbox::default();
        assert!(!outbox.put(&message("a"), &limit, 400, 0));
        assert!(outbox.put(&message("b"), &limit, 400, 0), "the hard limit");
        assert_eq!(outbox.len_and_bytes(), (0, 0));
    }
}
