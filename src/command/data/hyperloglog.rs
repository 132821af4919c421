//! HyperLogLogs: <https://redis.io/commands/?group=hyperloglog>.
//!
//! PFCOUNT writes the count that it has found into the string, as in Redis, so that the next one need not look at the
//! registers; therefore it takes the locks of a writer, and mostly holds them for a glance. COMMAND still calls it a
//! reader.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::types::hyperloglog::{self, Encoding, HyperLogLog, HyperLogLogMut, Missing, Union};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "pfadd", arity: -2, handler: Write(pfadd), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::HyperLogLog, since: "2.8.9",
        syntax: "key [element [element ...]]",
        summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        complexity: "O(1) to add every element.", ..BASE },
    CommandSpec { name: "pfcount", arity: -2, handler: Write(pfcount), keys: &[KEYS_OF_PFCOUNT],
        flags: flags(&[READONLY, MAY_REPLICATE]), group: Group::HyperLogLog, since: "2.8.9",
        syntax: "key [key ...]",
        summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the \
            number of keys, and much bigger constant times, when called with multiple keys.", ..BASE },
    CommandSpec { name: "pfmerge", arity: -2, handler: Write(pfmerge),
        keys: &[key(1, &[RW, ACCESS, INSERT]), keys(2, -1, 1, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::HyperLogLog, since: "2.8.9",
        syntax: "destkey [sourcekey [sourcekey ...]]",
        summary: "Merges one or more HyperLogLog values into a single key.",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.", ..BASE },
    CommandSpec { name: "pfdebug", arity: 3, handler: Write(pfdebug), keys: &[key(2, &[RW, ACCESS])],
        flags: flags(&[WRITE, DENYOOM, ADMIN]), group: Group::HyperLogLog, since: "2.8.9",
        syntax: "subcommand key", summary: "Internal commands for debugging HyperLogLog values.", complexity: "N/A",
        is_internal: true, ..BASE },
    CommandSpec { name: "pfselftest", arity: 1, handler: NoLock(pfselftest), keys: &[],
        flags: flags(&[ADMIN]), group: Group::HyperLogLog, since: "2.8.9",
        summary: "An internal command for testing HyperLogLog values.", complexity: "N/A", is_internal: true, ..BASE },
];

const KEYS_OF_PFCOUNT: KeySpec = keys(1, -1, 1, &[RW, ACCESS]).noting(
    "RW because it may change the internal representation of the key, and propagate to replicas",
);

/// ```text
/// > PFADD visitors ann bob
/// (integer) 1
/// > PFADD visitors ann
/// (integer) 0
/// > PFCOUNT visitors
/// (integer) 2
/// ```
fn pfadd(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let elements = &call.arguments[2..];
    let present = hyperloglog(db.string_to_change(&key)?)?;
    let is_new = present.is_none();
    let missing = match present {
        Some(hyperloglog) => hyperloglog.missing(elements)?,
        None => Missing::all(elements),
    };
    if missing.is_empty() && !is_new {
        call.reply.integer(0);
        return Ok(());
    }
    let raised = edit(call, db, &key, |hyperloglog, most_bytes| {
        let raised = hyperloglog.add(missing, most_bytes)?;
        hyperloglog.forget_count();
        Ok(raised)
    })?;
    db.changed(&key, "pfadd", raised + usize::from(is_new));
    call.reply.integer(1);
    Ok(())
}

/// The HyperLogLog that a string is.
fn hyperloglog(string: Option<&[u8]>) -> Result<Option<HyperLogLog<'_>>, CommandError> {
    let of = |string| HyperLogLog::of(string).ok_or(CommandError::NotAHyperLogLog);
    string.map(of).transpose()
}

/// Changes the HyperLogLog of a key, an empty one if there is none; the string is known to be one.
fn edit<T>(
    call: &Call,
    db: &mut Db,
    key: &Key,
    change: impl FnOnce(&mut HyperLogLogMut, usize) -> Result<T, hyperloglog::Corrupted>,
) -> Result<T, CommandError> {
    let most_bytes = call.server.config.hll_sparse_max_bytes.get() as usize;
    let mut result = None;
    db.edit_string(key, |string| {
        let hyperloglog = match string.is_empty() {
            true => Some(HyperLogLogMut::create(string)),
            false => HyperLogLogMut::of(string),
        };
        result = hyperloglog.map(|mut hyperloglog| change(&mut hyperloglog, most_bytes));
    })?;
    Ok(result.ok_or(CommandError::NotAHyperLogLog)??)
}

/// ```text
/// > PFADD monday ann bob
/// (integer) 1
/// > PFADD tuesday bob eve
/// (integer) 1
/// > PFCOUNT monday
/// (integer) 2
/// > PFCOUNT monday tuesday nothing
/// (integer) 3
/// ```
fn pfcount(call: &mut Call, db: &mut Db) -> CommandResult {
    if call.keys.len() > 1 {
        let count = union(db, call.keys)?.registers.count();
        call.reply.integer(count as i64);
        return Ok(());
    }
    let key = call.key();
    let Some(hyperloglog) = hyperloglog(db.string(&key)?)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let count = match hyperloglog.known_count() {
        Some(count) => count,
        None => {
            let count = hyperloglog.count()?;
            edit(call, db, &key, |hyperloglog, _| {
                hyperloglog.set_known_count(count);
                Ok(())
            })?;
            // No event, as in Redis.
            db.changed(&key, "", 1);
            count
        }
    };
    call.reply.integer(count as i64);
    Ok(())
}

/// Several HyperLogLogs as one.
#[derive(Default)]
struct Merged {
    registers: Union,
    any_dense: bool,
}

fn union(db: &Db, keys: &[Key]) -> Result<Merged, CommandError> {
    let mut merged = Merged::default();
    for key in keys {
        if let Some(hyperloglog) = hyperloglog(db.string(key)?)? {
            merged.registers.add(hyperloglog)?;
            merged.any_dense |= hyperloglog.encoding() == Encoding::Dense;
        }
    }
    Ok(merged)
}

/// ```text
/// > PFADD monday ann bob
/// (integer) 1
/// > PFADD tuesday bob eve
/// (integer) 1
/// > PFMERGE both monday tuesday
/// OK
/// > PFCOUNT both
/// (integer) 3
/// ```
fn pfmerge(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    // What the destination holds is merged too.
    let merged = union(db, call.keys)?;
    edit(call, db, &key, |hyperloglog, most_bytes| {
        if merged.any_dense {
            hyperloglog.make_dense()?;
        }
        hyperloglog.add_union(&merged.registers, most_bytes)?;
        hyperloglog.forget_count();
        Ok(())
    })?;
    db.changed(&key, "pfadd", 1);
    call.reply.ok();
    Ok(())
}

/// ```text
/// > PFADD visitors ann
/// (integer) 1
/// > PFDEBUG ENCODING visitors
/// sparse
/// > PFDEBUG DECODE visitors
/// "Z:10757 v:1,1 Z:5626"
/// > PFDEBUG TODENSE visitors
/// (integer) 1
/// > STRLEN visitors
/// (integer) 12304
/// ```
fn pfdebug(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let Some(hyperloglog) = hyperloglog(db.string_to_change(&key)?)? else {
        return Err(CommandError::err("The specified key does not exist"));
    };
    match call.word(1).as_str() {
        "GETREG" => {
            let registers = hyperloglog.registers()?;
            make_dense(call, db, &key)?;
            call.reply.array(hyperloglog::REGISTERS);
            registers
                .iter()
                .for_each(|rank| call.reply.integer(rank.into()));
        }
        "DECODE" if hyperloglog.encoding() == Encoding::Dense => {
            return Err(CommandError::err("HLL encoding is not sparse"));
        }
        "DECODE" => {
            let runs = hyperloglog.runs().map(|run| match (run.rank, run.bytes) {
                (0, 1) => format!("z:{}", run.registers),
                (0, _) => format!("Z:{}", run.registers),
                (rank, _) => format!("v:{rank},{}", run.registers),
            });
            call.reply
                .bulk(runs.collect::<Vec<_>>().join(" ").as_bytes());
        }
        "ENCODING" => call.reply.simple(match hyperloglog.encoding() {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }),
        "TODENSE" => {
            let was_sparse = make_dense(call, db, &key)?;
            call.reply.integer(was_sparse.into());
        }
        _ => {
            let name = call.argument(1);
            return Err(CommandError::quoting(
                "Unknown PFDEBUG subcommand '",
                name,
                "'",
            ));
        }
    }
    Ok(())
}

/// Returns whether the HyperLogLog was sparse.
fn make_dense(call: &Call, db: &mut Db, key: &Key) -> Result<bool, CommandError> {
    let was_sparse = edit(call, db, key, |hyperloglog, _| hyperloglog.make_dense())?;
    if was_sparse {
        db.changed(key, "", 1);
    }
    Ok(was_sparse)
}

/// ```text
/// > PFSELFTEST
/// OK
/// ```
fn pfselftest(call: &mut Call) -> CommandResult {
    match hyperloglog::self_test() {
        Ok(()) => call.reply.ok(),
        Err(text) => {
            return Err(CommandError::Other(
                format!("TESTFAILED {text}").into_bytes(),
            ));
        }
    }
    Ok(())
}
