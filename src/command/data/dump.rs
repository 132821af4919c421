//! Single values from server to server: DUMP and RESTORE.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::rdb::payload::{self, PayloadError};
use crate::state::values;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "dump", arity: 2, handler: Read(dump), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Generic, since: "2.6.0",
        syntax: "key", summary: "Returns a serialized representation of the value stored at a key.",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis \
            objects composing the value and M their average size. For small string values the time complexity is thus \
            O(1)+O(1*M) where M is small, so simply O(1).",
        tips: &["nondeterministic_output"], ..BASE },
    RESTORE,
    CommandSpec { name: "restore-asking",
        flags: flags(&[WRITE, DENYOOM, CAT_DANGEROUS, ASKING, CAT_KEYSPACE]), group: Group::Server, since: "3.0.0",
        summary: "An internal command for migrating keys in a cluster.", is_internal: true, ..RESTORE },
];

const RESTORE: CommandSpec = CommandSpec {
    name: "restore",
    arity: -4,
    handler: Write(restore),
    keys: &[key(1, &[OW, UPDATE])],
    flags: flags(&[WRITE, DENYOOM, CAT_DANGEROUS]),
    group: Group::Generic,
    since: "2.6.0",
    syntax: "key ttl serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds@5.0.0] [FREQ \
        frequency@5.0.0]",
    summary: "Creates a key from the serialized representation of a value.",
    complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is \
        the number of Redis objects composing the value and M their average size. For small string values the time \
        complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the \
        complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    history: &[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ],
    ..BASE
};

/// The value as bytes that RESTORE takes, here or in another server.
///
/// ```text
/// > DUMP nothing
/// (nil)
/// ```
fn dump(call: &mut Call, db: &Db) -> CommandResult {
    let Some(entry) = db.read(&call.key()) else {
        call.reply.null();
        return Ok(());
    };
    let payload = values::payload(entry.value(), &call.server.config);
    call.reply.bulk(&payload);
    Ok(())
}

/// ```text
/// > RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
/// OK
/// > GET k
/// "10"
/// > RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
/// (error) BUSYKEY Target key name already exists.
/// > RESTORE k 0 damaged REPLACE
/// (error) ERR DUMP payload version or checksum are wrong
/// ```
fn restore(call: &mut Call, db: &mut Db) -> CommandResult {
    let options = Options::parse(call)?;
    let key = call.key();
    if !options.replaces && db.find_to_change(&key).is_some() {
        return Err(CommandError::BusyKey);
    }
    let ttl_ms = call.integer(2)?;
    if ttl_ms < 0 {
        return Err(CommandError::err("Invalid TTL value, must be >= 0"));
    }
    let value = payload::decode(call.argument(3)).map_err(|error| match error {
        PayloadError::Footer => CommandError::PayloadFooter,
        PayloadError::NotAFunction(_) | PayloadError::Value(_) => CommandError::PayloadValue,
    })?;
    let is_known = values::unknown_kind(&value).is_none() && !value.is_empty_collection();
    let object = values::object(value, &call.server.config.limits());
    let object = object
        .filter(|_| is_known)
        .ok_or(CommandError::PayloadValue)?;
    let deadline_ms = match options.is_absolute {
        true => ttl_ms,
        false => call.now_ms.saturating_add(ttl_ms),
    };
    let deadline_ms = Some(deadline_ms).filter(|_| ttl_ms > 0);
    if deadline_ms.is_some_and(|deadline| deadline <= db.view.expiry_ms()) {
        if db.remove(&key) {
            db.changed(&key, "del", 1);
            db.replay_as(|replay| replay.command(&[b"DEL", key.bytes]));
        }
        call.reply.ok();
        return Ok(());
    }
    db.put_anew(&key, object, deadline_ms);
    if let Some(entry) = db.look_silently(&key) {
        let clock = entry.clock();
        clock.restore(options.frequency, options.idle_s, db.access());
    }
    db.changed(&key, "restore", 1);
    if let Some(deadline_ms) = deadline_ms.filter(|_| !options.is_absolute) {
        db.replay_as(|replay| {
            let deadline_ms = deadline_ms.to_string();
            let mut arguments = call.arguments.to_vec();
            arguments[2] = deadline_ms.as_bytes();
            arguments.push(b"ABSTTL");
            replay.command(&arguments);
        });
    }
    call.reply.ok();
    Ok(())
}

/// What follows the payload.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
    idle_s: Option<u32>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(call: &Call) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut index = 4;
        while index < call.arguments.len() {
            let has_more = index + 1 < call.arguments.len();
            match call.word(index).as_str() {
                "REPLACE" => options.replaces = true,
                "ABSTTL" => options.is_absolute = true,
                "IDLETIME" if has_more && options.frequency.is_none() => {
                    index += 1;
                    let idle_s = call.integer(index)?;
                    if idle_s < 0 {
                        return Err(CommandError::err("Invalid IDLETIME value, must be >= 0"));
                    }
                    options.idle_s = Some(u32::try_from(idle_s).unwrap_or(u32::MAX));
                }
                "FREQ" if has_more && options.idle_s.is_none() => {
                    index += 1;
                    let frequency = u8::try_from(call.integer(index)?).map_err(|_| {
                        CommandError::err("Invalid FREQ value, must be >= 0 and <= 255")
                    })?;
                    options.frequency = Some(frequency);
                }
                _ => return Err(CommandError::Syntax),
            }
            index += 1;
        }
        Ok(options)
    }
}
