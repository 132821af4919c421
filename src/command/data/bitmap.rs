//! Bitmaps: strings as rows of bits. <https://redis.io/commands/?group=bitmap>.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::object::Object;
use crate::keyspace::string_form::StringForm;
use crate::types::bitmap::{self, BitOperation, FieldType, Overflow};
use crate::util::number;
use smallvec::SmallVec;
use std::ops::Range;
use triomphe::Arc;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "setbit", arity: 4, handler: Write(setbit), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Bitmap, since: "2.2.0",
        syntax: "key offset value:integer",
        summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.", ..BASE },
    CommandSpec { name: "getbit", arity: 3, handler: Read(getbit), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Bitmap, since: "2.2.0",
        syntax: "key offset", summary: "Returns a bit value by offset.", ..BASE },
    CommandSpec { name: "bitcount", arity: -2, handler: Read(bitcount), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Bitmap, since: "2.6.0",
        syntax: "key [range: start end [unit@7.0.0: BYTE | BIT]]",
        summary: "Counts the number of set bits (population counting) in a string.", complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")], ..BASE },
    CommandSpec { name: "bitpos", arity: -3, handler: Read(bitpos), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Bitmap, since: "2.8.7",
        syntax: "key bit [range: start [end-unit-block: end [unit@7.0.0: BYTE | BIT]]]",
        summary: "Finds the first set (1) or clear (0) bit in a string.", complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")], ..BASE },
    CommandSpec { name: "bitop", arity: -4, handler: Write(bitop),
        keys: &[key(2, &[OW, UPDATE]), keys(3, -1, 1, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Bitmap, since: "2.6.0",
        syntax: "<operation: AND | OR | XOR | NOT> destkey key [key ...]",
        summary: "Performs bitwise operations on multiple strings, and stores the result.", complexity: "O(N)",
        ..BASE },
    CommandSpec { name: "bitfield", arity: -2, handler: Write(bitfield), keys: &[KEY_OF_BITFIELD],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Bitmap, since: "3.2.0",
        syntax: "key [<operation: GET <get-block: encoding offset> | <write: [OVERFLOW <overflow-block: WRAP | SAT | \
            FAIL>] <write-operation: SET <set-block: encoding offset value:integer> | INCRBY <incrby-block: encoding \
            offset increment>>>> [...]]",
        summary: "Performs arbitrary bitfield integer operations on strings.",
        complexity: "O(1) for each subcommand specified", ..BASE },
    CommandSpec { name: "bitfield_ro", arity: -2, handler: Read(bitfield_ro), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Bitmap, since: "6.0.0",
        syntax: "key [GET <get-block: encoding offset> [GET ...]]",
        summary: "Performs arbitrary read-only bitfield integer operations on strings.",
        complexity: "O(1) for each subcommand specified", ..BASE },
];

const KEY_OF_BITFIELD: KeySpec = key(1, &[RW, ACCESS, UPDATE, VARIABLE])
    .varying(flags_of_bitfield)
    .noting("This command allows both access and modification of the key");

/// ```text
/// > SETBIT seen 7 1
/// (integer) 0
/// > SETBIT seen 7 1
/// (integer) 1
/// > GET seen
/// "\x01"
/// ```
fn setbit(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let offset = bit_offset(call, call.argument(2))?;
    let bit = number::parse_i64(call.argument(3)).filter(|bit| matches!(bit, 0 | 1));
    let bit = bit.ok_or_else(|| CommandError::err("bit is not an integer or out of range"))? == 1;
    let (mut old, mut has_grown) = (false, false);
    db.edit_string(&key, |string| {
        has_grown = grow(string, offset + 1);
        old = bitmap::set(string, offset, bit);
    })?;
    if has_grown || old != bit {
        db.changed(&key, "setbit", 1);
    }
    call.reply.integer(old.into());
    Ok(())
}

/// Appends zero bytes until a string has this many bits; returns whether it had fewer.
fn grow(string: &mut Vec<u8>, bits: usize) -> bool {
    let bytes = bits.div_ceil(8);
    let is_shorter = string.len() < bytes;
    if is_shorter {
        string.resize(bytes, 0);
    }
    is_shorter
}

/// The place of a bit in a string that is no longer than strings may be.
fn bit_offset(call: &Call, argument: &[u8]) -> Result<usize, CommandError> {
    check_bit_offset(call, number::parse_i64(argument))
}

fn check_bit_offset(call: &Call, offset: Option<i64>) -> Result<usize, CommandError> {
    let most_bytes = call.server.config.proto_max_bulk_len.get() as usize;
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    offset
        .filter(|offset| offset / 8 < most_bytes)
        .ok_or_else(|| CommandError::err("bit offset is not an integer or out of range"))
}

/// ```text
/// > SET k a
/// OK
/// > GETBIT k 1
/// (integer) 1
/// > GETBIT k 100
/// (integer) 0
/// ```
fn getbit(call: &mut Call, db: &Db) -> CommandResult {
    let offset = bit_offset(call, call.argument(2))?;
    let string = db.string(&call.key())?.unwrap_or_default();
    call.reply.integer(bitmap::get(string, offset).into());
    Ok(())
}

/// ```text
/// > SET k foobar
/// OK
/// > BITCOUNT k
/// (integer) 26
/// > BITCOUNT k 1 1
/// (integer) 6
/// > BITCOUNT k 5 30 BIT
/// (integer) 17
/// ```
fn bitcount(call: &mut Call, db: &Db) -> CommandResult {
    let bounds = match call.arguments.len() {
        2 => None,
        4 | 5 => Some((call.integer(2)?, call.integer(3)?, unit(call, 4)?)),
        _ => return Err(CommandError::Syntax),
    };
    let string = db.string(&call.key())?.unwrap_or_default();
    let bits = match bounds {
        None => 0..8 * string.len(),
        // Among negative bounds, those in the wrong order are found before they meet at the beginning.
        Some((start, end, _)) if start < 0 && end < 0 && start > end => 0..0,
        Some((start, end, unit)) => bit_range(start, end, unit, string.len()),
    };
    call.reply.count(bitmap::count(string, bits));
    Ok(())
}

/// What the bounds of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

/// The argument at `index`, which may be missing.
fn unit(call: &Call, index: usize) -> Result<Unit, CommandError> {
    match call.arguments.get(index) {
        None => Ok(Unit::Byte),
        Some(_) if call.is_word(index, "BIT") => Ok(Unit::Bit),
        Some(_) if call.is_word(index, "BYTE") => Ok(Unit::Byte),
        Some(_) => Err(CommandError::Syntax),
    }
}

/// The bits of a string of `len` bytes that lie from `start` to `end`, both inclusive and negative from the end.
fn bit_range(start: i64, end: i64, unit: Unit, len: usize) -> Range<usize> {
    let (len, bits_each) = match unit {
        Unit::Byte => (len as i64, 8),
        Unit::Bit => (8 * len as i64, 1),
    };
    let from_end = |bound: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(len)
        } else {
            bound
        };
        bound.max(0)
    };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end {
        0..0
    } else {
        start as usize * bits_each..(end as usize + 1) * bits_each
    }
}

/// ```text
/// > SET k "\xff\xf0\x00"
/// OK
/// > BITPOS k 0
/// (integer) 12
/// > BITPOS k 1 2
/// (integer) -1
/// > BITPOS k 1 7 -1 BIT
/// (integer) 7
/// ```
fn bitpos(call: &mut Call, db: &Db) -> CommandResult {
    let bit = match call.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::err("The bit argument must be 1 or 0.")),
    };
    let given = call.arguments.len();
    if given > 6 {
        return Err(CommandError::Syntax);
    }
    let start = if given > 3 { call.integer(3)? } else { 0 };
    let unit = unit(call, 5)?;
    let end = if given > 4 {
        Some(call.integer(4)?)
    } else {
        None
    };
    let Some(string) = db.string(&call.key())? else {
        // A string that is not there is endless zeros.
        call.reply.integer(if bit { -1 } else { 0 });
        return Ok(());
    };
    let bits = bit_range(start, end.unwrap_or(-1), unit, string.len());
    let is_empty = bits.is_empty();
    let behind = 8 * string.len();
    let position = match bitmap::find(string, bit, bits) {
        Some(position) => position as i64,
        // Without an end, the zeros behind the string count too.
        None if !bit && end.is_none() && !is_empty => behind as i64,
        None => -1,
    };
    call.reply.integer(position);
    Ok(())
}

