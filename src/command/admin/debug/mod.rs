//! DEBUG: what tests and people who look into a server use. `enable-debug-command` says who may.
//!
//! Of Redis' subcommands those are here that clients and test suites ask for. One whose answer would not be true here,
//! like STRUCTSIZE, is not known.

mod append_only;
mod buckets;
mod crash;
mod digest;
mod idle;
mod protocol;
mod reload;
mod value;

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::string_form::StringForm;
use crate::util::{memory_size, number};
use digest::Digest;
use std::time::Duration;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "debug", arity: -2, handler: ByArguments(handler_of),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE, PROTECTED]), group: Group::Server, since: "1.0.0",
        summary: "A container for debugging commands.", complexity: "Depends on subcommand.", is_internal: true,
        ..BASE },
];

/// DEBUG is one command in the table, as in Redis, so the subcommands are distinguished here.
fn handler_of(arguments: &[&[u8]]) -> Handler {
    let word = String::from_utf8_lossy(arguments.get(1).copied().unwrap_or_default());
    match (word.to_ascii_uppercase().as_str(), arguments.len()) {
        ("ASSERT" | "OOM" | "PANIC" | "SEGFAULT", 2..) => Handler::NoLock(crash::abort),
        ("AOF-FLUSH-SLEEP", 3) => Handler::NoLock(append_only::flush_sleep),
        ("CHANGE-REPL-ID", 2) => Handler::NoLock(change_repl_id),
        ("CLIENT-EVICTION", 2) => Handler::NoLock(buckets::client_eviction),
        ("CLUSTERLINK", 5) if arguments[2].eq_ignore_ascii_case(b"kill") => {
            Handler::NoLock(idle::cluster_link)
        }
        ("DIGEST", 2) => Handler::WriteAll(digest_of_all),
        ("DIGEST-VALUE", 2..) => Handler::ReadAll(digest_value),
        ("DROP-CLUSTER-PACKET-FILTER", 3) => Handler::NoLock(idle::packet_filter),
        ("ERROR", 3) => Handler::NoLock(error),
        ("HELP", 2) => Handler::NoLock(debug_help),
        ("LEAK", 3) => Handler::NoLock(idle::ok),
        ("LISTPACK", 3) => Handler::ReadAll(value::listpack),
        ("LOADAOF", 2) => Handler::NoLock(append_only::load),
        ("LOG", 3) => Handler::NoLock(log),
        ("OBJECT", 3) => Handler::ReadAll(value::object),
        ("POPULATE", 3..=5) => Handler::WriteAll(populate),
        ("PROTOCOL", 3) => Handler::NoLock(protocol::protocol),
        ("QUICKLIST", 3 | 4) => Handler::ReadAll(value::quicklist),
        ("QUICKLIST-PACKED-THRESHOLD", 3) => Handler::NoLock(quicklist_packed_threshold),
        ("RELOAD", 2..) => Handler::WriteAll(reload::reload),
        ("REPLICATE", 3..) => Handler::NoLock(idle::ok),
        ("REPLYBUFFER", 4) => Handler::NoLock(idle::reply_buffer),
        ("SET-ACTIVE-EXPIRE", 3) => Handler::NoLock(set_active_expire),
        ("SET-DISABLE-DENY-SCRIPTS", 3) => Handler::NoLock(idle::ok),
        ("SHARD", 3) => Handler::NoLock(shard),
        ("SLEEP", 3) => Handler::WriteAll(sleep),
        _ => Handler::NoLock(unknown),
    }
}

fn unknown(call: &mut Call) -> CommandResult {
    let typed = call.argument(1);
    Err(CommandError::misused_subcommand("DEBUG", typed))
}

/// The replication stream gets a new id and no second one: a replica that connects again gets everything anew.
///
/// ```text
/// > DEBUG CHANGE-REPL-ID
/// OK
/// ```
fn change_repl_id(call: &mut Call) -> CommandResult {
    call.server
        .log
        .notice("Changing replication IDs after receiving change-repl-id");
    call.server.replication.change_identity();
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
        db.view.database = database;
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
        if let Some(entry) = db.look_silently(&Key::new(db.view.database, key)) {
            digest.mix_entry(entry);
        }
        call.reply.simple(&digest.to_string());
    }
    Ok(())
}

