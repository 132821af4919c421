//! Keys to values: shards behind locks, the entries in them, expiry, and the one door for changes.
//!
//! Reading order: [`object`] (the values), [`inline_entry`] and [`object_entry`] with `expiring_key.rs` (a key with its
//! value, as it lies in memory), [`entry`] (a key with its value as a reader sees it), [`shard`] (a table of entries,
//! with `deadlines.rs`), `shard_lock.rs` with `lock_queue.rs` and `lock_tries.rs` (the lock of a shard, and the threads
//! that wait for it), `lock_set.rs` (how several are taken at once), [`space`] (all shards), [`locks`] (the right to
//! lock them), [`db`] with [`view`] (what a command sees: the shards locked for it), [`change`] with [`effect`] and
//! [`listeners`] (how a change becomes known), [`expiry`], [`events`], [`snapshot`] with [`kept`], `undo` (how a script
//! is taken back), [`gate`], [`waiters`], [`watchers`], [`survey`].
//!
//! Locks are taken through [`locks::Locks`] alone, which the executor (`command::execute`) and the threads of `server`
//! have; each call takes all that its command needs, because a thread that holds one must not ask for another. A
//! command's handler gets a [`db::Db`] and has no way to a lock.

pub mod access;
pub mod change;
pub mod db;
mod deadlines;
pub mod effect;
pub mod entry;
pub mod events;
pub mod evict;
mod expiring_key;
pub mod expiry;
pub mod gate;
pub mod hash_mut;
pub mod inline_entry;
pub mod kept;
pub mod listeners;
mod lock_queue;
mod lock_set;
mod lock_tries;
pub mod locks;
pub mod object;
pub mod object_entry;
pub mod shard;
mod shard_lock;
pub mod snapshot;
pub mod space;
pub mod string_form;
pub mod survey;
mod undo;
pub mod view;
pub mod waiters;
pub mod watchers;