/// ```text
/// > MSET a abc b "aB"
/// OK
/// > BITOP XOR d a b
/// (integer) 3
/// > GET d
/// "\x00 c"
/// ```
fn bitop(call: &mut Call, db: &mut Db) -> CommandResult {
    let operation = match call.word(1).as_str() {
        "AND" => BitOperation::And,
        "OR" => BitOperation::Or,
        "XOR" => BitOperation::Xor,
        "NOT" => BitOperation::Not,
        _ => return Err(CommandError::Syntax),
    };
    let (destination, sources) = (call.key(), &call.keys[1..]);
    if operation == BitOperation::Not && sources.len() > 1 {
        return Err(CommandError::err(
            "BITOP NOT must be called with a single source key.",
        ));
    }
    let strings = sources
        .iter()
        .map(|key| Ok(db.string(key)?.unwrap_or_default()));
    let strings: Vec<&[u8]> = strings.collect::<Result<_, CommandError>>()?;
    let result = bitmap::combine(operation, &strings);
    let len = result.len();
    if len > 0 {
        let object = Object::String(Arc::new(result), StringForm::Raw);
        db.put_object(&destination, object, None);
        db.changed(&destination, "set", 1);
    } else if db.remove(&destination) {
        db.changed(&destination, "del", 1);
    }
    call.reply.count(len);
    Ok(())
}

