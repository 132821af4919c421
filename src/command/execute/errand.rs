//! Errands: what a thread carries out for others that wait for the lock which it holds.
//!
//! A thread that wants a lock and finds it taken leaves its exchange with the lock, and sleeps. The holder carries out
//! the rest of its own packet, and then the packets of the others, as far as they need no other lock; it wakes each
//! thread, which sends the replies. `keyspace/lock_queue.rs` tells why.
//!
//! # Invariants
//! 1. An exchange belongs to one thread at a time: it is moved from one to the other, and always comes back.
//! 2. What is done for others is what a thread does with a lock in hand: commands that change keys of this shard. All
//!    else their threads do themselves, waiting for locks where need be.
//! 3. What is remembered by thread is, during an errand, that of the errand's client, and goes to its thread with the
//!    exchange: the client that acts and what it has changed ([`tracking`]), the last block of the log
//!    ([`change_log`]). The lane of the log and the count of memory stay those of the thread that works.
//! 4. A command that panics ends the connection of its own client, not that of the client whose thread runs it.

use super::Executor;
use super::exchange::Exchange;
use crate::keyspace::locks::Waited;
use crate::keyspace::space::Place;
use crate::state::{change_log, tracking};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

/// What has become of a request that was handed over.
#[derive(Debug)]
pub enum HandedOver {
    /// It is not carried out: the thread does it itself, and waits for the locks that it needs.
    Back,
    /// It is carried out, perhaps with some that follow it.
    Done,
    /// A command has panicked.
    Failed,
}

/// What a thread leaves with a lock.
struct Errand {
    /// There until it is given back.
    exchange: Option<Box<Exchange>>,
    owner: Thread,
    way_back: Arc<WayBack>,
}

/// Where the thread finds its exchange when the errand is done.
#[derive(Debug, Default)]
struct WayBack(Mutex<Option<Returned>>);

#[derive(Debug)]
struct Returned {
    exchange: Box<Exchange>,
    outcome: HandedOver,
    changes: Changes,
}

/// What is remembered by thread of the changes that one client has made.
#[derive(Debug, Default)]
struct Changes {
    /// [`change_log::last_of_thread`].
    last_block: u64,
    /// Keys of which clients that track prefixes have not been told.
    untold: tracking::Changed,
}

impl Changes {
    /// Those of this thread, which then knows of none.
    fn take() -> Changes {
        let last_block = change_log::last_of_thread();
        change_log::forget_last_of_thread();
        Changes {
            last_block,
            untold: tracking::take_changed(),
        }
    }

    /// This thread knows of them, too.
    fn add(self) {
        if self.last_block != 0 {
            change_log::set_last_of_thread(self.last_block);
        }
        tracking::add_changed(self.untold);
    }
}

impl Errand {
    fn give_back(&mut self, outcome: HandedOver, changes: Changes) {
        if let Some(exchange) = self.exchange.take() {
            let returned = Returned {
                exchange,
                outcome,
                changes,
            };
            *self
                .way_back
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(returned);
            self.owner.unpark();
        }
    }
}

impl Drop for Errand {
    /// An errand that is dropped without having been done goes back.
    fn drop(&mut self) {
        self.give_back(HandedOver::Failed, Changes::default());
    }
}

impl WayBack {
    fn wait(&self) -> Returned {
        loop {
            let returned = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            match returned {
                Some(returned) => return returned,
                None => thread::park(),
            }
        }
    }
}

