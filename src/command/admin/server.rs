//! The data as a whole, and the time.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::util::clock;
use crate::util::number;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "time", arity: 1, handler: NoLock(time),
        flags: flags(&[LOADING, STALE, FAST]), group: Group::Server, since: "2.6.0",
        summary: "Returns the server time.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "dbsize", arity: 1, handler: ReadAll(dbsize),
        flags: flags(&[READONLY, FAST, CAT_KEYSPACE]), group: Group::Server, since: "1.0.0",
        summary: "Returns the number of keys in the database.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "flushall", arity: -1, handler: WriteAll(flushall),
        flags: flags(&[WRITE, CAT_DANGEROUS, CAT_KEYSPACE]), group: Group::Server, since: "1.0.0",
        syntax: "[flush-type: ASYNC@4.0.0 | SYNC@6.2.0]", summary: "Removes all keys from all databases.",
        complexity: "O(N) where N is the total number of keys in all databases",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "flushdb", arity: -1, handler: WriteAll(flushdb),
        flags: flags(&[WRITE, CAT_DANGEROUS, CAT_KEYSPACE]), group: Group::Server, since: "1.0.0",
        syntax: "[flush-type: ASYNC@4.0.0 | SYNC@6.2.0]", summary: "Remove all keys from the current database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        history: &[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "swapdb", arity: 3, handler: WriteAll(swapdb),
        flags: flags(&[WRITE, FAST, CAT_DANGEROUS, CAT_KEYSPACE]), group: Group::Server, since: "4.0.0",
        syntax: "index1 index2", summary: "Swaps two Redis databases.",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.", ..BASE },
    CommandSpec { name: "lolwut", arity: -1, handler: NoLock(lolwut),
        flags: flags(&[READONLY, FAST]), group: Group::Server, since: "5.0.0",
        syntax: "[VERSION version:integer]", summary: "Displays computer art and the Redis version", complexity: "",
        ..BASE },
];

/// Seconds of Unix time, and the microseconds of the current second.
fn time(call: &mut Call) -> CommandResult {
    let transaction = &mut call.session.transaction;
    let now_us = match transaction.is_running {
        true => *transaction.time_us.get_or_insert_with(clock::unix_us),
        false => clock::unix_us(),
    };
    call.reply.array(2);
    call.reply.bulk_integer(now_us / 1_000_000);
    call.reply.bulk_integer(now_us % 1_000_000);
    Ok(())
}

/// ```text
/// > MSET a 1 b 2
/// OK
/// > DBSIZE
/// (integer) 2
/// ```
fn dbsize(call: &mut Call, db: &Db) -> CommandResult {
    call.reply.count(db.len());
    Ok(())
}

/// ```text
/// > SET a 1
/// OK
/// > FLUSHALL
/// OK
/// > DBSIZE
/// (integer) 0
/// ```
fn flushall(call: &mut Call, db: &mut Db) -> CommandResult {
    check_flush_mode(call)?;
    for database in 0..call.server.keyspace.databases() {
        db.clear(database);
    }
    db.free_later(call.server.tracking.forget_all());
    call.reply.ok();
    Ok(())
}

/// ```text
/// > FLUSHDB ASYNC
/// OK
/// > FLUSHDB LATER
/// (error) ERR syntax error
/// ```
fn flushdb(call: &mut Call, db: &mut Db) -> CommandResult {
    check_flush_mode(call)?;
    db.clear(call.session.database);
    db.free_later(call.server.tracking.forget_all());
    call.reply.ok();
    Ok(())
}

/// ASYNC and SYNC make no difference here: the tables are taken out whole and freed when the locks are gone.
fn check_flush_mode(call: &Call) -> CommandResult {
    match call.arguments.len() {
        1 => Ok(()),
        2 if call.is_word(1, "ASYNC") || call.is_word(1, "SYNC") => Ok(()),
        _ => Err(CommandError::Syntax),
    }
}

/// ```text
/// > SWAPDB 0 0
/// OK
/// > SWAPDB 0 100
/// (error) ERR DB index is out of range
/// ```
fn swapdb(call: &mut Call, db: &mut Db) -> CommandResult {
    let number = |index, ordinal| {
        let number =
            number::parse_i64(call.argument(index)).filter(|number| i32::try_from(*number).is_ok());
        number.ok_or_else(|| CommandError::err(format_args!("invalid {ordinal} DB index")))
    };
    let (first, second) = (number(1, "first")?, number(2, "second")?);
    let databases = call.server.keyspace.databases() as i64;
    if ![first, second]
        .iter()
        .all(|number| (0..databases).contains(number))
    {
        return Err(CommandError::DatabaseOutOfRange);
    }
    db.swap_databases(first as usize, second as usize);
    call.reply.ok();
    Ok(())
}

/// The version. Redis draws a picture with `VERSION 5` and another with `VERSION 6`; we draw none.
///
/// ```text
/// > LOLWUT
/// "Redis ver. 7.2.6\n"
/// > LOLWUT VERSION seven
/// (error) ERR value is not an integer or out of range
/// ```
fn lolwut(call: &mut Call) -> CommandResult {
    if call.arguments.len() > 2 && call.is_word(1, "VERSION") {
        call.integer(2)?;
    }
    let text = format!("Redis ver. {}\n", crate::REDIS_VERSION);
    call.reply.verbatim(text.as_bytes());
    Ok(())
}
