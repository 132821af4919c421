//! The part of a [`Db`] that looks keys up. What a look-up leaves behind depends on what it is for:
//!
//! | | for | access | hit or miss | event `keymiss` |
//! |---|---|---|---|---|
//! | [`read`](Db::read) | reading the value | yes | counted | sent |
//! | [`read_metadata`](Db::read_metadata) | reading something about the key: TYPE, TTL | | counted | sent |
//! | [`read_for_object`](Db::read_for_object) | OBJECT | | counted | |
//! | [`find_to_change`](Db::find_to_change) | changing the value | yes | | |
//! | [`look_silently`](Db::look_silently) | the server itself, and checks that must leave no trace | | | |

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
    /// The entry of a key that a command reads, if the key exists and has not expired: GET, LRANGE.
    pub fn read(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.read_metadata(key)?;
        entry.clock().touch(self.reading_access());
        Some(entry)
    }

    /// The entry of a key of which a command reads something else than the value: TYPE, TTL. No access is noted.
    pub fn read_metadata(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.read_for_object(key);
        if entry.is_none() {
            self.note_event(key, "keymiss");
        }
        entry
    }

    /// The entry of a key for OBJECT, which looks into the server: a hit or miss is counted, and nothing else.
    pub fn read_for_object(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.look_silently(key);
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

    /// The entry of a key that a command is about to change, or of which it finds out whether it may.
    pub fn find_to_change(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.look_silently(key)?;
        entry.clock().touch(self.changing_access(key));
        Some(entry)
    }

    /// The entry of a key, if the key exists and has not expired. The look-up leaves no trace.
    pub fn look_silently(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        self.shard(key)
            .get(key.hash, key.bytes)
            .filter(|entry| !entry.is_expired(self.view.expiry_ms()))
    }

    /// The string of a key that is [read](Db::read).
    pub fn string(&self, key: &Key<'_>) -> Result<Option<&[u8]>, WrongType> {
        self.read(key).map(Entry::string).transpose()
    }

    /// The collection of a key that is [read](Db::read).
    pub fn collection<C: Collection>(
        &self,
        key: &Key<'_>,
    ) -> Result<Option<C::View<'_>>, WrongType> {
        self.read(key).map(Entry::collection::<C>).transpose()
    }

    /// The string of a key that is to be [changed](Db::find_to_change).
    pub fn string_to_change(&self, key: &Key<'_>) -> Result<Option<&[u8]>, WrongType> {
        self.find_to_change(key).map(Entry::string).transpose()
    }

    /// The collection of a key that is to be [changed](Db::find_to_change), or not, as it turns out.
    pub fn collection_to_change<C: Collection>(
        &self,
        key: &Key<'_>,
    ) -> Result<Option<C::View<'_>>, WrongType> {
        let entry = self.find_to_change(key);
        entry.map(Entry::collection::<C>).transpose()
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