impl Executor<'_> {
    /// Hands the next request of this exchange over to the thread that holds the lock of `place`, and waits. If the
    /// lock becomes free first, this thread has it in hand then.
    pub fn hand_over(&mut self, exchange: Exchange, place: Place) -> (Exchange, HandedOver) {
        let way_back = Arc::new(WayBack::default());
        let errand = Errand {
            // Boxed by itself, because the holder moves it from the errand to the way back.
            exchange: Some(Box::new(exchange)),
            owner: thread::current(),
            way_back: way_back.clone(),
        };
        let own = match self
            .engine
            .locks
            .write_or_hand_over(place, Box::new(errand))
        {
            Waited::Locked(db, errand) => {
                self.lock.keep(db);
                Some(errand)
            }
            Waited::GaveUp(errand) => Some(errand),
            Waited::Taken => None,
        };
        if let Some(own) = own
            && let Ok(mut errand) = own.downcast::<Errand>()
        {
            errand.give_back(HandedOver::Back, Changes::default());
        }
        let returned = way_back.wait();
        returned.changes.add();
        self.resume();
        (*returned.exchange, returned.outcome)
    }

    /// Does errands of threads that wait for the lock in hand, for a turn. The clock is started anew.
    #[cold]
    pub(super) fn do_errands(&mut self) {
        self.resume();
        self.lock.begin_turn();
        while !self.lock.is_turn_over(self.stopwatch.shows())
            && let Some(errand) = self.lock.take_errand()
        {
            if let Ok(mut errand) = errand.downcast::<Errand>() {
                self.carry_out(&mut errand);
            }
        }
    }

    fn carry_out(&mut self, errand: &mut Errand) {
        let Some(exchange) = &mut errand.exchange else {
            return;
        };
        let acting = tracking::set_acting_client(exchange.session.client.id);
        let own = Changes::take();
        let done = catch_unwind(AssertUnwindSafe(|| {
            ReleasedByPanic(self).0.carry_out_requests(exchange)
        }));
        // Before the thread wakes: a client that has a reply finds its call counted.
        self.calls.flush();
        errand.give_back(done.unwrap_or(HandedOver::Failed), Changes::take());
        own.add();
        tracking::set_acting_client(acting);
        // An errand that came to nothing takes time too.
        self.stopwatch.lap_ns();
    }

    /// Carries out the requests of another client that need no lock but the one in hand.
    fn carry_out_requests(&mut self, exchange: &mut Exchange) -> HandedOver {
        let mut outcome = HandedOver::Back;
        while let Ok(true) = exchange.parse(self.engine)
            && exchange.execute_in_hand(self)
        {
            exchange.advance();
            outcome = HandedOver::Done;
            if exchange.has_to_send() || self.lock.is_turn_over(self.stopwatch.shows()) {
                break;
            }
        }
        outcome
    }
}

/// Lets the lock in hand go if a command panics, while it does: what the command has done is committed, and no waiting
/// client is served from it.
struct ReleasedByPanic<'e, 'a>(&'e mut Executor<'a>);

