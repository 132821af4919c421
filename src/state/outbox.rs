//! What other threads have to tell a client: messages of channels, lines of MONITOR.
//!
//! Whoever has something to tell puts it into the client's outbox, which is a matter of memory alone: nobody is slowed
//! by a client that does not read. What lies there goes out in one of two ways. While the client's own thread is awake,
//! it takes the messages between two commands. While it sleeps, it lets another thread write to its socket: the one
//! that has put something in sends it, as far as the socket takes it without waiting. That spares waking a thread for
//! each message of each subscriber. What the socket does not take, the client's thread is woken for.
//!
//! A client that leaves too much unread is disconnected: `client-output-buffer-limit`.

use super::clients::Client;
use crate::resp::reply::Reply;
use crate::util::doorbell::Doorbell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use triomphe::Arc as Shared;

/// Bytes that are taken out to be sent together.
const BATCH_BYTES: usize = 64 * 1024;

/// What a message takes beside its bytes, in the figures of limits: about what Redis counts.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// A message in the protocol of those who get it; shared by all of them.
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
    /// Of the messages.
    bytes: usize,
    writer: Writer,
    /// Whether the client is on the list of those to whom something is to be delivered.
    is_due: bool,
    /// The limit was exceeded: nothing more goes out.
    is_closed: bool,
    /// Somebody sees to the end of the connection.
    is_given_up: bool,
    /// When more than the soft limit was first left unread, in Unix time; 0 if it is not.
    above_soft_limit_since_ms: i64,
    doorbell: Option<Arc<Doorbell>>,
}

/// Who may write to the client's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// The client's own thread, which is awake.
    #[default]
    Owner,
    /// Whoever comes first: the client's thread sleeps.
    Anybody,
    /// Another thread, right now.
    Other,
}

/// How much a client may leave unread; 0 is no limit.
#[derive(Debug, Default)]
pub struct OutputLimit {
    /// Bytes that it may never exceed.
    pub hard_bytes: AtomicU64,
    /// Bytes that it may not exceed for longer than `soft_seconds`.
    pub soft_bytes: AtomicU64,
    /// See [`soft_bytes`](Self::soft_bytes).
    pub soft_seconds: AtomicI64,
}

/// The client's own thread.
impl Outbox {
    /// From now on the client's thread may sleep while messages come in; this bell wakes it.
    pub fn open(&self, doorbell: Arc<Doorbell>) {
        self.lock().doorbell = Some(doorbell);
    }

    /// Moves messages into the output until that holds a batch; returns whether there were any.
    pub fn take_into(&self, reply: &mut Reply) -> bool {
        self.take_until(reply, BATCH_BYTES)
    }

    /// Moves all messages into the output.
    pub fn take_all_into(&self, reply: &mut Reply) {
        self.take_until(reply, usize::MAX);
    }

    fn take_until(&self, reply: &mut Reply, most_bytes: usize) -> bool {
        let mut queue = self.lock();
        let mut is_any = false;
        while reply.len() < most_bytes
            && let Some(message) = queue.pop()
        {
            reply.encoded(&message);
            is_any = true;
        }
        is_any
    }

    /// Lets other threads write to the socket; `false` if there are messages to be written first.
    pub fn fall_asleep(&self) -> bool {
        let mut queue = self.lock();
        if queue.messages.is_empty() {
            queue.bytes = 0;
            queue.writer = Writer::Anybody;
        }
        queue.messages.is_empty()
    }

    /// Takes the socket back.
    pub fn wake_up(&self) {
        let queue = self
            .written
            .wait_while(self.lock(), |queue| queue.writer == Writer::Other);
        queue.unwrap_or_else(PoisonError::into_inner).writer = Writer::Owner;
    }
}

/// Other threads.
impl Outbox {
    /// How many messages there are, and their bytes.
    pub fn len_and_bytes(&self) -> (usize, usize) {
        let queue = self.lock();
        (queue.messages.len(), queue.bytes)
    }

    /// Whether the client is to be disconnected, because it leaves more unread than it may: its messages, and `unsent`
    /// bytes of replies. Nothing is kept for it then. This is said once.
    pub fn must_go(&self, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
        let mut queue = self.lock();
        queue.exceeds(limit, unsent, now_ms) && queue.is_news()
    }

    /// Puts a message in; returns whether somebody has to see to it: deliver it, or disconnect the client.
    fn put(&self, message: &Message, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
        let mut queue = self.lock();
        if queue.is_closed {
            return false;
        }
        queue.bytes += weight(message);
        queue.messages.push_back(message.clone());
        let needs_care = queue.exceeds(limit, unsent, now_ms) || queue.writer != Writer::Owner;
        needs_care && !std::mem::replace(&mut queue.is_due, true)
    }

