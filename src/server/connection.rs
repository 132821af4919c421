//! One client's connection: read, parse, execute, write, until one side closes it.
//!
//! Requests that arrive together are answered together: all complete requests of the input are executed, then the
//! replies go out by one write, or earlier if they have grown large.
//!
//! # Where the thread waits
//! - In `read`, when it has nothing else to wait for. Another client may name it in CLIENT TRACKING REDIRECT at that
//!   moment, if it speaks RESP3.
//! - In `poll`, when there is more than one thing to wait for: the client's next request, messages of other threads,
//!   room for replies that the socket did not take ([`Backlog`]).
//! - For room alone only at the end of a connection, and while it sends a dump. So a client that sends all its
//!   requests before it reads the first reply is served.
//!
//! # Invariants
//! 1. Everything here belongs to the client's own thread, except the exchange while it is handed over: then this
//!    thread sleeps. Other threads reach the client through [`Client`] and its outbox.
//! 2. No shard is locked while this thread reads, writes, sleeps or writes to the log: the executor's lock is
//!    [released](Executor::release) before.
//! 3. With `appendfsync always`, another thread may write the replies to the socket that were deferred
//!    ([`durability`](crate::state::append_only::durability)); until then this thread writes nothing.
//! 4. While the thread sleeps without a backlog, in `poll`, or in `read` if the client speaks RESP3, another thread may
//!    write to the socket. With a backlog none may: the backlog goes out first.
//! 5. A message of which another thread has written the beginning goes out before anything else.

use super::append_only::anew;
use super::lookahead::LookAhead;
use super::replication::{keeper, sender, snapshot};
use super::socket::{Socket, WithoutWaiting};
use crate::command::call::{SyncStart, Then};
use crate::command::execute::errand::HandedOver;
use crate::command::execute::exchange::Exchange;
use crate::command::execute::{Engine, Executor, Manner};
use crate::command::session::Session;
use crate::command::session::transaction::Watched;
use crate::keyspace::space::Place;
use crate::resp::backlog::Backlog;
use crate::resp::reply::Protocol;
use crate::state::append_only::durability::Departure;
use crate::state::clients::Client;
use crate::state::waiting::{Outcome, Waiting};
use crate::state::{change_log, tracking};
use crate::util::clock::{self, Stopwatch};
use crate::util::doorbell::{Doorbell, Until, Wakeup, Woken};
use crate::util::lent::Lent;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// Requests of all clients that are answered before each client has had its turn: some 3 ms of work.
const REQUESTS_A_ROUND: usize = 400;
/// When it takes this long to read, the thread has slept, and others have run. A read that finds something is far
/// shorter.
const NAP_NS: u64 = 10_000;
/// At the end of a connection: how long the client may read nothing of the last replies.
const FAREWELL: Duration = Duration::from_secs(60);
/// What a client that must log in may leave unread, beside what its socket takes: more is no attempt to log in.
const UNAUTHENTICATED_UNREAD_BYTES: usize = 1024;
/// How long a thread waits for the disk before it looks whether its client is still there.
const LONGEST_HOLD: Duration = Duration::from_millis(100);
/// Replies that another thread may send when they are on the disk: larger ones are not copied.
const DEFERRED_BYTES: usize = 16 * 1024;
/// Replies of this size may have to wait for the client to read.
const LARGE_OUTPUT_BYTES: usize = 16 * 1024;

/// Serves a client until the connection ends.
pub fn serve(engine: &Arc<Engine>, socket: &Arc<Socket>, client: &Arc<Client>) {
    tracking::set_acting_client(client.id);
    change_log::forget_last_of_thread();
    let mut connection = Connection {
        engine,
        socket,
        exchange: Lent::new(Exchange::new(Session::new(engine, client))),
        waiting: None,
        backlog: Backlog::default(),
        answered_in_turn: 0,
    };
    // A broken connection is not logged: it is no fault of the server.
    let _ = connection.run();
    client.link.close();
}

