//! ACL LOG: what was refused lately, and to whom: <https://redis.io/commands/acl-log/>.
//!
//! # Thread safety
//! Any thread adds, also with shards locked; the mutex is a leaf, held for a few lines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Refusals of one kind within this time share an entry.
const GROUPED_MS: i64 = 60_000;
/// How many entries, the latest first, are searched for one that a refusal can share.
const SEARCHED: usize = 10;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// To log in.
    Auth,
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
}

impl Denied {
    /// All, in the order in which INFO counts them.
    pub const ALL: [Denied; 4] = [Denied::Auth, Denied::Command, Denied::Key, Denied::Channel];

    /// The word in ACL LOG.
    pub fn reason(self) -> &'static str {
        match self {
            Denied::Auth => "auth",
            Denied::Command => "command",
            Denied::Key => "key",
            Denied::Channel => "channel",
        }
    }

    /// The end of its field in INFO: `acl_access_denied_cmd`.
    pub fn field(self) -> &'static str {
        match self {
            Denied::Command => "cmd",
            other => other.reason(),
        }
    }
}

/// Where it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A command of a client.
    TopLevel,
    /// A command that waits for EXEC, or that EXEC carries out.
    Transaction,
    /// A command of a script or a function.
    Script,
}

impl Context {
    /// The word in ACL LOG.
    pub fn name(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Transaction => "multi",
            Context::Script => "lua",
        }
    }
}

/// Refusals of one kind.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was refused.
    pub denied: Denied,
    /// Where.
    pub context: Context,
    /// The command, key or channel; of a failed AUTH, the command that was used.
    pub object: Vec<u8>,
    /// The user.
    pub username: Vec<u8>,
    /// The latest client, as in CLIENT LIST.
    pub client: Vec<u8>,
    /// How many refusals there were.
    pub count: u64,
    /// Counts entries up from 0 over the life of the server.
    pub id: u64,
    /// Unix time of the first, in milliseconds.
    pub created_ms: i64,
    /// Unix time of the latest, in milliseconds.
    pub updated_ms: i64,
}

impl Entry {
    fn is_like(&self, other: &Entry) -> bool {
        self.denied == other.denied
            && self.context == other.context
            && self.updated_ms.abs_diff(other.updated_ms) <= GROUPED_MS as u64
            && self.object == other.object
            && self.username == other.username
    }
}

/// The latest refusals.
#[derive(Debug, Default)]
pub struct AclLog {
    recent: Mutex<Recent>,
    /// How often each of [`Denied::ALL`] was refused.
    counts: [AtomicU64; 4],
}

#[derive(Debug, Default)]
struct Recent {
    /// The latest first.
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl AclLog {
    /// Notes a refusal; `count`, `id` and the time of the first are filled in here. With a new entry, at most `most`
    /// are kept.
    pub fn add(&self, mut new: Entry, most: usize) {
        self.counts[new.denied as usize].fetch_add(1, Relaxed);
        let mut recent = self.lock();
        let searched = recent.entries.iter().take(SEARCHED);
        let known = searched.enumerate().find(|(_, entry)| entry.is_like(&new));
        let known = known.map(|(place, _)| place);
        if let Some(known) = known.and_then(|place| recent.entries.remove(place)) {
            recent.entries.push_front(Entry {
                count: known.count + 1,
                updated_ms: new.updated_ms,
                client: new.client,
                ..known
            });
            return;
        }
        new.id = recent.next_id;
        recent.next_id += 1;
        new.count = 1;
        new.created_ms = new.updated_ms;
        recent.entries.push_front(new);
        recent.entries.truncate(most);
    }

    /// The latest entries, at most `count`.
    pub fn latest(&self, count: usize) -> Vec<Entry> {
        self.lock().entries.iter().take(count).cloned().collect()
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        self.lock().entries.clear();
    }

    /// How often this was refused.
    pub fn count(&self, denied: Denied) -> u64 {
        self.counts[denied as usize].load(Relaxed)
    }

    /// Sets the counts to zero: CONFIG RESETSTAT.
    pub fn reset_counts(&self) {
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(object: &[u8], at_ms: i64) -> Entry {
        Entry {
            denied: Denied::Key,
            context: Context::TopLevel,
            object: object.to_vec(),
            username: b"ann".to_vec(),
            client: format!("at {at_ms}").into_bytes(),
            count: 0,
            id: 0,
            created_ms: 0,
            updated_ms: at_ms,
        }
    }

    #[test]
    fn refusals_of_one_kind_share_an_entry_for_a_minute() {
        let log = AclLog::default();
        for (object, at_ms) in [(b"a", 0), (b"b", 1), (b"a", 60_000), (b"b", 60_002)] {
            log.add(refusal(object, at_ms), 3);
        }
        let seen = log.latest(9);
        let seen: Vec<_> = seen
            .iter()
            .map(|it| {
                (
                    &it.object[..],
                    it.count,
                    it.id,
                    it.created_ms,
                    it.updated_ms,
                )
            })
            .collect();
        let expected: [(&[u8], u64, u64, i64, i64); 3] = [
            (b"b", 1, 2, 60_002, 60_002),
            (b"a", 2, 0, 0, 60_000),
            (b"b", 1, 1, 1, 1),
        ];
        assert_eq!(seen, expected);
        assert_eq!(log.count(Denied::Key), 4);
        log.add(refusal(b"c", 60_003), 3);
        assert_eq!(log.latest(9).len(), 3);
        assert_eq!(log.latest(1)[0].object, b"c");
    }
}
