//! The part of a [`Db`] that looks keys up. What a look-up leaves behind depends on what it is for:
//!
//! | | for | access | hit or miss | event `keymiss` |
//! |---|---|---|---|---|
//! | [`get`](Db::get) | reading the value | yes | counted | told |
//! | [`peek`](Db::peek) | reading something about the key: TYPE, TTL | | counted | told |
//! | [`inspect`](Db::inspect) | OBJECT | | counted | |
//! | [`find`](Db::find) | changing the value | yes | | |
//! | [`look`](Db::look) | whoever is to leave no trace | | | |

use super::Db;
use crate::keyspace::access::Access;
use crate::keyspace::entry::{Entry, WrongType};
use crate::keyspace::object::Collection;
use crate::keyspace::space::Key;

/// How many keys a command looked up to read them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookups {
    /// Keys that were there.
    pub hits: u32,
    /// Keys that were not.
    pub misses: u32,
}

impl<'a> Db<'a> {
    /// The entry of a key, if it is there and has not expired. All look-ups return that.
    pub fn get(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.peek(key)?;
        entry.clock().touch(self.reading_access());
        Some(entry)
    }

    /// The same for a command that does not use the value.
    pub fn peek(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.inspect(key);
        if entry.is_none() {
            self.note_event(key, "keymiss");
        }
        entry
    }

    /// The same for a command that looks into the server rather than at its data.
    pub fn inspect(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.look(key);
        let Lookups { hits, misses } = self.lookups.get();
        self.lookups.set(match entry {
            Some(_) => Lookups {
                hits: hits + 1,
                misses,
            },
            None => Lookups {
                hits,
                misses: misses + 1,
            },
        });
        entry
    }

    /// The same for a command that is about to change the value, or to find out whether it may.
    pub fn find(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.look(key)?;
        entry.clock().touch(self.changing_access(key));
        Some(entry)
    }

    /// The same without a trace.
    pub fn look(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        self.shard(key)
            .get(key.hash, key.bytes)
            .filter(|entry| !entry.is_expired(self.view.now_ms))
    }

    /// The string of a key that is [read](Db::get).
    pub fn string(&self, key: &Key<'_>) -> Result<Option<&[u8]>, WrongType> {
        self.get(key).map(Entry::string).transpose()
    }

    /// The collection of a key that is [read](Db::get).
    pub fn collection<C: Collection>(&self, key: &Key<'_>) -> Result<Option<&C>, WrongType> {
        self.get(key).map(Entry::collection).transpose()
    }

    /// The string of a key that is to be [changed](Db::find).
    pub fn find_string(&self, key: &Key<'_>) -> Result<Option<&[u8]>, WrongType> {
        self.find(key).map(Entry::string).transpose()
    }

    /// The collection of a key that is to be [changed](Db::find), or not, as it turns out.
    pub fn find_collection<C: Collection>(&self, key: &Key<'_>) -> Result<Option<&C>, WrongType> {
        self.find(key).map(Entry::collection).transpose()
    }

    /// How many keys have been looked up to be read since this was last asked.
    pub fn take_lookups(&self) -> Lookups {
        self.lookups.take()
    }

    /// An access at the time of the command.
    pub fn access(&self) -> Access<'a> {
        self.keyspace.access_rules.access(self.view.now_ms)
    }

    /// An access by a command that reads the value: none after CLIENT NO-TOUCH.
    fn reading_access(&self) -> Access<'a> {
        let mut access = self.access();
        access.is_silent = !self.view.touches;
        access
    }

    /// An access by a command that changes the value. It may come back to the key several times, to see whether it is
    /// there, what it holds, and to change it, which counts as one access.
    pub(super) fn changing_access(&self, key: &Key<'_>) -> Access<'a> {
        let mut access = self.reading_access();
        if self.keyspace.access_rules.counts() {
            let counted = self.counted.replace(Some(key.hash));
            access.is_silent |= counted == Some(key.hash);
        }
        access
    }
}
