//! Loads the dump, keys and functions, when the server starts. If the dump cannot be loaded as a whole, the server does
//! not start: a later save would overwrite what was left out.
//!
//! One thread reads the file and sorts the keys by shard; [inserters](super::inserter) put them into the keyspace.
//! Commands are refused until the end of the file and its checksum have been seen, so no client is served from a
//! damaged dump.

use super::inserter::{Batch, Inserter};
use crate::command::LoadHost;
use crate::command::execute::Engine;
use crate::keyspace::locks::Locks;
use crate::keyspace::space::{Key, SHARDS};
use crate::rdb::function::not_loaded;
use crate::rdb::verify::verify_for;
use crate::rdb::{Fate, Item, KeyRecord, Reader};
use crate::state::scripts::Scripts;
use crate::state::scripts::libraries::Libraries;
use crate::state::{Server, values};
use crate::util::clock;
use crate::util::number;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Threads that put keys into the keyspace.
const INSERTERS: usize = 2;
/// Batches that may wait for one inserter.
const WAITING_BATCHES: usize = 32;
/// Keys of one shard that are inserted together...
const BATCH_KEYS: usize = 1024;
/// ...unless one of them takes this many bytes of the file: then the batch is sent at once.
const BATCH_BYTES: u64 = 64 * 1024;
/// The time between two lines about progress in the log.
const REPORT_PERIOD: Duration = Duration::from_secs(2);
/// Empty keys, which are left out, that the log names, as in Redis.
const NAMED_EMPTY_KEYS: u64 = 10;
/// Keys between two looks at the clock.
const KEYS_PER_LOOK: u64 = 4096;

/// The time by which no key has expired: all keys are kept, because what follows the file says when they are gone.
pub const NONE_EXPIRED: i64 = i64::MIN;
/// The database that is selected in the replication stream where the file was written.
const STREAM_DATABASE: &[u8] = b"repl-stream-db";

/// Why loading ended before the end of the file.
#[derive(Debug)]
pub enum Stop {
    /// The file cannot be loaded; the text says why.
    Fault(String),
    /// The server was requested to stop.
    Shutdown,
    /// An inserter has found a fault, which it returns itself.
    InserterEnded,
}

/// Loads the dump, if there is one; `false` if the server was requested to stop meanwhile.
///
/// # Errors
/// A line that says which file it is, where the fault lies, and what it is.
pub fn load(server: &Engine, path: &Path) -> Result<bool, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(format!("Can't open {}: {error}", path.display())),
    };
    let bytes = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    server.loading.total_bytes.store(bytes, Relaxed);
    let began = Instant::now();
    match load_into(server, Destination::of(server), file, clock::unix_ms()) {
        Ok(_) => {}
        Err(Stop::Fault(reason)) => {
            return Err(format!(
                "Can't load {}, which stays as it is: {reason}",
                path.display()
            ));
        }
        Err(Stop::Shutdown | Stop::InserterEnded) => return Ok(false),
    }
    server.saves.record_loaded(server.keyspace.changes());
    let seconds = began.elapsed().as_secs_f64();
    let keys = server.loading.keys.load(Relaxed);
    server.log.notice(format_args!(
        "DB loaded from {}: {keys} keys, {} expired, {:.1} MB in {seconds:.3} seconds ({:.0} keys/s)",
        path.display(),
        server.loading.expired.load(Relaxed),
        bytes as f64 / 1e6,
        keys as f64 / seconds.max(1e-9)
    ));
    Ok(true)
}

/// Where data are loaded to.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// For the keys.
    pub locks: &'a Locks,
    /// For the functions.
    pub libraries: &'a Libraries,
}

