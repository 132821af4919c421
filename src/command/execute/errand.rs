//! Errands: what a thread carries out for others that wait for the lock which it holds.
//!
//! A thread whose client changes a key that other clients change too finds the lock taken. It then leaves its exchange
//! with the lock, and sleeps. The holder carries out the rest of its own packet, and then the packets of the others, as
//! far as they need no other lock; it wakes each thread, which sends the replies. What that is good for,
//! `keyspace/lock_queue.rs` tells.
//!
//! # Invariants
//! 1. An exchange belongs to one thread at a time: it is moved from one to the other, and always comes back.
//! 2. What is done for others is what a thread does with a lock in hand: commands that change keys of this shard. All
//!    else their threads do themselves, waiting for locks where need be.
//! 3. What the server remembers by thread is, during an errand, that of the errand's client.
//! 4. A command that panics ends the connection of its own client, not that of the client whose thread runs it.

use super::Executor;
use super::exchange::Exchange;
use crate::command::call::Then;
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
    /// It is carried out, perhaps with some that follow it; this is what the last of them leaves to be done.
    Done(Then),
    /// A command has panicked.
    Failed,
}

/// What a thread leaves with a lock.
struct Errand {
    /// There until it is given back.
    exchange: Option<Exchange>,
    owner: Thread,
    way_back: Arc<WayBack>,
}

/// Where the thread finds its exchange when the errand is done.
#[derive(Debug, Default)]
struct WayBack(Mutex<Option<Returned>>);

#[derive(Debug)]
struct Returned {
    exchange: Exchange,
    outcome: HandedOver,
    /// [`change_log::last_of_thread`] of the errand.
    last_block: u64,
}

impl Errand {
    fn give_back(&mut self, outcome: HandedOver, last_block: u64) {
        if let Some(exchange) = self.exchange.take() {
            let returned = Returned {
                exchange,
                outcome,
                last_block,
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
        self.give_back(HandedOver::Failed, 0);
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
            exchange: Some(exchange),
            owner: thread::current(),
            way_back: way_back.clone(),
        };
        let own = match self.engine.locks.write_or_leave(place, Box::new(errand)) {
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
            errand.give_back(HandedOver::Back, 0);
        }
        let returned = way_back.wait();
        if returned.last_block != 0 {
            change_log::set_last_of_thread(returned.last_block);
        }
        self.resume();
        (returned.exchange, returned.outcome)
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
        let last_block = change_log::last_of_thread();
        change_log::forget_last_of_thread();
        let done = catch_unwind(AssertUnwindSafe(|| self.carry_out_requests(exchange)));
        if done.is_err() {
            // What the command did before it panicked is committed, as at the end of a thread that has panicked.
            self.lock.release();
        }
        errand.give_back(
            done.unwrap_or(HandedOver::Failed),
            change_log::last_of_thread(),
        );
        change_log::set_last_of_thread(last_block);
        tracking::set_acting_client(acting);
    }

    /// Carries out the requests of another client that need no lock but the one in hand.
    fn carry_out_requests(&mut self, exchange: &mut Exchange) -> HandedOver {
        let mut outcome = HandedOver::Back;
        while let Ok(true) = exchange.parse(self.engine)
            && let Some(then) = exchange.execute_in_hand(self)
        {
            exchange.advance();
            let goes_on = matches!(then, Then::Nothing)
                && !exchange.has_to_send()
                && !self.lock.is_turn_over(self.stopwatch.shows());
            outcome = HandedOver::Done(then);
            if !goes_on {
                break;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::execute::{Engine, Manner};
    use crate::command::session::Session;
    use crate::keyspace::space::Key;
    use crate::keyspace::view::View;
    use crate::state::clients::{NewConnection, NoLink};
    use crate::state::config::Config;
    use crate::util::clock::Stopwatch;
    use std::time::Duration;

    /// An exchange with a client that has sent these requests, a line each.
    fn exchange(engine: &Engine, requests: &str) -> Exchange {
        let connection = NewConnection {
            address: String::new(),
            local_address: String::new(),
            file_descriptor: 0,
            is_local: true,
            is_of_unix_socket: false,
            account: engine.acl.default_account().clone(),
            link: Arc::new(NoLink),
        };
        let registration = engine.clients.register(connection, 100, 0);
        let client = registration.expect("there is room").client.clone();
        let mut exchange = Exchange::new(Session::new(engine, &client));
        let mut requests = requests.as_bytes();
        while !requests.is_empty() {
            exchange.input.receive(&mut requests).unwrap();
        }
        exchange
    }

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
            Then::Taken(place) => executor.hand_over(exchange, place),
            then => {
                exchange.advance();
                (exchange, HandedOver::Done(then))
            }
        }
    }

    fn replies(mut exchange: Exchange) -> String {
        String::from_utf8(exchange.reply.take_bytes()).unwrap()
    }

    fn rest(exchange: &Exchange) -> &str {
        std::str::from_utf8(exchange.input.unparsed()).unwrap()
    }

    /// Executes the first of `requests` while another thread holds the lock of `hot`, which it then lets go.
    fn execute_while_taken(engine: &Engine, requests: &str) -> (Exchange, HandedOver) {
        let place = Key::new(0, b"hot").place();
        let mut holder = executor(engine);
        let (own, _) = execute(exchange(engine, "INCR hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut executor = executor(engine);
                execute(exchange(engine, requests), &mut executor)
            });
            while engine.locks.waiting_threads(place) == 0 {
                thread::yield_now();
            }
            holder.release();
            drop(own);
            waiting.join().unwrap()
        })
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
            ("INCR hot\n*1\r\n!", ":2\r\n", "*1\r\n!"),
        ] {
            let engine = Engine::new(Config::default(), None);
            let (exchange, outcome) = execute_while_taken(&engine, requests);
            assert!(
                matches!(outcome, HandedOver::Done(Then::Nothing)),
                "{requests}"
            );
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
                let (exchange, outcome) = execute(exchange(&engine, "INCR hot\n"), &mut executor);
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
        let (own, _) = execute(exchange(&engine, "INCR hot\nINCR hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut executor = executor(&engine);
                execute(exchange(&engine, "INCR hot\nINCR hot\n"), &mut executor)
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
        let (_own, _) = execute(exchange(engine, "INCR hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..5)
                .map(|number| {
                    let thread = scope.spawn(move || {
                        let (exchange, _) =
                            execute(exchange(engine, "INCR hot\n"), &mut executor(engine));
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
        let engine = Engine::new(Config::default(), None);
        let before = tracking::set_acting_client(7);
        change_log::set_last_of_thread(70);
        drop(execute_while_taken(&engine, "INCR hot\n"));
        assert_eq!(change_log::last_of_thread(), 70);
        assert_eq!(tracking::set_acting_client(before), 7);
    }

    #[test]
    fn what_is_dropped_has_failed_and_comes_back() {
        let engine = Engine::new(Config::default(), None);
        let way_back = Arc::new(WayBack::default());
        drop(Errand {
            exchange: Some(exchange(&engine, "INCR hot\n")),
            owner: thread::current(),
            way_back: way_back.clone(),
        });
        let returned = way_back.wait();
        assert!(matches!(returned.outcome, HandedOver::Failed));
        assert_eq!(rest(&returned.exchange), "INCR hot\n");
    }
}