/// What BITFIELD is to do with one field.
struct FieldOperation {
    action: FieldAction,
    field: FieldType,
    offset: usize,
}

enum FieldAction {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

type FieldOperations = SmallVec<[FieldOperation; 4]>;

/// ```text
/// > BITFIELD k SET u8 0 255 GET i4 4 INCRBY u8 #1 10
/// 1) (integer) 0
/// 2) (integer) -1
/// 3) (integer) 10
/// > BITFIELD k OVERFLOW SAT INCRBY u8 0 1 OVERFLOW FAIL INCRBY u8 0 1
/// 1) (integer) 255
/// 2) (nil)
/// ```
fn bitfield(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let operations = field_operations(call)?;
    let written = operations.iter().filter(|operation| operation.writes());
    let Some(bits) = written.map(|it| it.offset + it.field.bits).max() else {
        return read_fields(call, db, &operations);
    };
    let (mut changes, mut has_grown) = (0, false);
    db.edit_string(&key, |string| {
        has_grown = grow(string, bits);
        call.reply.array(operations.len());
        for operation in &operations {
            let Some((answer, differs)) = operation.run(string) else {
                call.reply.null();
                continue;
            };
            call.reply.integer(answer);
            changes += usize::from(differs || has_grown && operation.writes());
        }
    })?;
    if changes > 0 {
        db.changed(&key, "setbit", changes);
    } else if has_grown {
        // An increment has failed for its overflow. As in Redis neither watchers nor subscribers get notice of the
        // zeros.
        db.changed_silently();
    }
    Ok(())
}

/// ```text
/// > SET k ab
/// OK
/// > BITFIELD_RO k GET u8 #1 GET u4 0
/// 1) (integer) 98
/// 2) (integer) 6
/// ```
fn bitfield_ro(call: &mut Call, db: &Db) -> CommandResult {
    let operations = field_operations(call)?;
    if operations.iter().any(FieldOperation::writes) {
        return Err(CommandError::err(
            "BITFIELD_RO only supports the GET subcommand",
        ));
    }
    read_fields(call, db, &operations)
}

fn read_fields(call: &mut Call, db: &Db, operations: &[FieldOperation]) -> CommandResult {
    let string = db.string(&call.key())?.unwrap_or_default();
    call.reply.array(operations.len());
    for operation in operations {
        let value = operation.field.get(string, operation.offset);
        call.reply.integer(value);
    }
    Ok(())
}

/// What happens to the key of a BITFIELD request: nothing is written if it consists of GET alone.
fn flags_of_bitfield(request: &[&[u8]]) -> KeyFlags {
    match only_reads(request) {
        true => KeyFlags::of(&[RO, ACCESS]),
        false => KeyFlags::of(&[RW, ACCESS, UPDATE]),
    }
}

/// Whether a BITFIELD request consists of GET alone; what its arguments are is not looked at.
fn only_reads(request: &[&[u8]]) -> bool {
    let mut words = &request[2..];
    while let Some((word, rest)) = words.split_first() {
        let taken = match word.to_ascii_uppercase().as_slice() {
            b"GET" => 2,
            b"OVERFLOW" => 1,
            _ => return false,
        };
        match rest.get(taken..) {
            Some(rest) => words = rest,
            None => return false,
        }
    }
    true
}

fn field_operations(call: &Call) -> Result<FieldOperations, CommandError> {
    let mut operations = FieldOperations::new();
    let mut overflow = Overflow::Wrap;
    let mut index = 2;
    while index < call.arguments.len() {
        let following = call.arguments.len() - index - 1;
        let word = call.word(index);
        if word == "OVERFLOW" && following >= 1 {
            overflow = match call.word(index + 1).as_str() {
                "WRAP" => Overflow::Wrap,
                "SAT" => Overflow::Saturate,
                "FAIL" => Overflow::Fail,
                _ => return Err(CommandError::err("Invalid OVERFLOW type specified")),
            };
            index += 2;
            continue;
        }
        let taken = match word.as_str() {
            "GET" => 2,
            "SET" | "INCRBY" => 3,
            _ => return Err(CommandError::Syntax),
        };
        if following < taken {
            return Err(CommandError::Syntax);
        }
        let field = field_type(call.argument(index + 1))?;
        let offset = field_offset(call, call.argument(index + 2), field)?;
        let action = match word.as_str() {
            "GET" => FieldAction::Get,
            "SET" => FieldAction::Set(call.integer(index + 3)?, overflow),
            _ => FieldAction::Increment(call.integer(index + 3)?, overflow),
        };
        operations.push(FieldOperation {
            action,
            field,
            offset,
        });
        index += 1 + taken;
    }
    Ok(operations)
}

/// `i16`, `u8`.
fn field_type(argument: &[u8]) -> Result<FieldType, CommandError> {
    let (is_signed, most_bits, bits) = match argument {
        [b'i', bits @ ..] => (true, 64, bits),
        [b'u', bits @ ..] => (false, 63, bits),
        _ => (false, 0, &b""[..]),
    };
    let bits = number::parse_i64(bits).filter(|bits| (1..=most_bits).contains(bits));
    let bits = bits.ok_or_else(|| {
        CommandError::err(
            "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )
    })?;
    Ok(FieldType {
        is_signed,
        bits: bits as usize,
    })
}

/// An offset in bits, or after `#` one in fields of this type.
fn field_offset(call: &Call, argument: &[u8], field: FieldType) -> Result<usize, CommandError> {
    match argument {
        // As in Redis, a product that is too large wraps around.
        [b'#', fields @ ..] => {
            let fields = number::parse_i64(fields);
            check_bit_offset(
                call,
                fields.map(|fields| fields.wrapping_mul(field.bits as i64)),
            )
        }
        _ => bit_offset(call, argument),
    }
}

impl FieldOperation {
    fn writes(&self) -> bool {
        !matches!(self.action, FieldAction::Get)
    }

    /// Carries it out on a string that holds the field if it is written. Returns the answer, and whether the field has
    /// another value now; nothing if the new value would not fit.
    fn run(&self, string: &mut [u8]) -> Option<(i64, bool)> {
        let old = self.field.get(string, self.offset);
        let (new, answers_new) = match self.action {
            FieldAction::Get => return Some((old, false)),
            FieldAction::Set(value, overflow) => (self.field.fit(value, overflow)?, false),
            FieldAction::Increment(by, overflow) => (self.field.add(old, by, overflow)?, true),
        };
        self.field.set(string, self.offset, new);
        Some((if answers_new { new } else { old }, new != old))
    }
}