impl<'a> Destination<'a> {
    /// The data of this server.
    pub fn of(engine: &'a Engine) -> Destination<'a> {
        Destination {
            locks: &engine.locks,
            libraries: &engine.scripts.libraries,
        }
    }
}

/// Loads an RDB file, or the RDB file that the input begins with. Keys that have expired by `expiry_ms`, in Unix time,
/// are left out. Returns the offset after its end.
pub fn load_into(
    server: &Engine,
    destination: Destination<'_>,
    input: impl Read,
    expiry_ms: i64,
) -> Result<u64, Stop> {
    thread::scope(|scope| {
        let mut channels = Vec::new();
        let mut inserters = Vec::new();
        for _ in 0..INSERTERS {
            let (sender, receiver) = sync_channel(WAITING_BATCHES);
            channels.push(sender);
            let inserter = Inserter::new(server, destination.locks);
            let spawned =
                thread::Builder::new().spawn_scoped(scope, move || inserter.run(&receiver));
            let no_thread = |error| Stop::Fault(format!("Could not start a thread: {error}"));
            inserters.push(spawned.map_err(no_thread)?);
        }
        let read = Sorter::new(server, destination.libraries, channels, expiry_ms).load(input);
        for inserter in inserters {
            let inserted = inserter.join();
            inserted
                .unwrap_or_else(|_| Err("an inserting thread panicked".to_string()))
                .map_err(Stop::Fault)?;
        }
        read
    })
}

/// Reads the file and hands the keys on in batches, each of one shard.
struct Sorter<'a> {
    server: &'a Server,
    libraries: &'a Libraries,
    expiry_ms: i64,
    database: usize,
    /// The batch that is being filled, for each shard of the database.
    batches: Vec<Batch>,
    /// The length at which that batch is sent.
    due_keys: Vec<usize>,
    inserters: Vec<SyncSender<Batch>>,
    keys: u64,
    empty_keys: u64,
    next_report: Instant,
}

