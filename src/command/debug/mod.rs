//! DEBUG: what tests and people who look into a server use. `enable-debug-command` says who may.
//!
//! Of Redis' subcommands those are here that clients and test suites ask for.

mod digest;

use super::call::Call;
use super::error::{CommandError, CommandResult};
use super::table::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::string_entry::StringForm;
use crate::rdb::Encoder;
use crate::rdb::payload;
use crate::state::values;
use crate::util::{memory_size, number};
use digest::Digest;
use std::time::Duration;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "debug", arity: -2, handler: Handler::ByArguments(handler_of), flags: ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED, group: Group::Server, since: "1.0.0",
        syntax: "", summary: "A container for debugging commands.", ..BASE },
];

/// DEBUG is one command in the table, as in Redis, so the subcommands are told apart here.
fn handler_of(arguments: &[&[u8]]) -> Handler {
    let word = String::from_utf8_lossy(arguments.get(1).copied().unwrap_or_default());
    match (word.to_ascii_uppercase().as_str(), arguments.len()) {
        ("CHANGE-REPL-ID", 2) => Handler::NoLock(change_repl_id),
        ("DIGEST", 2) => Handler::WriteAll(digest_of_all),
        ("DIGEST-VALUE", 2..) => Handler::ReadAll(digest_value),
        ("ERROR", 3) => Handler::NoLock(error),
        ("HELP", 2) => Handler::NoLock(debug_help),
        ("LOG", 3) => Handler::NoLock(log),
        ("OBJECT", 3) => Handler::ReadAll(object),
        ("POPULATE", 3..=5) => Handler::WriteAll(populate),
        ("QUICKLIST-PACKED-THRESHOLD", 3) => Handler::NoLock(quicklist_packed_threshold),
        ("SET-ACTIVE-EXPIRE", 3) => Handler::NoLock(set_active_expire),
        ("SLEEP", 3) => Handler::WriteAll(sleep),
        _ => Handler::NoLock(unknown),
    }
}

fn unknown(call: &mut Call) -> CommandResult {
    const QUOTED_BYTES: usize = 128;
    let word = call.argument(1);
    Err(CommandError::quoting(
        "unknown subcommand or wrong number of arguments for '",
        &word[..word.len().min(QUOTED_BYTES)],
        "'. Try DEBUG HELP.",
    ))
}

/// There is no replication, so there is nothing to change.
///
/// ```text
/// > DEBUG CHANGE-REPL-ID
/// OK
/// ```
fn change_repl_id(call: &mut Call) -> CommandResult {
    call.reply.ok();
    Ok(())
}

/// All data of all databases.
///
/// ```text
/// > DEBUG DIGEST
/// 0000000000000000000000000000000000000000
/// > SET k v
/// OK
/// > DEBUG DIGEST
/// 264ccf65edec66bccfa7cc659414ccca432057d2
/// ```
fn digest_of_all(call: &mut Call, db: &mut Db) -> CommandResult {
    let mut digest = Digest::default();
    for database in 0..call.server.keyspace.databases() {
        db.database = database;
        if !db.is_empty() {
            digest.mix(&(database as u32).to_be_bytes());
            db.iter().for_each(|entry| digest.combine_key(entry));
        }
    }
    call.reply.simple(&digest.to_string());
    Ok(())
}

/// ```text
/// > SET k v
/// OK
/// > DEBUG DIGEST-VALUE k nothing
/// 1) d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f
/// 2) 0000000000000000000000000000000000000000
/// ```
fn digest_value(call: &mut Call, db: &Db) -> CommandResult {
    let keys = &call.arguments[2..];
    call.reply.array(keys.len());
    for key in keys {
        let mut digest = Digest::default();
        if let Some(entry) = db.look(&Key::new(db.database, key)) {
            digest.mix_entry(entry);
        }
        call.reply.simple(&digest.to_string());
    }
    Ok(())
}

/// As in Redis, this error is not counted: its code is what the client likes.
///
/// ```text
/// > DEBUG ERROR "MY error"
/// (error) MY error
/// ```
fn error(call: &mut Call) -> CommandResult {
    call.reply.error(call.argument(2));
    Ok(())
}