/// The number of the shard that a key lies in, or would lie in. Two keys share the lock of their shard. Redis has no
/// shards.
fn shard(call: &mut Call) -> CommandResult {
    let key = Key::new(call.session.database, call.argument(2));
    call.reply.count(key.shard());
    Ok(())
}

/// As in Redis, this error is not counted: the client chooses its code.
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
        let key = Key::new(db.view.database, &name);
        if db.look_silently(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if bytes > 0 {
            value.resize(bytes, 0);
        }
        db.put_string(&key, &value, StringForm::Natural, None);
        db.changed(&key, "", 1);
        db.replay_as(|replay| replay.command(&[b"SET", key.bytes, &value]));
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

/// Whether the expirer removes keys that are due.
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
        "AOF-FLUSH-SLEEP <microsec>",
        "    Server will sleep before flushing the AOF, this is used for testing.",
        "ASSERT",
        "    Crash by assertion failed.",
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
        "LEAK <string>",
        "    Create a memory leak of the input string.",
        "LOADAOF",
        "    Flush the AOF buffers on disk and reload the AOF in memory.",
        "LOG <message>",
        "    Write <message> to the server log.",
        "REPLICATE <string>",
        "    Replicates the provided string to replicas, allowing data divergence.",
        "OBJECT <key>",
        "    Show low level info about `key` and associated value.",
        "DROP-CLUSTER-PACKET-FILTER <packet-type>",
        "    Drop all packets that match the filtered type. Set to -1 allow all packets.",
        "OOM",
        "    Crash the server simulating an out-of-memory error.",
        "PANIC",
        "    Crash the server simulating a panic.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create <count> string keys named key:<num>. If <prefix> is specified then",
        "    it is used instead of the 'key' prefix. These are not propagated to",
        "    replicas. Cluster slots are not respected so keys not belonging to the",
        "    current node can be created in cluster mode.",
        "PROTOCOL <type>",
        "    Reply with a test value of the specified type. <type> can be: string,",
        "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
        "    true, false.",
        "RELOAD [option ...]",
        "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
        "    * MERGE: conflicting keys will be loaded from RDB.",
        "    * NOFLUSH: the existing database will not be removed before load, but",
        "      conflicting keys will generate an exception and kill the server.",
        "    * NOSAVE: the database will be loaded from an existing RDB file.",
        "    Examples:",
        "    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
        "      the database.",
        "    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
        "      existing RDB file.",
        "    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
        "      file to the database.",
        "SEGFAULT",
        "    Crash the server with sigsegv.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Setting it to 0 disables expiring keys in background when they are not",
        "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
        "    default.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    Sets the threshold for elements to be inserted as plain vs packed nodes",
        "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
        "SHARD <key>",
        "    Output the number of the shard that <key> lies in.",
        "SLEEP <seconds>",
        "    Stop the server for <seconds>. Decimals allowed.",
        "LISTPACK <key>",
        "    Show low level info about the listpack encoding of <key>.",
        "QUICKLIST <key> [<0|1>]",
        "    Show low level info about the quicklist encoding of <key>.",
        "    The optional argument (0 by default) sets the level of detail",
        "CLIENT-EVICTION",
        "    Show low level client eviction pools info (maxmemory-clients).",
        "REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
        "    Sets the time (in milliseconds) to wait between client reply buffer peak resets.",
        "    In case NEVER is provided the last observed peak will never be reset",
        "    In case RESET is provided the peak reset time will be restored to the default value",
        "REPLYBUFFER RESIZING <0|1>",
        "    Enable or disable the reply buffer resize cron job",
        "CLUSTERLINK KILL <to|from|all> <node-id>",
        "    Kills the link based on the direction to/from (both) with the provided node.",
    ]);
    Ok(())
}