impl<'a> Sorter<'a> {
    fn new(
        server: &'a Server,
        libraries: &'a Libraries,
        inserters: Vec<SyncSender<Batch>>,
        expiry_ms: i64,
    ) -> Sorter<'a> {
        Sorter {
            server,
            libraries,
            expiry_ms,
            database: 0,
            batches: (0..SHARDS).map(|_| Batch::default()).collect(),
            due_keys: staggered_lengths(),
            inserters,
            keys: 0,
            empty_keys: 0,
            next_report: Instant::now() + REPORT_PERIOD,
        }
    }

    fn load(mut self, input: impl Read) -> Result<u64, Stop> {
        let fault = |error: &dyn ToString| Stop::Fault(error.to_string());
        let mut reader = Reader::new(input).map_err(|error| fault(&error))?;
        loop {
            let offset = reader.offset();
            let Some(item) = reader.next().map_err(|error| fault(&error))? else {
                break;
            };
            let refused = |reason| Stop::Fault(format!("[offset {offset}] {reason}"));
            match item {
                Item::SelectDb(number) => {
                    let database = database(self.server, number).map_err(refused)?;
                    self.begin_database(database)?;
                }
                Item::Key(record) => {
                    check_type(&record).map_err(refused)?;
                    self.put(offset, reader.offset() - offset, record)?;
                }
                Item::Function(code) => self.add_library(&code, refused)?,
                Item::ModuleAux { name } => {
                    return Err(refused(of_module(&name)));
                }
                Item::Aux { key, value } => {
                    self.record_fact(&key, &value);
                    let databases = self.server.keyspace.databases();
                    if self.server.loading.place(databases).is_some() {
                        // Replicas hear when a key is gone; so does a replica.
                        self.expiry_ms = NONE_EXPIRED;
                    }
                }
                Item::ResizeDb { .. } => {}
            }
        }
        self.send_all()?;
        Ok(reader.offset())
    }

    /// Loads a function library, whose code runs for that.
    fn add_library(&self, code: &[u8], refused: impl Fn(String) -> Stop) -> Result<(), Stop> {
        match load_library(self.server, self.libraries, code) {
            Ok(()) => Ok(()),
            Err(_) if self.server.shutdown.is_under_way() => Err(Stop::Shutdown),
            Err(error) => Err(refused(not_loaded(&error))),
        }
    }

    fn record_fact(&self, key: &[u8], value: &[u8]) {
        let loading = &self.server.loading;
        match (key, number::parse_i64(value)) {
            (b"used-mem", Some(bytes)) => {
                loading.used_memory_then.store(bytes as u64, Relaxed);
            }
            (b"repl-id", _) => {
                let id = String::from_utf8_lossy(value).into_owned();
                loading.place_facts().id = Some(id);
            }
            (b"repl-offset", Some(offset)) => {
                loading.place_facts().offset = u64::try_from(offset).ok();
            }
            (STREAM_DATABASE, Some(database)) => {
                loading.place_facts().database = usize::try_from(database).unwrap_or(0);
            }
            (b"ctime", Some(time_s)) => loading.written_at_s.store(time_s, Relaxed),
            _ => {}
        }
    }

    fn put(&mut self, offset: u64, bytes: u64, record: KeyRecord) -> Result<(), Stop> {
        self.keys += 1;
        if self.keys.is_multiple_of(KEYS_PER_LOOK) {
            self.look_around(offset)?;
        }
        self.pause()?;
        match record.fate(self.expiry_ms) {
            Fate::Kept => {}
            Fate::Empty => {
                let name = String::from_utf8_lossy(&record.key);
                self.empty_keys += 1;
                if self.empty_keys <= NAMED_EMPTY_KEYS {
                    let log = &self.server.log;
                    log.notice(format_args!("rdbLoadObject skipping empty key: {name}"));
                }
                return Ok(());
            }
            Fate::Expired => {
                self.server.loading.expired.fetch_add(1, Relaxed);
                return Ok(());
            }
        }
        let key = Key::new(self.database, &record.key);
        let (place, shard) = (key.place(), key.shard() % SHARDS);
        let batch = &mut self.batches[shard];
        batch.push(offset, place, record);
        if batch.keys() < self.due_keys[shard] && bytes < BATCH_BYTES {
            return Ok(());
        }
        self.send(shard)
    }

    fn begin_database(&mut self, database: usize) -> Result<(), Stop> {
        self.send_all()?;
        self.database = database;
        self.due_keys = staggered_lengths();
        Ok(())
    }

    fn send_all(&mut self) -> Result<(), Stop> {
        (0..self.batches.len()).try_for_each(|shard| self.send(shard))
    }

    /// Sends the batch of a shard, if it has keys. All batches of a shard go to one inserter, so that the inserters
    /// never wait for each other's locks.
    fn send(&mut self, shard: usize) -> Result<(), Stop> {
        let batch = std::mem::take(&mut self.batches[shard]);
        if batch.keys() == 0 {
            return Ok(());
        }
        self.due_keys[shard] = BATCH_KEYS;
        let sent = self.inserters[shard % INSERTERS].send(batch);
        sent.map_err(|_| Stop::InserterEnded)
    }

    /// Pauses for `key-load-delay`, which exists for tests that need a slow load. The directive may change during the
    /// pause.
    fn pause(&self) -> Result<(), Stop> {
        const STEP: Duration = Duration::from_millis(1);
        let delay = || Duration::from_micros(self.server.config.key_load_delay.get().max(0) as u64);
        if delay() == Duration::ZERO {
            return Ok(());
        }
        let began = Instant::now();
        while let Some(left) = delay().checked_sub(began.elapsed()) {
            if self.server.shutdown.is_under_way() {
                return Err(Stop::Shutdown);
            }
            thread::sleep(left.min(STEP));
        }
        Ok(())
    }

    fn look_around(&mut self, offset: u64) -> Result<(), Stop> {
        let loading = &self.server.loading;
        loading.set_position(offset);
        if self.server.shutdown.is_under_way() {
            return Err(Stop::Shutdown);
        }
        if Instant::now() >= self.next_report {
            self.next_report += REPORT_PERIOD;
            self.server.log.notice(format_args!(
                "Loading: {:.0} %, {} keys, {:.0} keys/s",
                loading.progress() * 100.0,
                self.keys,
                self.keys as f64 / loading.elapsed_s().max(1e-3)
            ));
        }
        Ok(())
    }
}

