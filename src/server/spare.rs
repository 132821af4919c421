//! Data that are loaded while others are served, and then take their place: the snapshot of a primary with
//! `repl-diskless-load`.
//!
//! They lie in a keyspace of their own, which no client sees. If loading fails, they are dropped, and nothing has
//! happened. To replace the others is to swap the tables of all shards, with all locks in hand: it takes no longer if
//! there are more keys.

use super::loader::{Destination, NONE_EXPIRED, Stop, load_into};
use super::start::spawn;
use crate::command::LoadHost;
use crate::command::execute::Engine;
use crate::keyspace::locks::Locks;
use crate::keyspace::view::View;
use crate::state::scripts::libraries::Restoring;
use crate::state::scripts::{Scripts, libraries::Libraries};
use crate::util::clock;
use std::io::Read;

/// Keys and functions.
#[derive(Debug)]
pub struct Spare {
    locks: Locks,
    libraries: Libraries,
}

impl Spare {
    /// No data, for this server.
    pub fn new(engine: &Engine) -> Spare {
        let locks = Locks::new(engine.keyspace.databases());
        engine.apply_access_rules(locks.keyspace());
        Spare {
            locks,
            libraries: Scripts::default().libraries,
        }
    }

    /// Loads an RDB file, also keys that have expired. Returns how many bytes it has.
    pub fn load(&self, engine: &Engine, input: impl Read) -> Result<u64, Stop> {
        let destination = Destination {
            locks: &self.locks,
            libraries: &self.libraries,
        };
        load_into(engine, destination, input, NONE_EXPIRED)
    }

    /// Replaces the data of the server. Their effects are not kept. The old data are freed in a thread of their own.
    ///
    /// # Errors
    /// A library cannot be loaded a second time, for lack of memory: nothing has happened.
    pub fn take_over(self, engine: &Engine) -> Result<(), String> {
        let view = View::from(clock::unix_ms());
        let mut old = engine.locks.write_all(view);
        self.replace_libraries(engine)?;
        let mut new = self.locks.write_all(view);
        old.swap_all(&mut new);
        old.free_later(engine.tracking.forget_all());
        drop(new);
        drop(old);
        engine.deliver_pushes();
        // Without a thread it is freed here.
        let _ = spawn("old data", move || drop(self));
        Ok(())
    }

    fn replace_libraries(&self, engine: &Engine) -> Result<(), String> {
        let table = self.libraries.table();
        let texts = table.libraries.values();
        let texts: Vec<Vec<u8>> = texts.map(|library| library.text.clone()).collect();
        let libraries = &engine.scripts.libraries;
        let compiled = libraries.compile_all(&texts, &mut LoadHost::without_limit(engine));
        let replaced =
            compiled.and_then(|all| libraries.put(&libraries.hold(), all, Restoring::Flush));
        replaced.map_err(|reason| String::from_utf8_lossy(&reason).into_owned())
    }
}