/// ```text
/// > DEBUG LOG "here it begins"
/// OK
/// ```
fn log(call: &mut Call) -> CommandResult {
    let text = String::from_utf8_lossy(call.argument(2));
    call.server.log.warning(format_args!("DEBUG LOG: {text}"));
    call.reply.ok();
    Ok(())
}

/// ```text
/// > DEBUG OBJECT nothing
/// (error) ERR no such key
/// ```
fn object(call: &mut Call, db: &Db) -> CommandResult {
    /// What a payload has beside the value: its type, and behind it version and checksum.
    const PAYLOAD_OVERHEAD: usize = 11;
    let key = Key::new(db.database, call.argument(2));
    let entry = db.look(&key).ok_or(CommandError::NoSuchKey)?;
    let mut encoder = Encoder::new(call.server.config.rdbcompression.get());
    let payload =
        values::with_value_ref(entry.value(), |value| payload::encode(value, &mut encoder));
    let payload = payload.expect("a collection has as many elements as it says");
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

/// ```text
/// > DEBUG POPULATE 2 user 10
/// OK
/// > GET user:1
/// "value:1\x00\x00\x00"
/// ```
fn populate(call: &mut Call, db: &mut Db) -> CommandResult {
    let count = call.count(2)?;
    let prefix = call.arguments.get(3).copied().unwrap_or(b"key");
    let bytes = match call.arguments.len() {
        5 => call.count(4)?,
        _ => 0,
    };
    for number in 0..count {
        let name = [prefix, format!(":{number}").as_bytes()].concat();
        let key = Key::new(db.database, &name);
        if db.look(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if bytes > 0 {
            value.resize(bytes, 0);
        }
        db.put_string(&key, &value, StringForm::Natural, None);
        db.changed(&key, "", 1);
    }
    call.reply.ok();
    Ok(())
}

/// Blocks of a list are all of one kind here, so only the argument is looked at.
///
/// ```text
/// > DEBUG QUICKLIST-PACKED-THRESHOLD 100b
/// OK
/// ```
fn quicklist_packed_threshold(call: &mut Call) -> CommandResult {
    let bytes = memory_size::parse(call.argument(2));
    if bytes.is_none_or(|bytes| bytes > 1 << 32) {
        return Err(CommandError::err(
            "argument must be a memory value bigger than 1 and smaller than 4gb",
        ));
    }
    call.reply.ok();
    Ok(())
}

/// Whether keys that are due go although nobody asks for them.
///
/// ```text
/// > DEBUG SET-ACTIVE-EXPIRE 0
/// OK
/// > DEBUG SET-ACTIVE-EXPIRE 1
/// OK
/// ```
fn set_active_expire(call: &mut Call) -> CommandResult {
    let is_active = number::parse_i64(call.argument(2)).is_some_and(|number| number != 0);
    call.server.keyspace.alarm.set_active(is_active);
    call.reply.ok();
    Ok(())
}

/// Stops the server: all data are locked meanwhile, as they would be in Redis.
///
/// ```text
/// > DEBUG SLEEP 0.01
/// OK
/// ```
fn sleep(call: &mut Call, _: &mut Db) -> CommandResult {
    let seconds = number::parse_f64(call.argument(2)).unwrap_or(0.0);
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    call.reply.ok();
    Ok(())
}

fn debug_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CHANGE-REPL-ID",
        "    Change the replication IDs of the instance.",
        "    Dangerous: should be used only for testing the replication subsystem.",
        "DIGEST",
        "    Output a hex signature representing the current DB content.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Output a hex signature of the values of all the specified keys.",
        "ERROR <string>",
        "    Return a Redis protocol error with <string> as message. Useful for clients",
        "    unit tests to simulate Redis errors.",
        "LOG <message>",
        "    Write <message> to the server log.",
        "OBJECT <key>",
        "    Show low level info about `key` and associated value.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create <count> string keys named key:<num>. If <prefix> is specified then",
        "    it is used instead of the 'key' prefix. These are not propagated to",
        "    replicas. Cluster slots are not respected so keys not belonging to the",
        "    current node can be created in cluster mode.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Setting it to 0 disables expiring keys in background when they are not",
        "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
        "    default.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    Sets the threshold for elements to be inserted as plain vs packed nodes",
        "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
        "SLEEP <seconds>",
        "    Stop the server for <seconds>. Decimals allowed.",
    ]);
    Ok(())
}