impl Drop for ReleasedByPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use crate::command::call::Then;
    use crate::command::execute::{Engine, Manner};
    use crate::keyspace::db::Db;
    use crate::keyspace::listeners::Recorder;
    use crate::keyspace::space::Key;
    use crate::keyspace::view::View;
    use crate::keyspace::waiters::{SharedWaiter, States, Waiter};
    use crate::resp::request::ProtocolError;
    use crate::state::config::Config;
    use crate::state::tracking::Mode;
    use crate::util::clock::Stopwatch;
    use std::time::Duration;

    /// Its turns do not end before the lock is let go, on however slow a machine.
    fn executor(engine: &Engine) -> Executor<'_> {
        let mut executor = Executor::new(engine, Stopwatch::start());
        executor.lock.longest_turn = Duration::MAX;
        executor
    }

    /// Executes the next request, with all that a connection does for it but what is left to be done.
    fn execute(mut exchange: Exchange, executor: &mut Executor) -> (Exchange, HandedOver) {
        assert_eq!(exchange.parse(executor.engine), Ok(true));
        match exchange.execute(executor, Manner::HandingOver) {
            Then::HandOver(place) => executor.hand_over(exchange, place),
            then => {
                exchange.advance();
                assert!(matches!(then, Then::Nothing));
                (exchange, HandedOver::Done)
            }
        }
    }

    fn replies(mut exchange: Exchange) -> String {
        String::from_utf8(exchange.reply.take_bytes()).unwrap()
    }

    fn rest(exchange: &Exchange) -> &str {
        std::str::from_utf8(exchange.input.unparsed()).unwrap()
    }

    /// Executes the first of `requests` in `waiting` while another thread holds the lock of `hot`, which it then lets
    /// go.
    fn while_taken<T: Send>(
        engine: &Engine,
        requests: &str,
        waiting: impl FnOnce(Exchange, HandedOver) -> T + Send,
    ) -> T {
        let place = Key::new(0, b"hot").place();
        let mut holder = executor(engine);
        let (own, _) = execute(Exchange::of_lines(engine, "INCR hot\n"), &mut holder);
        let theirs = Exchange::of_lines(engine, requests);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let (exchange, outcome) = execute(theirs, &mut executor(engine));
                waiting(exchange, outcome)
            });
            while engine.locks.waiting_threads(place) == 0 {
                thread::yield_now();
            }
            holder.release();
            drop(own);
            waiting.join().unwrap()
        })
    }

    fn execute_while_taken(engine: &Engine, requests: &str) -> (Exchange, HandedOver) {
        while_taken(engine, requests, |exchange, outcome| (exchange, outcome))
    }

    #[test]
    fn the_holder_carries_out_what_needs_its_lock_alone() {
        for (requests, replied, left) in [
            ("INCR hot\n", ":2\r\n", ""),
            ("INCR hot\nDECR hot\n\n", ":2\r\n:1\r\n", "\n"),
            ("APPEND hot x\nINCR", ":2\r\n", "INCR"),
            ("SET hot a\nGET hot\n", "+OK\r\n", "GET hot\n"),
            ("INCR hot\nINCR cold\n", ":2\r\n", "INCR cold\n"),
            (
                "INCR hot\nMSET hot 1 cold 2\n",
                ":2\r\n",
                "MSET hot 1 cold 2\n",
            ),
            ("INCR hot\nBLPOP hot 0\n", ":2\r\n", "BLPOP hot 0\n"),
            ("INCR hot\nINCR\n", ":2\r\n", "INCR\n"),
            ("INCR hot\nMULTI\n", ":2\r\n", "MULTI\n"),
        ] {
            let engine = Engine::new(Config::default(), None);
            let (exchange, outcome) = execute_while_taken(&engine, requests);
            assert!(matches!(outcome, HandedOver::Done), "{requests}");
            assert_eq!(rest(&exchange), left, "{requests}");
            assert_eq!(replies(exchange), replied, "{requests}");
        }
    }

    #[test]
    fn an_error_is_a_reply() {
        let engine = Engine::new(Config::default(), None);
        let (exchange, _) = execute_while_taken(&engine, "LPUSH hot x\nINCR hot\n");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        assert_eq!(replies(exchange), format!("{wrong_type}:2\r\n"));
    }

    /// As the thread itself would send them.
    #[test]
    fn large_replies_are_sent_before_more_is_carried_out() {
        let engine = Engine::new(Config::default(), None);
        let value = "x".repeat(40_000);
        let set = format!("SET hot {value} GET\n");
        let (exchange, _) = execute_while_taken(&engine, &set.repeat(4));
        assert_eq!(rest(&exchange).len(), set.len());
        assert_eq!(replies(exchange).len(), "$1\r\n1\r\n".len() + 2 * 40_010);
    }

    #[test]
    fn a_thread_that_gets_the_lock_first_does_its_errand_itself() {
        let engine = Engine::new(Config::default(), None);
        let key = Key::new(0, b"hot");
        let reader = engine.locks.read(View::from(0), &[key]).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut executor = executor(&engine);
                let (exchange, outcome) =
                    execute(Exchange::of_lines(&engine, "INCR hot\n"), &mut executor);
                assert!(matches!(outcome, HandedOver::Back));
                assert!(executor.lock.suffices(&[key]));
                let (exchange, _) = execute(exchange, &mut executor);
                replies(exchange)
            });
            while engine.locks.waiting_threads(key.place()) == 0 {
                thread::yield_now();
            }
            drop(reader);
            assert_eq!(waiting.join().unwrap(), ":1\r\n");
        });
    }

    #[test]
    fn errands_are_done_for_a_turn() {
        let engine = Engine::new(Config::default(), None);
        let place = Key::new(0, b"hot").place();
        let mut holder = executor(&engine);
        let (own, _) = execute(
            Exchange::of_lines(&engine, "INCR hot\nINCR hot\n"),
            &mut holder,
        );
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut executor = executor(&engine);
                execute(
                    Exchange::of_lines(&engine, "INCR hot\nINCR hot\n"),
                    &mut executor,
                )
            });
            while engine.locks.waiting_threads(place) == 0 {
                thread::yield_now();
            }
            // One command of the errand, and the turn is over.
            holder.lock.longest_turn = Duration::from_nanos(1);
            holder.do_errands();
            let (theirs, _) = waiting.join().unwrap();
            assert_eq!(rest(&theirs), "INCR hot\n");
            assert_eq!(replies(theirs), ":2\r\n");
            // No thread waits any more: the lock stays in hand.
            let (own, _) = execute(own, &mut holder);
            assert_eq!(replies(own), ":1\r\n:3\r\n");
        });
    }

    #[test]
    fn errands_are_done_in_the_order_in_which_they_came() {
        let engine = &Engine::new(Config::default(), None);
        let place = Key::new(0, b"hot").place();
        let mut holder = executor(engine);
        let (_own, _) = execute(Exchange::of_lines(engine, "INCR hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..5)
                .map(|number| {
                    let thread = scope.spawn(move || {
                        let (exchange, _) = execute(
                            Exchange::of_lines(engine, "INCR hot\n"),
                            &mut executor(engine),
                        );
                        replies(exchange)
                    });
                    while engine.locks.waiting_threads(place) == number {
                        thread::yield_now();
                    }
                    thread
                })
                .collect();
            holder.release();
            let replied: Vec<String> = waiting
                .into_iter()
                .map(|each| each.join().unwrap())
                .collect();
            assert_eq!(replied, [":2\r\n", ":3\r\n", ":4\r\n", ":5\r\n", ":6\r\n"]);
        });
    }

    /// The thread that does errands acts for another client meanwhile, and no longer.
    #[test]
    fn what_is_known_by_thread_goes_with_the_errand() {
        const OWN: u64 = 70;
        let engine = Engine::new(Config::default(), None);
        let listeners = &engine.keyspace.listeners;
        listeners.set_journal(engine.append_only.log.clone());
        listeners.set_recorded(Recorder::AppendOnlyFile, true);
        listeners.set_tracked(|| true);
        let listening = Exchange::of_lines(&engine, "").session.client.clone();
        let mode = Mode {
            is_broadcast: true,
            ..Mode::default()
        };
        engine.tracking.enable(&listening, mode, &[]);
        let before = tracking::set_acting_client(OWN);
        let (client, last_block, untold) =
            while_taken(&engine, "INCR hot\n", |exchange, outcome| {
                assert!(matches!(outcome, HandedOver::Done));
                let Changes { last_block, untold } = Changes::take();
                (exchange.session.client.id, last_block, untold)
            });
        let of_client = |client| tracking::Changed::from([(b"hot"[..].into(), client)]);
        assert_eq!(untold, of_client(client));
        let own = Changes::take();
        assert_eq!(own.untold, of_client(OWN));
        assert!(0 < own.last_block && own.last_block < last_block);
        assert_eq!(tracking::set_acting_client(before), OWN);
    }

    /// The parser knows a fault once.
    #[test]
    fn a_protocol_error_is_left_to_the_client_s_own_thread() {
        for (fault, error) in [
            ("*x\r\nPING\r\n", ProtocolError::InvalidCount),
            (
                "*1\r\n!x\r\n$4\r\nPING\r\n",
                ProtocolError::ExpectedDollar(b'!'),
            ),
            ("*1\r\n$x\r\n", ProtocolError::InvalidLength),
        ] {
            let engine = Engine::new(Config::default(), None);
            let (mut exchange, _) = execute_while_taken(&engine, &format!("INCR hot\n{fault}"));
            for _ in 0..2 {
                assert_eq!(exchange.parse(&engine), Err(error.clone()));
            }
            assert_eq!(replies(exchange), ":2\r\n");
        }
    }

    /// A client that cannot be served.
    #[derive(Debug)]
    struct Panicking;

    impl Waiter for Panicking {
        fn wants(&self) -> States {
            States::LIST
        }

        fn group(&self) -> Option<&[u8]> {
            None
        }

        fn destination(&self) -> Option<&[u8]> {
            None
        }

        fn serve(&self, _: &mut Db<'_>) -> bool {
            panic!("a panic that is expected");
        }

        fn wake(&self) {}
    }

    #[test]
    fn a_panic_is_that_of_the_errand_s_client_alone() {
        let engine = Engine::new(Config::default(), None);
        let key = Key::new(0, b"hot");
        let mut db = engine.locks.write(View::from(0), &[key]);
        let waiter: SharedWaiter = Arc::new(Panicking);
        db.join_waiters(&[key], &waiter);
        drop(db);
        let mut holder = executor(&engine);
        let (_own, _) = execute(Exchange::of_lines(&engine, "GETDEL hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                execute(
                    Exchange::of_lines(&engine, "RPUSH hot x\n"),
                    &mut executor(&engine),
                )
            });
            while engine.locks.waiting_threads(key.place()) == 0 {
                thread::yield_now();
            }
            holder.release();
            let (_, outcome) = waiting.join().unwrap();
            assert!(matches!(outcome, HandedOver::Failed));
        });
        // The lock is free, and what the command did is there.
        let db = engine.locks.read(View::from(0), &[key]).unwrap();
        assert!(db.look_silently(&key).is_some());
    }

    #[test]
    fn a_denial_is_left_to_the_client_s_own_thread() {
        let engine = Engine::new(Config::default(), None);
        let mut setup = Exchange::of_lines(&engine, "ACL SETUSER default -set\n");
        setup.parse(&engine).unwrap();
        setup.execute(&mut executor(&engine), Manner::Waiting);
        assert_eq!(replies(setup), "+OK\r\n");
        let (exchange, _) = execute_while_taken(&engine, "INCR hot\nSET hot x\n");
        assert_eq!(rest(&exchange), "SET hot x\n");
        assert!(engine.acl.log.latest(10).is_empty());
    }

    /// Even if its client goes on before the holder does.
    #[test]
    fn a_call_is_counted_before_its_client_gets_the_reply() {
        let engine = Engine::new(Config::default(), None);
        let mut holder = executor(&engine);
        let (own, _) = execute(Exchange::of_lines(&engine, "INCR hot\n"), &mut holder);
        holder.carry_out(&mut Errand {
            exchange: Some(Box::new(Exchange::of_lines(
                &engine,
                "INCR hot\nINCR hot\n",
            ))),
            owner: thread::current(),
            way_back: Arc::default(),
        });
        let incr = COMMANDS.find(b"incr").unwrap().number;
        assert_eq!(engine.statistics.command(incr).calls, 3);
        assert_eq!(replies(own), ":1\r\n");
    }

    #[test]
    fn what_is_dropped_has_failed_and_comes_back() {
        let engine = Engine::new(Config::default(), None);
        let way_back = Arc::new(WayBack::default());
        drop(Errand {
            exchange: Some(Box::new(Exchange::of_lines(&engine, "INCR hot\n"))),
            owner: thread::current(),
            way_back: way_back.clone(),
        });
        let returned = way_back.wait();
        assert!(matches!(returned.outcome, HandedOver::Failed));
        assert_eq!(rest(&returned.exchange), "INCR hot\n");
    }
}