    /// Begins to write to the socket in place of the client's thread: what is to be sent, or `None` if that thread is
    /// awake or there is nothing.
    fn begin_delivery(&self) -> Option<Message> {
        let mut queue = self.lock();
        if queue.writer != Writer::Anybody {
            return None;
        }
        let first = queue.pop()?;
        queue.writer = Writer::Other;
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

    /// Ends it; what was not sent wakes the client's thread.
    fn end_delivery(&self, unsent: Option<Message>) {
        let mut queue = self.lock();
        queue.writer = Writer::Anybody;
        self.written.notify_all();
        if let Some(unsent) = unsent {
            queue.bytes += weight(&unsent);
            queue.messages.push_front(unsent);
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
    /// Whether nobody yet sees to the end of a client that is to be disconnected; from now on the caller does.
    fn is_news(&mut self) -> bool {
        self.is_closed && !std::mem::replace(&mut self.is_given_up, true)
    }

    /// Takes out the first message, which is counted no more.
    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= weight(&message);
        Some(message)
    }

    fn exceeds(&mut self, limit: &OutputLimit, unsent: usize, now_ms: i64) -> bool {
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

/// Those to whom something was pushed that is yet to be delivered.
#[derive(Debug, Default)]
pub struct Pushes {
    due: Mutex<Vec<Arc<Client>>>,
    is_any_due: AtomicBool,
    /// How much a client may leave unread, by [`OutputClass`].
    pub limits: [OutputLimit; 3],
}

/// The classes of clients that `client-output-buffer-limit` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputClass {
    /// All that are none of the others.
    Normal,
    /// Copies of this server.
    Replica,
    /// Whoever has subscribed to something.
    PubSub,
}

impl Pushes {
    /// Puts a message into a client's outbox. It goes out when somebody calls [`deliver`](Self::deliver), who must not
    /// hold any lock.
    pub fn push(&self, client: &Arc<Client>, message: &Message, now_ms: i64) {
        let limit = self.limit(client);
        let unsent = client.unsent_bytes.load(Relaxed);
        if client.outbox.put(message, limit, unsent, now_ms) {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            due.push(client.clone());
            self.is_any_due.store(true, SeqCst);
        }
    }

    /// The limit for a client.
    pub fn limit(&self, client: &Client) -> &OutputLimit {
        &self.limits[client.output_class() as usize]
    }

    /// Sends what was pushed to clients whose threads sleep, and disconnects those who leave too much unread, telling
    /// `disconnected` of each. Returns how many bytes were sent.
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
    let must_go = {
        let mut queue = outbox.lock();
        queue.is_due = false;
        queue.is_news()
    };
    if must_go {
        disconnected(client);
        client.disconnect();
        return 0;
    }
    let mut sent = 0;
    while let Some(batch) = outbox.begin_delivery() {
        // Whoever cannot be written to any more is found gone by its own thread.
        let len = client.link.send(&batch).unwrap_or(batch.len());
        sent += len;
        let rest = (len < batch.len()).then(|| Shared::new(batch[len..].to_vec()));
        let is_full = rest.is_some();
        outbox.end_delivery(rest);
        if is_full {
            break;
        }
    }
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
        assert!(outbox.take_into(&mut reply));
        assert_eq!(reply.len(), 2 * large.len());
        assert!(!outbox.take_into(&mut reply), "the output is full");
        outbox.take_all_into(&mut reply);
        assert_eq!(reply.len(), 5 * large.len());
    }

    #[test]
    fn others_write_for_one_that_sleeps_and_wake_it_for_the_rest() {
        let outbox = Outbox::default();
        let doorbell = Arc::new(Doorbell::new().unwrap());
        outbox.open(doorbell.clone());
        assert!(outbox.fall_asleep());
        // One of those who put something in is to see to it.
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
        outbox.wake_up();
        assert_eq!(taken(&outbox), "efghi");
    }

    #[test]
    fn who_leaves_too_much_unread_is_given_up_once_and_nothing_is_kept() {
        let limit = OutputLimit {
            hard_bytes: AtomicU64::new(500),
            soft_bytes: AtomicU64::new(200),
            soft_seconds: AtomicI64::new(2),
        };
        let outbox = Outbox::default();
        let put = |text: &str, now_ms| outbox.put(&message(text), &limit, 100, now_ms);
        assert!(!put("a", 1000) && !outbox.must_go(&limit, 100, 1000));
        // Above the soft limit, but not for so long; and the time begins anew when it is not.
        assert!(!put("b", 1000) && !outbox.must_go(&limit, 100, 3000));
        assert!(!outbox.must_go(&limit, 0, 3001));
        assert!(!outbox.must_go(&limit, 100, 3002) && !outbox.must_go(&limit, 100, 5002));
        assert!(outbox.must_go(&limit, 100, 5003) && !outbox.must_go(&limit, 100, 5004));
        assert_eq!(outbox.len_and_bytes(), (0, 0));
        assert!(!put("c", 6000));
        assert_eq!(outbox.len_and_bytes(), (0, 0));

        let outbox = Outbox::default();
        assert!(!outbox.put(&message("a"), &limit, 400, 0));
        assert!(outbox.put(&message("b"), &limit, 400, 0), "the hard limit");
        assert_eq!(outbox.len_and_bytes(), (0, 0));
    }
}
