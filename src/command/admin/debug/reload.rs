//! DEBUG RELOAD: the data go to the dump and come back. All keys are locked, and the functions held, from the first key
//! that is saved to the last that is loaded, so that no change is lost in between.
//!
//! The file is read to its end, and its function libraries are compiled, before a key or a function is touched. In
//! Redis a dump that cannot be loaded costs the data.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::flow::script::LoadHost;
use crate::keyspace::db::Db;
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::rdb::file::{self, Counts};
use crate::rdb::function::not_loaded;
use crate::rdb::{Fate, Item, KeyRecord, Reader, Writer};
use crate::state::append_only::Mode;
use crate::state::scripts::libraries::{Hold, Restoring};
use crate::state::{Server, values};
use std::collections::HashSet;
use std::fs::File;
use std::io;

/// ```text
/// > SET k v
/// OK
/// > DEBUG RELOAD
/// OK
/// > GET k
/// "v"
/// > DEBUG RELOAD FOO
/// (error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.
/// ```
pub(super) fn reload(call: &mut Call, db: &mut Db) -> CommandResult {
    let [mut saves, mut empties, mut merges] = [true, true, false];
    for index in 2..call.arguments.len() {
        match call.word(index).as_str() {
            "MERGE" => merges = true,
            "NOFLUSH" => empties = false,
            "NOSAVE" => saves = false,
            _ => {
                return Err(CommandError::err(
                    "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    // A save that has not begun yet waits for the locks, and so for the end of this command.
    if call.server.saves.record().in_progress {
        return Err(CommandError::err("Background save already in progress"));
    }
    let hold = call.server.scripts.libraries.hold();
    if saves {
        save(call.server, db).map_err(|error| failed(call, "save", &error.to_string()))?;
    }
    let restoring = match (empties, merges) {
        (true, _) => Restoring::Flush,
        (false, false) => Restoring::Append,
        (false, true) => Restoring::Replace,
    };
    let loaded = load(call.server, call.now_ms).and_then(|dump| {
        if restoring == Restoring::Append {
            check_absent(db, &dump.keys)?;
        }
        restore(call.server, &hold, &dump.libraries, restoring)?;
        Ok(dump.keys)
    });
    let loaded = loaded.map_err(|reason| failed(call, "load", &reason))?;
    if empties {
        db.clear_all();
        db.free_later(call.server.tracking.forget_all());
    }
    loaded.into_iter().for_each(|key| put(db, key, empties));
    // What was loaded is what was saved; else the append-only file is rewritten, for it does not tell of it.
    db.replay_as(|_| {});
    if !(saves && empties) && call.server.append_only.mode() != Mode::Off {
        call.server.append_only.rewrites.schedule(true);
    }
    if empties {
        let changes = call.server.keyspace.changes();
        call.server.saves.record_loaded(changes);
    }
    call.reply.ok();
    Ok(())
}

fn failed(call: &Call, what: &str, reason: &str) -> CommandError {
    let log = &call.server.log;
    log.warning(format_args!(
        "DEBUG RELOAD cannot {what} the dump: {reason}"
    ));
    CommandError::err(format!(
        "Error trying to {what} the RDB dump, check server logs."
    ))
}

fn save(server: &Server, db: &mut Db) -> io::Result<()> {
    let options = values::writer_options(&server.config);
    let reads_back = server.config.rdb_read_back.get();
    file::replace(&server.dump_path(), reads_back, |output| {
        let mut writer = Writer::new(output, options)?;
        let table = server.scripts.libraries.table();
        let mut counts = Counts {
            libraries: table.libraries.len() as u64,
            ..Counts::default()
        };
        for library in table.libraries.values() {
            writer.library(&library.text)?;
        }
        for database in 0..server.keyspace.databases() {
            db.view.database = database;
            let keys = db.iter().count() as u64;
            let has_deadline = db.iter().filter(|entry| entry.expires_at_ms().is_some());
            let expires = has_deadline.count() as u64;
            if keys > 0 {
                writer.select_db(database as u64, keys, expires)?;
            }
            for entry in db.iter() {
                values::with_value_ref(entry.value(), |value| {
                    writer.key(entry.key(), entry.expires_at_ms(), value)
                })?;
            }
            counts.keys += keys;
            counts.expires += expires;
        }
        writer.finish()?;
        Ok(counts)
    })?;
    Ok(())
}

/// Refuses keys that exist already.
fn check_absent(db: &Db, keys: &[Loaded]) -> Result<(), String> {
    let mut keys = keys.iter();
    match keys.find(|loaded| db.look_silently(&loaded.key()).is_some()) {
        Some(loaded) => Err(format!(
            "the key '{}' is there already",
            String::from_utf8_lossy(&loaded.name)
        )),
        None => Ok(()),
    }
}

/// Loads the function libraries of a dump, or none of them.
fn restore(
    server: &Server,
    hold: &Hold,
    texts: &[Vec<u8>],
    restoring: Restoring,
) -> Result<(), String> {
    let libraries = &server.scripts.libraries;
    let compiled = libraries.compile_all(texts, &mut LoadHost::without_limit(server));
    let restored = compiled.and_then(|all| libraries.put(hold, all, restoring));
    restored.map_err(|error| not_loaded(&error))
}

/// A dump that has been read.
#[derive(Default)]
struct Dump {
    keys: Vec<Loaded>,
    /// The texts of the function libraries.
    libraries: Vec<Vec<u8>>,
}

/// A key of the dump, ready to be put in.
struct Loaded {
    database: usize,
    name: Vec<u8>,
    object: Object,
    expires_at_ms: Option<i64>,
    frequency: Option<u8>,
    idle_s: Option<u32>,
}

impl Loaded {
    fn key(&self) -> Key<'_> {
        Key::new(self.database, &self.name)
    }
}

/// The whole dump, or why it cannot be loaded.
fn load(server: &Server, now_ms: i64) -> Result<Dump, String> {
    let file = File::open(server.dump_path()).map_err(|error| error.to_string())?;
    let mut reader = Reader::new(file).map_err(|error| error.to_string())?;
    let mut dump = Dump::default();
    let mut names = HashSet::new();
    let mut database = 0;
    while let Some(item) = reader.next().map_err(|error| error.to_string())? {
        match item {
            Item::SelectDb(number) => {
                let known = usize::try_from(number).ok();
                database = known
                    .filter(|number| *number < server.keyspace.databases())
                    .ok_or_else(|| format!("there are keys in database {number}"))?;
            }
            Item::Key(record) if record.fate(now_ms) == Fate::Kept => {
                if !names.insert((database, record.key.clone())) {
                    let name = String::from_utf8_lossy(&record.key);
                    return Err(format!("the key '{name}' comes twice"));
                }
                dump.keys.push(loaded(server, database, record)?);
            }
            Item::Function(text) => dump.libraries.push(text),
            Item::ModuleAux { .. } => return Err("it holds data of modules".to_string()),
            Item::Key(_) | Item::Aux { .. } | Item::ResizeDb { .. } => {}
        }
    }
    Ok(dump)
}

fn loaded(server: &Server, database: usize, record: KeyRecord) -> Result<Loaded, String> {
    if let Some(kind) = values::unknown_kind(&record.value) {
        let name = String::from_utf8_lossy(&record.key);
        return Err(format!("the value of the key '{name}' is {kind}"));
    }
    let object = values::object(record.value, &server.config.limits());
    let idle_s = record.idle_seconds;
    Ok(Loaded {
        database,
        name: record.key,
        object: object.ok_or("a value cannot be held")?,
        expires_at_ms: record.expires_at_ms,
        frequency: record.freq,
        idle_s: idle_s.map(|idle_s| u32::try_from(idle_s).unwrap_or(u32::MAX)),
    })
}

/// Puts a key in. If all were removed before, the clients that cache have been told of that. Else they are told of each
/// key, which Redis does not do.
fn put(db: &mut Db, loaded: Loaded, were_removed: bool) {
    let key = Key::new(loaded.database, &loaded.name);
    db.put_anew(&key, loaded.object, loaded.expires_at_ms);
    if let Some(entry) = db.look_silently(&key) {
        let clock = entry.clock();
        clock.restore(loaded.frequency, loaded.idle_s, db.access());
    }
    match were_removed {
        true => db.changed_with_database(&key),
        false => db.changed(&key, "", 0),
    }
}