/// The length of the first batch of each shard, in keys: 4, 8, 12, ... 1024. With equal lengths the batches of all
/// shards would fill at the same time, and the inserters would alternate between too much work and none.
fn staggered_lengths() -> Vec<usize> {
    (1..=SHARDS).map(|nth| BATCH_KEYS * nth / SHARDS).collect()
}

/// Refuses a file that could not be loaded, before any data are given up for it: reads it to its end. Only a key that
/// comes twice is not found here.
///
/// # Errors
/// What the fault is, and where.
pub fn check(server: &Server, input: impl Read) -> Result<(), String> {
    let spare = Scripts::default().libraries;
    let checked = verify_for(input, |item| match item {
        Item::SelectDb(number) => database(server, *number).map(drop),
        Item::ModuleAux { name } => Err(of_module(name)),
        Item::Function(code) => {
            let loaded = load_library(server, &spare, code);
            loaded.map_err(|error| not_loaded(&error))
        }
        Item::Aux { key, value } if key == STREAM_DATABASE => {
            let number = number::parse_i64(value).unwrap_or_default();
            database(server, number.max(0) as u64).map(drop)
        }
        Item::Key(_) | Item::Aux { .. } | Item::ResizeDb { .. } => Ok(()),
    });
    checked.map(drop).map_err(|error| error.to_string())
}

fn load_library(server: &Server, libraries: &Libraries, code: &[u8]) -> Result<(), Vec<u8>> {
    let host = &mut LoadHost::without_limit(server);
    let compiled = libraries.compile(code, false, host)?;
    libraries.add(&libraries.hold(), compiled, false)
}

/// A database of a file, if the server has it.
///
/// # Errors
/// It has fewer.
pub fn database(server: &Server, number: u64) -> Result<usize, String> {
    let databases = server.keyspace.databases();
    let known = usize::try_from(number)
        .ok()
        .filter(|number| *number < databases);
    known.ok_or_else(|| {
        let needed = number.saturating_add(1);
        format!(
            "There are keys in database {number}: start with --databases {needed} or more instead of {databases}"
        )
    })
}

/// Refuses a value that the keyspace cannot hold.
fn check_type(record: &KeyRecord) -> Result<(), String> {
    let Some(kind) = values::unknown_kind(&record.value) else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(&record.key);
    Err(not_known(&format!(
        "The value of the key '{name}' is {kind}"
    )))
}

fn of_module(name: &str) -> String {
    not_known(&format!("There is data of the module {name}"))
}

/// The text for a dump that is well formed, but has something that this server does not support.
fn not_known(what: &str) -> String {
    format!("{what}, which this server does not know yet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Value;
    use crate::state::config::Config;

    fn record(key: &[u8]) -> KeyRecord {
        KeyRecord {
            key: key.to_vec(),
            value: Value::String(b"v".to_vec()),
            expires_at_ms: None,
            idle_seconds: None,
            freq: None,
        }
    }

    #[test]
    fn the_first_batches_of_each_database_have_different_lengths() {
        let engine = Engine::new(Config::default(), None);
        let (sender, batches) = sync_channel(2 * SHARDS);
        let mut sorter = Sorter::new(
            &engine,
            &engine.scripts.libraries,
            vec![sender; INSERTERS],
            0,
        );
        for _ in 0..2 {
            assert!(sorter.begin_database(0).is_ok());
            assert_eq!(batches.try_iter().count(), 0, "there were no keys");
            assert_eq!(sorter.due_keys[..3], [4, 8, 12]);
            assert_eq!(sorter.due_keys[SHARDS - 1], 1024);
            assert!(sorter.put(0, 1, record(b"k")).is_ok());
            assert!(sorter.send_all().is_ok());
            let sent: Vec<_> = batches.try_iter().map(|batch| batch.keys()).collect();
            assert_eq!(sent, [1]);
            let shard = Key::new(0, b"k").shard() % SHARDS;
            assert_eq!(sorter.due_keys[shard], 1024);
        }
    }
}
