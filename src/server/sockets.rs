//! The sockets on which the server listens, each with its thread. CONFIG SET `port` and `bind` move them.
//!
//! A thread that waits in `accept` is ended by shutting its socket down. The port is free for another socket only when
//! the thread has let go of the old one, so it is waited for.

use super::listener::Listener;
use super::start::{bind_address, spawn};
use super::workers::Workers;
use crate::command::execute::Engine;
use crate::state;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

/// The TCP sockets of a server.
#[derive(Debug)]
pub struct Sockets {
    engine: Weak<Engine>,
    workers: Arc<Workers>,
    /// Locked while sockets are moved.
    listening: Mutex<Vec<Listening>>,
}

/// A socket with its thread.
#[derive(Debug)]
struct Listening {
    /// A word of `bind`, and the port.
    place: (String, u16),
    listener: Arc<Listener>,
    is_closed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sockets {
    /// No sockets yet. Their clients are served by `workers`.
    pub fn new(engine: &Arc<Engine>, workers: Arc<Workers>) -> Sockets {
        Sockets {
            engine: Arc::downgrade(engine),
            workers,
            listening: Mutex::default(),
        }
    }

    /// Accepts connections on sockets that are open, each with its word of `bind` and its port.
    ///
    /// # Errors
    /// The system has no thread for one of them.
    pub fn accept(&self, opened: Vec<((String, u16), Listener)>) -> Result<(), String> {
        let mut listening = self.lock();
        for (place, listener) in opened {
            listening.push(self.begin(place, listener)?);
        }
        Ok(())
    }

    fn begin(&self, place: (String, u16), listener: Listener) -> Result<Listening, String> {
        let engine = self.engine.upgrade().ok_or("the server ends")?;
        let listener = Arc::new(listener);
        let is_closed = Arc::new(AtomicBool::new(false));
        let (own, workers, closed) = (listener.clone(), self.workers.clone(), is_closed.clone());
        let run = move || own.run(&engine, &workers, &closed);
        Ok(Listening {
            place,
            listener,
            is_closed,
            thread: spawn("listener", run)?,
        })
    }

    /// Opens a socket; `None` if the address is optional, and this machine does not have it.
    fn open(&self, place: &(String, u16)) -> Result<Option<Listening>, String> {
        let engine = self.engine.upgrade().ok_or("the server ends")?;
        let backlog = engine.config.tcp_backlog.get() as i32;
        let listener = bind_address(&place.0, place.1, backlog)?;
        listener
            .map(|listener| self.begin(place.clone(), listener))
            .transpose()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Listening>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl state::Sockets for Sockets {
    fn listen(&self, addresses: &[String], port: u16) -> Result<(), String> {
        let mut listening = self.lock();
        let addresses = addresses.iter().filter(|_| port != 0);
        let wanted: Vec<(String, u16)> = addresses.map(|it| (it.clone(), port)).collect();
        let (kept, old): (Vec<_>, Vec<_>) = std::mem::take(&mut *listening)
            .into_iter()
            .partition(|it| wanted.contains(&it.place));
        // First, because a new socket may want an address that is part of an old one.
        old.into_iter().for_each(Listening::close);
        *listening = kept;
        let mut first_error = None;
        for place in &wanted {
            if listening.iter().any(|it| it.place == *place) {
                continue;
            }
            match self.open(place) {
                Ok(opened) => listening.extend(opened),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

impl Listening {
    /// Closes the socket, and waits until its thread has ended.
    fn close(self) {
        self.is_closed.store(true, Relaxed);
        self.listener.shut_down();
        drop(self.listener);
        // It has no result; if it has panicked, it has ended too.
        let _ = self.thread.join();
    }
}
