//! The latest slow commands: <https://redis.io/commands/slowlog-get/>.
//!
//! A client's thread compares the duration of a command with `slowlog-log-slower-than`, and adds an entry only if the
//! command was slow. The mutex is a leaf. An entry is allocated before it is locked, and removed entries are freed
//! after it is unlocked.
//!
//! # Invariant
//! There are at most `slowlog-max-len` entries, of at most 32 arguments of little more than 128 bytes each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Arguments of a command that an entry keeps.
const MOST_ARGUMENTS: usize = 32;

/// Bytes of an argument that an entry keeps.
const MOST_BYTES: usize = 128;

/// The text in place of a password.
pub const REDACTED: &[u8] = b"(redacted)";

/// One slow command.
#[derive(Debug)]
pub struct Entry {
    /// Counts up from 0 over the life of the server.
    pub id: u64,
    /// Unix time, in seconds.
    pub ended_at_s: i64,
    /// The duration of the command, in microseconds.
    pub duration_us: i64,
    /// Its name and arguments, cut.
    pub arguments: Vec<Vec<u8>>,
    /// `address:port` of the client.
    pub address: String,
    /// The name that the client has given itself (CLIENT SETNAME).
    pub client_name: Vec<u8>,
}

/// The log.
#[derive(Debug, Default)]
pub struct SlowLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The newest first.
    newest_first: VecDeque<Arc<Entry>>,
    next_id: u64,
}

impl SlowLog {
    /// Adds an entry, which gets its number here, and removes the oldest if there are more than `most`.
    pub fn push(&self, mut entry: Entry, most: usize) {
        if most == 0 {
            return;
        }
        let mut entries = self.lock();
        entry.id = entries.next_id;
        entries.next_id += 1;
        entries.newest_first.push_front(Arc::new(entry));
        let removed = entries.keep(most);
        drop(entries);
        drop(removed);
    }

    /// Removes the oldest entries beyond the `most` newest.
    pub fn trim(&self, most: usize) {
        let removed = self.lock().keep(most);
        drop(removed);
    }

    /// The newest entries, `most` of them or all, the newest first.
    pub fn newest(&self, most: usize) -> Vec<Arc<Entry>> {
        let entries = self.lock();
        entries.newest_first.iter().take(most).cloned().collect()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.lock().newest_first.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Takes the oldest entries out, so that `most` are left.
    fn keep(&mut self, most: usize) -> VecDeque<Arc<Entry>> {
        let kept = self.newest_first.len().min(most);
        self.newest_first.split_off(kept)
    }
}

/// The arguments of a command as an entry keeps them. Those that `is_secret` names by their index are hidden.
pub fn cut(arguments: &[&[u8]], is_secret: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let is_cut = arguments.len() > MOST_ARGUMENTS;
    // The last one says how many arguments are left out.
    let shown = match is_cut {
        true => MOST_ARGUMENTS - 1,
        false => arguments.len(),
    };
    let cut_argument = |(index, argument): (usize, &&[u8])| match argument.get(..MOST_BYTES) {
        _ if is_secret(index) => REDACTED.to_vec(),
        Some(start) if argument.len() > MOST_BYTES => {
            let rest = argument.len() - MOST_BYTES;
            [start, format!("... ({rest} more bytes)").as_bytes()].concat()
        }
        _ => argument.to_vec(),
    };
    let kept = arguments[..shown].iter().enumerate().map(cut_argument);
    let rest = arguments.len() - shown;
    let remark = is_cut.then(|| format!("... ({rest} more arguments)").into_bytes());
    kept.chain(remark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(duration_us: i64) -> Entry {
        Entry {
            id: 0,
            ended_at_s: 0,
            duration_us,
            arguments: vec![],
            address: String::new(),
            client_name: vec![],
        }
    }

    #[test]
    fn the_newest_are_kept_and_numbers_go_on() {
        let log = SlowLog::default();
        (0..5).for_each(|duration_us| log.push(entry(duration_us), 3));
        let ids = |most| -> Vec<u64> { log.newest(most).iter().map(|entry| entry.id).collect() };
        assert_eq!(ids(usize::MAX), [4, 3, 2]);
        assert_eq!(ids(2), [4, 3]);
        log.push(entry(5), 0);
        assert_eq!(ids(9), [4, 3, 2], "an entry that cannot stay is not made");
        log.trim(1);
        assert_eq!(ids(9), [4]);
        log.trim(0);
        assert!(log.is_empty());
        log.push(entry(6), 1);
        assert_eq!(ids(9), [5]);
    }

    /// The expected values follow Redis' `slowlog.c`.
    #[test]
    fn long_commands_are_cut() {
        let nothing = |_: usize| false;
        let (fits, long) = ([b'a'; 128], [b'a'; 130]);
        let cut_bytes = [&[b'a'; 128][..], b"... (2 more bytes)"].concat();
        assert_eq!(cut(&[&fits, &long], nothing), [fits.to_vec(), cut_bytes]);
        let arguments = |count| vec![&b"x"[..]; count];
        assert_eq!(cut(&arguments(32), nothing), vec![b"x".to_vec(); 32]);
        let many = cut(&arguments(33), nothing);
        assert_eq!(many.len(), 32);
        assert_eq!(many[30..], [&b"x"[..], b"... (2 more arguments)"]);
        let hidden = cut(&[b"auth", &long], |index| index == 1);
        assert_eq!(hidden, [&b"auth"[..], b"(redacted)"]);
    }
}
