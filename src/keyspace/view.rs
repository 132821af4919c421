//! How a command sees the keyspace: which database, at what time, and what becomes of keys that have expired.

/// Part of every [`Db`](super::db::Db). The clock stands still while a command runs.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The client's database.
    pub database: usize,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// What becomes of a key that has expired when a command comes across it.
    pub expired: Expired,
    /// Whether reading a key counts as an access for its idle time: not after CLIENT NO-TOUCH.
    pub touches: bool,
}

/// What becomes of keys that have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// They are absent, and removed, with the event `expired`.
    Remove,
    /// They are absent, and stay where they are: during CLIENT PAUSE.
    Hide,
    /// They are there: while effects are replayed. An effect tells of a key that has expired, and commands before it
    /// may have given the key more time.
    Keep,
}

impl From<i64> for View {
    /// The first database at a Unix time in milliseconds.
    fn from(now_ms: i64) -> View {
        View {
            database: 0,
            now_ms,
            expired: Expired::Remove,
            touches: true,
        }
    }
}

impl View {
    /// The Unix time in milliseconds up to which deadlines have passed.
    pub fn expiry_ms(self) -> i64 {
        match self.expired {
            Expired::Remove | Expired::Hide => self.now_ms,
            Expired::Keep => i64::MIN,
        }
    }

    /// The same moment seen from another database.
    pub fn of_database(self, database: usize) -> View {
        View { database, ..self }
    }
}