struct Connection<'a> {
    engine: &'a Arc<Engine>,
    socket: &'a Arc<Socket>,
    exchange: Lent<Exchange>,
    /// What the client waits for, while it does.
    waiting: Option<Waiting>,
    /// Replies before those of the exchange, which the socket has not taken.
    backlog: Backlog,
    /// Requests since this thread last slept, or offered its processor to other threads.
    answered_in_turn: usize,
}

impl Drop for Connection<'_> {
    /// The shards forget the keys that the client watches or waits for, also if the connection ends by a panic.
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.wait.end(Outcome::Gone);
        }
        self.end_wait();
        if let Some(replica) = &self.exchange.session.sync.replica {
            // Its sender looks whether it is still there.
            replica.client.disconnect();
            self.engine.replication.replicas.remove(replica);
            self.engine.replication.backlog.wake_readers();
            keeper::count_good(self.engine);
        }
        self.exchange.session.end_tracking(self.engine);
        tracking::set_acting_client(0);
        self.engine.forget_watched(&mut self.exchange.session);
        // To have a look at keys may have let them expire.
        self.engine.deliver_pushes();
    }
}

impl<'a> Connection<'a> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.take_turns();
            self.wait_for_input()?;
            let began_ns = clock::monotonic_ns();
            let received = self.receive()?;
            if received == 0 {
                // The client may have closed its sending half alone, and still read.
                return self.send_all();
            }
            self.engine
                .statistics
                .count_input(self.exchange.session.client.id, received);
            let stopwatch = Stopwatch::start();
            if stopwatch.started_ns().saturating_sub(began_ns) >= NAP_NS {
                self.answered_in_turn = 0;
            }
            let goes_on = self.execute_all(stopwatch)?;
            self.flush()?;
            if !goes_on
                || self
                    .exchange
                    .session
                    .client
                    .closes_after_reply
                    .load(Relaxed)
            {
                return self.send_all();
            }
            self.exchange.input.compact();
            if self.exchange.input.is_empty() {
                self.exchange.parser.shrink();
                self.exchange.reply.shrink();
            }
            self.store_buffer_sizes();
            self.keep_client_limit();
        }
    }

    /// Reads what has arrived, or waits until something does. Returns the number of bytes; 0 at the end of the stream.
    fn receive(&mut self) -> io::Result<usize> {
        let received = match self.exchange.parser.arriving() {
            Some(argument) => argument.receive(&mut &**self.socket),
            None => self.exchange.input.receive(&mut &**self.socket),
        };
        if self.may_get_messages() {
            let exchange = &mut *self.exchange;
            exchange.session.client.outbox.wake_up(&mut exchange.reply);
        }
        received
    }

    /// Offers the processor to other threads when this client has had its share of a round, and its thread has not
    /// slept meanwhile. If the client's next request always came before its thread sleeps, the system would let the
    /// thread run to the end of its time slice. If no other thread wants the processor, the offer takes no time.
    ///
    /// An offer after every request would cost 50 clients 1 µs of 8 (`redis-benchmark -c 50 -t get`). With an offer
    /// after 16 requests, one in a hundred requests of 500 clients would wait for 10 to 20 ms instead of 6.
    fn take_turns(&mut self) {
        if self.answered_in_turn * self.engine.clients.count() >= REQUESTS_A_ROUND {
            self.answered_in_turn = 0;
            thread::yield_now();
        }
    }

    /// Executes every complete request of the input; `false` if the connection is to be closed.
    fn execute_all(&mut self, stopwatch: Stopwatch) -> io::Result<bool> {
        let mut executor = Executor::new(self.engine, stopwatch);
        let client = self.exchange.session.client.clone();
        client.last_request_ms.store(executor.now_ms(), Relaxed);
        let mut look_ahead = LookAhead::default();
        loop {
            let exchange = &mut *self.exchange;
            let database = exchange.session.database;
            look_ahead.before_request(&self.engine.locks, database, exchange.input.unparsed());
            match exchange.parse(self.engine) {
                Ok(true) => {}
                Ok(false) => {
                    let unparsed = exchange.input.unparsed();
                    exchange.input.end -= exchange.parser.begin_large_argument(unparsed);
                    executor.release();
                    return Ok(self.is_within_limit(self.exchange.input.unparsed().len()));
                }
                Err(error) => {
                    exchange.refuse(&error);
                    return Ok(false);
                }
            };
            self.answered_in_turn += 1;
            let Some(then) = self.execute(&mut executor)? else {
                return Ok(false);
            };
            match then {
                Then::SendDump => {
                    self.send_all()?;
                    snapshot::send_dump(self.engine, self.socket, &self.exchange.session)?;
                    return Ok(false);
                }
                Then::Synchronize(start) => {
                    executor.release();
                    self.send_all()?;
                    self.begin_sync(start)?;
                    executor.resume();
                }
                Then::LoadAppendOnly => {
                    executor.release();
                    match anew::load_anew(self.engine) {
                        Ok(()) => self.exchange.reply.ok(),
                        Err(text) => self.exchange.reply.error(text.as_bytes()),
                    }
                    executor.resume();
                }
                Then::Wait(waiting) => {
                    executor.release();
                    if !self.wait(waiting)? {
                        return Ok(false);
                    }
                    executor.resume();
                }
                _ => {}
            }
            if client.closes_after_reply.load(Relaxed) {
                return Ok(false);
            }
            if self.exchange.session.listens() && self.backlog.is_empty() {
                client.outbox.take_into(&mut self.exchange.reply);
            }
            if self.exchange.has_to_send() {
                executor.release();
                self.flush()?;
                executor.resume();
            }
        }
    }

    /// Executes the next request, or has another thread do it, perhaps with some that follow it. Returns what is left
    /// to be done; `None` if the client has hung up.
    #[inline]
    fn execute(&mut self, executor: &mut Executor) -> io::Result<Option<Then>> {
        // Messages of other threads come between its replies.
        let mut manner = match self.exchange.session.listens() {
            true => Manner::Waiting,
            false => Manner::HandingOver,
        };
        loop {
            match self.exchange.execute(executor, manner) {
                Then::Retry => {
                    executor.release();
                    if !self.wait_for_end_of_pause()? {
                        return Ok(None);
                    }
                    executor.resume();
                }
                Then::Readmit => {
                    executor.release();
                    executor.resume();
                }
                Then::HandOver(place) => match self.hand_over(executor, place) {
                    HandedOver::Back => manner = Manner::Waiting,
                    HandedOver::Done => return Ok(Some(Then::Nothing)),
                    HandedOver::Failed => return Err(ErrorKind::Other.into()),
                },
                then => {
                    self.exchange.advance();
                    return Ok(Some(then));
                }
            }
        }
    }

    /// Not inlined: the exchange is moved here, and the frame of a thread that waits for requests is to be small.
    #[cold]
    #[inline(never)]
    fn hand_over(&mut self, executor: &mut Executor, place: Place) -> HandedOver {
        self.exchange
            .lend(|exchange| executor.hand_over(exchange, place))
    }

    /// Has a thread of its own send the replica what it lacks. From now on this thread sends it nothing.
    fn begin_sync(&mut self, start: SyncStart) -> io::Result<()> {
        let Some(replica) = &self.exchange.session.sync.replica else {
            return Ok(());
        };
        let client = &self.exchange.session.client;
        client.modes.is_replica.store(true, Relaxed);
        self.engine.log.notice_of_clients(format_args!(
            "Replica {} asks for synchronization",
            replica.name()
        ));
        if self.engine.config.repl_disable_tcp_nodelay.get() {
            self.socket.gather_packets();
        }
        sender::begin(self.engine, self.socket, replica, start)
    }

    /// Sleeps until the client that waits for a key has been served, its time is up, or it has hung up. Writes the
    /// reply; `false` if the client has hung up.
    fn wait(&mut self, waiting: Waiting) -> io::Result<bool> {
        // The replies to earlier requests of the pipeline go out before this thread sleeps.
        let flushed = self.flush();
        let (wait, demotions) = (waiting.wait.clone(), waiting.demotions);
        self.waiting = Some(waiting);
        if flushed.is_err() {
            wait.end(Outcome::Gone);
        }
        self.exchange.session.client.set_waiting(Some(wait.clone()));
        if demotions != self.engine.replication.demotions() {
            // Who has changed the role may not have seen that this client waits.
            wait.end(Outcome::Demoted);
        }
        while wait.is_pending() {
            // If `poll` fails, the client cannot be served.
            match self.sleep(Some(&wait.doorbell), Until::HangUp, wait.wish.until) {
                Ok(Woken::Rung | Woken::Input | Woken::Room) => {}
                Ok(Woken::TimedOut) => drop(wait.end(Outcome::TimedOut)),
                Ok(Woken::HungUp) | Err(_) => drop(wait.end(Outcome::Gone)),
            }
        }
        self.exchange.session.client.set_waiting(None);
        if flushed.is_ok() && self.backlog.is_empty() && self.may_get_messages() {
            // What was told before the client was served comes before its reply. In Redis, what the client is told of
            // a key that was filled for it (BLMOVE) comes after the reply; here that comes before it too.
            let exchange = &mut *self.exchange;
            exchange
                .session
                .client
                .outbox
                .take_all_into(&mut exchange.reply);
        }
        let is_gone = matches!(*wait.outcome(), Outcome::Gone);
        self.end_wait();
        flushed.map(|()| !is_gone)
    }

    fn end_wait(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let exchange = &mut *self.exchange;
            let client = &exchange.session.client;
            self.engine.end_wait(waiting, client, &mut exchange.reply);
        }
    }

    /// Sleeps until CLIENT PAUSE is over, or the disk has caught up, or another thread has rung; `false` if the client
    /// has hung up.
    fn wait_for_end_of_pause(&mut self) -> io::Result<bool> {
        self.flush()?;
        let append_only = &self.engine.append_only;
        if append_only.holds_changes(clock::unix_ms()) {
            match append_only.log.is_held() {
                true => append_only.log.wait_while_held(LONGEST_HOLD),
                // The appender is stuck.
                false => thread::sleep(LONGEST_HOLD),
            }
            return Ok(!self.exchange.session.client.is_disconnected());
        }
        let client = self.exchange.session.client.clone();
        let pause = &self.engine.pause;
        // Without a bell, the thread looks every 100 ms whether CLIENT UNPAUSE has ended the pause.
        let bell = self.exchange.session.doorbell().ok();
        let longest_ms = if bell.is_some() { i64::MAX } else { 100 };
        if let Some(bell) = &bell {
            pause.join(&client, bell);
        }
        // The pause is over one millisecond after its last.
        let left_ms = (pause.until_ms() - clock::unix_ms()).saturating_add(1);
        let left = Duration::from_millis(left_ms.clamp(0, longest_ms) as u64);
        let woken = self.sleep(
            bell.as_deref(),
            Until::HangUp,
            Instant::now().checked_add(left),
        );
        pause.leave(&client);
        Ok(woken? != Woken::HungUp)
    }

    /// Sends messages of other threads, and output that the socket did not take before, until the client sends
    /// something. If the client has not asked for messages and has read everything, this returns at once: `read` waits
    /// then.
    fn wait_for_input(&mut self) -> io::Result<()> {
        let bell = match self.exchange.session.listens() {
            true => Some(
                self.exchange
                    .session
                    .doorbell()
                    .map_err(|_| ErrorKind::Other)?,
            ),
            false => None,
        };
        loop {
            while bell.is_some() || !self.backlog.is_empty() {
                if self.sleep(bell.as_deref(), Until::Input, None)? == Woken::Input {
                    return Ok(());
                }
            }
            if !self.may_get_messages() || self.exchange.session.client.outbox.fall_asleep() {
                return Ok(());
            }
            let exchange = &mut *self.exchange;
            exchange
                .session
                .client
                .outbox
                .take_into(&mut exchange.reply);
            self.flush()?;
        }
    }

    /// Whether other threads may have messages for the client. One that speaks RESP3 may be the target of another
    /// client's tracking without knowing it.
    fn may_get_messages(&self) -> bool {
        self.exchange.reply.protocol == Protocol::Resp3 || self.exchange.session.listens()
    }

    /// Sleeps until one of the given events. Meanwhile other threads may write to the socket, unless there is a
    /// backlog, which must go out first.
    fn sleep(
        &mut self,
        bell: Option<&Doorbell>,
        until: Until,
        deadline: Option<Instant>,
    ) -> io::Result<Woken> {
        let mut wakeup = Wakeup {
            bell,
            until,
            for_room: true,
            deadline,
        };
        let client = self.exchange.session.client.clone();
        loop {
            if !self.backlog.is_empty() {
                let woken = wakeup.wait(&**self.socket)?;
                if woken == Woken::Room {
                    self.flush()?;
                }
                return Ok(woken);
            }
            client.outbox.take_into(&mut self.exchange.reply);
            if !self.exchange.reply.is_empty() {
                self.flush()?;
            } else if client.outbox.fall_asleep() {
                wakeup.for_room = false;
                let woken = wakeup.wait(&**self.socket);
                client.outbox.wake_up(&mut self.exchange.reply);
                return woken;
            }
        }
    }

    /// Whether an unfinished request, together with the requests queued for EXEC, stays within
    /// `client-query-buffer-limit`. If not, the log says so: no shard may be locked.
    fn is_within_limit(&self, unfinished_bytes: usize) -> bool {
        let queue = self.exchange.session.transaction.queue.as_ref();
        let queued_bytes = queue.map_or(0, |queue| queue.argument_bytes());
        let unfinished_bytes =
            unfinished_bytes + self.exchange.parser.pending_bytes() + queued_bytes;
        let limit = self.engine.config.client_query_buffer_limit.get() as usize;
        if unfinished_bytes > limit {
            self.engine.log.warning_of_clients(format_args!(
                "Closing client that reached max query buffer length: {unfinished_bytes} bytes from {}",
                self.exchange.session.client.address
            ));
        }
        unfinished_bytes <= limit
    }

    /// Delivers what the commands have pushed to other clients. Then sends the replies, as far as the socket takes them
    /// without waiting; the rest is kept in the backlog.
    ///
    /// With `appendfsync always`, that is done when everything is on the disk that the replies may tell of, perhaps by
    /// another thread.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(replica) = &self.exchange.session.sync.replica
            && !self.exchange.reply.is_empty()
        {
            // It would go into the stream.
            self.engine.log.warning_of_clients(format_args!(
                "Replica generated a reply to command, disconnecting it: {}",
                replica.name()
            ));
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if self.delays_replies() && self.defer()? == Departure::Deferred {
            return Ok(());
        }
        self.send()
    }

    /// Whether replies have to wait: for the disk, or for those before that do.
    fn delays_replies(&self) -> bool {
        let deferred = &self.exchange.session.client.buffers.deferred_replies;
        self.engine.append_only.durability.delays_replies() || deferred.load(Relaxed) > 0
    }

    /// What becomes of the replies. If other threads may write to the socket too, this thread waits.
    fn defer(&mut self) -> io::Result<Departure> {
        self.engine.tracking.broadcast();
        let is_any_due = self.engine.pushes.are_any();
        if self.exchange.reply.is_empty() && self.backlog.is_empty() && !is_any_due {
            return Ok(Departure::Now);
        }
        let append_only = &self.engine.append_only;
        let durability = &append_only.durability;
        let end = append_only.end();
        let may_defer = (1..=DEFERRED_BYTES).contains(&self.exchange.reply.len())
            && self.backlog.is_empty()
            && !self.may_get_messages()
            && !is_any_due
            && self.exchange.session.is_authenticated(self.engine);
        let departure = match may_defer {
            true => {
                let exchange = &mut *self.exchange;
                durability.depart(end, &exchange.session.client, || {
                    exchange.reply.take_bytes()
                })
            }
            false => self.wait_for_disk(end),
        };
        match departure {
            Departure::Never => Err(ErrorKind::ConnectionAborted.into()),
            departure => Ok(departure),
        }
    }

    fn wait_for_disk(&self, end: u64) -> Departure {
        let durability = &self.engine.append_only.durability;
        match durability.wait_for(end) {
            true => {
                durability.wait_until_sent(&self.exchange.session.client);
                Departure::Now
            }
            false => Departure::Never,
        }
    }

    /// Sends what is to be sent now.
    fn send(&mut self) -> io::Result<()> {
        self.engine.deliver_pushes();
        let unsent = self.backlog.len() + self.exchange.reply.len();
        if unsent == 0 {
            return Ok(());
        }
        if unsent >= LARGE_OUTPUT_BYTES {
            self.check_output_limit(unsent)?;
        }
        let mut socket = WithoutWaiting(self.socket);
        let sent = if self.backlog.is_empty() {
            self.exchange.reply.write_to(&mut socket)?
        } else {
            self.backlog.append(&mut self.exchange.reply);
            self.backlog.write_to(&mut socket)?
        };
        // The rest of the reply, which the socket did not take.
        self.backlog.append(&mut self.exchange.reply);
        self.record_sent(sent);
        if self.backlog.len() > UNAUTHENTICATED_UNREAD_BYTES
            && !self.exchange.session.is_authenticated(self.engine)
        {
            self.engine.report_over_limit(&self.exchange.session.client);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Sends all output, at the end of a connection or before a dump. Waits for a client that is slow, but not for one
    /// that reads nothing for [`FAREWELL`]. Requests that the client sends meanwhile are not read.
    fn send_all(&mut self) -> io::Result<()> {
        if self.delays_replies()
            && self.wait_for_disk(self.engine.append_only.end()) == Departure::Never
        {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.send()?;
        while !self.backlog.is_empty() {
            let wakeup = Wakeup {
                bell: None,
                until: Until::Broken,
                for_room: true,
                deadline: Instant::now().checked_add(FAREWELL),
            };
            if wakeup.wait(&**self.socket)? == Woken::TimedOut {
                return Err(ErrorKind::TimedOut.into());
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Counts bytes that were sent, and stores the length of the backlog.
    fn record_sent(&self, sent: usize) {
        let client = &self.exchange.session.client;
        self.engine.statistics.count_output(client.id, sent);
        let before = client.buffers.unsent_bytes.load(Relaxed);
        if before != self.backlog.len() {
            client
                .buffers
                .unsent_bytes
                .store(self.backlog.len(), Relaxed);
            // A client that reads the reply to an old request is not idle.
            client.last_request_ms.store(clock::unix_ms(), Relaxed);
            self.keep_client_limit();
        }
    }

    /// Fails if the client leaves more unread than `client-output-buffer-limit` allows. For a soft limit, which is
    /// exceeded by time, the [`reaper`](super::reaper) looks too.
    fn check_output_limit(&self, unsent: usize) -> io::Result<()> {
        let client = &self.exchange.session.client;
        let limit = self.engine.pushes.limit(client);
        if !client
            .outbox
            .claim_disconnection(limit, unsent, clock::unix_ms())
        {
            return Ok(());
        }
        self.engine.report_over_limit(client);
        Err(ErrorKind::ConnectionAborted.into())
    }

    /// Stores the sizes of the buffers, for CLIENT LIST.
    fn store_buffer_sizes(&self) {
        let client = &self.exchange.session.client;
        client
            .buffers
            .input_bytes
            .store(self.exchange.input.unparsed().len(), Relaxed);
        client
            .buffers
            .input_free_bytes
            .store(self.exchange.input.free_bytes(), Relaxed);
        client
            .buffers
            .argument_bytes
            .store(self.exchange.parser.pending_bytes(), Relaxed);
        client
            .buffers
            .output_capacity
            .store(self.exchange.reply.capacity(), Relaxed);
        let transaction = &self.exchange.session.transaction;
        let left_behind = transaction.left_behind.iter().map(|(_, watched)| watched);
        let watched_bytes = left_behind
            .chain([&transaction.watched])
            .map(Watched::memory_bytes)
            .sum();
        client.buffers.watched_bytes.store(watched_bytes, Relaxed);
    }

    /// Evicts clients if all together take too much memory (`maxmemory-clients`); this one may be among them.
    #[inline]
    fn keep_client_limit(&self) {
        if self.engine.clients.memory.is_limited() {
            self.exchange.session.client.measure();
            self.engine.evict_clients();
        }
    }
}
