//! Loads the dump when the server starts. A dump that cannot be loaded whole keeps the server from starting, so that it
//! is never overwritten by what was left out.

use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::keyspace::string_entry::StringForm;
use crate::rdb::{Elements, Item, KeyRecord, RdbError, Reader, Value};
use crate::state::Server;
use crate::types::hash::Hash;
use crate::types::limits::CompactLimits;
use crate::types::list::{BlockLimit, End, List};
use crate::util::clock;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Loads the dump, if there is one.
///
/// # Errors
/// A line that says which file it is, where the fault lies, and what it is.
pub fn load(server: &Server, path: &Path) -> Result<(), String> {
    let began = Instant::now();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("Can't open {}: {error}", path.display())),
    };
    let bytes = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    let mut loader = Loader::new(server);
    loader.load(file).map_err(|reason| {
        format!(
            "Can't load {}, which stays as it is: {reason}",
            path.display()
        )
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let keys = loader.keys;
    server.loaded.keys.store(keys, Relaxed);
    server.loaded.expired.store(loader.expired, Relaxed);
    server.saves.note_loaded(server.keyspace.changes());
    server.log.notice(format_args!(
        "DB loaded from {}: {keys} keys, {} expired, {:.1} MB in {seconds:.3} seconds ({:.0} keys/s)",
        path.display(),
        loader.expired,
        bytes as f64 / 1e6,
        keys as f64 / seconds.max(1e-9)
    ));
    Ok(())
}

struct Loader<'a> {
    server: &'a Server,
    now_ms: i64,
    database: usize,
    list_limit: BlockLimit,
    hash_limits: CompactLimits,
    keys: u64,
    expired: u64,
}

impl<'a> Loader<'a> {
    fn new(server: &'a Server) -> Loader<'a> {
        Loader {
            server,
            now_ms: clock::unix_ms(),
            database: 0,
            list_limit: server.config.list_block_limit(),
            hash_limits: server.config.hash_limits(),
            keys: 0,
            expired: 0,
        }
    }

    fn load(&mut self, file: File) -> Result<(), String> {
        let mut reader = Reader::new(file).map_err(|error| error.to_string())?;
        loop {
            let offset = reader.offset();
            let item = reader.next().map_err(|error: RdbError| error.to_string())?;
            let put = match item {
                None => return Ok(()),
                Some(Item::SelectDb(number)) => self.select(number),
                Some(Item::Key(record)) => self.put(record),
                Some(Item::Function(_)) => Err(refusal("There is a function library")),
                Some(Item::ModuleAux { .. }) => Err(refusal("There is data of a module")),
                Some(Item::Aux { .. } | Item::ResizeDb { .. }) => Ok(()),
            };
            put.map_err(|reason| format!("[offset {offset}] {reason}"))?;
        }
    }

    fn select(&mut self, number: u64) -> Result<(), String> {
        let databases = self.server.keyspace.databases();
        let known = usize::try_from(number)
            .ok()
            .filter(|number| *number < databases);
        self.database = known.ok_or_else(|| {
            let needed = number.saturating_add(1);
            format!("There are keys in database {number}: start with --databases {needed} or more instead of {databases}")
        })?;
        Ok(())
    }

    fn put(&mut self, record: KeyRecord) -> Result<(), String> {
        let name = String::from_utf8_lossy(&record.key);
        let refused =
            |what: &str| Err(refusal(&format!("The value of the key '{name}' is {what}")));
        // A string is copied from the record into its entry at once; anything else is built first, without a lock.
        let object = match &record.value {
            Value::String(_) => None,
            Value::List(elements) | Value::Hash(elements) if elements.is_empty() => {
                self.server
                    .log
                    .notice(format_args!("rdbLoadObject skipping empty key: {name}"));
                return Ok(());
            }
            Value::List(elements) => Some(Object::List(self.list(elements))),
            Value::Hash(pairs) => Some(Object::Hash(self.hash(pairs))),
            Value::Set(_) => return refused("a set"),
            Value::SortedSet { .. } => return refused("a sorted set"),
            Value::Stream(_) => return refused("a stream"),
            Value::Module { name: module } => {
                return refused(&format!("one of the module {module}"));
            }
        };
        let deadline = record.expires_at_ms;
        if deadline.is_some_and(|deadline| deadline <= self.now_ms) {
            self.expired += 1;
            return Ok(());
        }
        let key = Key::new(self.database, &record.key);
        let mut db = self
            .server
            .keyspace
            .write(self.database, &[key], self.now_ms);
        if db.peek(&key).is_some() {
            return Err(format!("The key '{name}' comes twice"));
        }
        match (object, &record.value) {
            (Some(object), _) => db.put_object(&key, object, deadline),
            (None, Value::String(string)) => {
                db.put_string(&key, string, StringForm::Natural, deadline)
            }
            (None, _) => unreachable!("every other value has become an object"),
        }
        self.keys += 1;
        Ok(())
    }

    fn list(&self, elements: &Elements) -> List {
        let mut list = List::default();
        elements
            .iter()
            .for_each(|element| list.push(End::Right, element, self.list_limit));
        list
    }

    fn hash(&self, pairs: &Elements) -> Hash {
        let mut hash = Hash::default();
        for (field, value) in pairs.pairs() {
            hash.insert(field, value, self.hash_limits);
        }
        hash
    }
}

/// Why the dump is not loaded although it is well formed.
fn refusal(what: &str) -> String {
    format!("{what}, which this server does not know yet")
}
