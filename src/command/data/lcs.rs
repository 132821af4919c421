//! LCS: what two strings have in common.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::entry::WrongType;
use crate::types::string::{Match, longest_common_subsequence};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "lcs", arity: -3, handler: Read(lcs), keys: &[keys(1, 2, 1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::String, since: "7.0.0",
        syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        summary: "Finds the longest common substring.",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively", ..BASE },
];

/// ```text
/// > MSET key1 ohmytext key2 mynewtext
/// OK
/// > LCS key1 key2
/// "mytext"
/// > LCS key1 key2 LEN
/// (integer) 6
/// > LCS key1 key2 IDX MINMATCHLEN 4 WITHMATCHLEN
/// 1) "matches"
/// 2) 1) 1) 1) (integer) 4
///          2) (integer) 7
///       2) 1) (integer) 5
///          2) (integer) 8
///       3) (integer) 4
/// 3) "len"
/// 4) (integer) 6
/// ```
fn lcs(call: &mut Call, db: &Db) -> CommandResult {
    // Both are looked up before either is found to be of the wrong type.
    let [first, second] = [0, 1].map(|index| db.string(&call.keys[index]));
    let (first, second) = (operand(first)?, operand(second)?);
    let (mut asks_len, mut asks_matches, mut with_match_len) = (false, false, false);
    let mut min_match_len = 0;
    let mut index = 3;
    while index < call.arguments.len() {
        match call.word(index).as_str() {
            "IDX" => asks_matches = true,
            "LEN" => asks_len = true,
            "WITHMATCHLEN" => with_match_len = true,
            "MINMATCHLEN" if index + 1 < call.arguments.len() => {
                index += 1;
                min_match_len = call.integer(index)?.max(0) as usize;
            }
            _ => return Err(CommandError::Syntax),
        }
        index += 1;
    }
    if asks_len && asks_matches {
        return Err(CommandError::err(
            "If you want both the length and indexes, please just use IDX.",
        ));
    }
    check_table_size(call, first.len(), second.len())?;
    let found = longest_common_subsequence(first, second);
    if asks_matches {
        let is_listed = |found: &&Match| found.first.len() >= min_match_len;
        reply_matches(
            call,
            found.matches.iter().filter(is_listed).collect(),
            with_match_len,
        );
        call.reply.bulk(b"len");
        call.reply.count(found.bytes.len());
    } else if asks_len {
        call.reply.count(found.bytes.len());
    } else {
        call.reply.bulk(&found.bytes);
    }
    Ok(())
}

/// As in Redis, the table of lengths must fit where a string would.
fn check_table_size(call: &Call, first: usize, second: usize) -> CommandResult {
    let cells = (first as u64 + 1).saturating_mul(second as u64 + 1);
    if cells.saturating_mul(4) > call.server.config.proto_max_bulk_len.get() as u64 {
        return Err(CommandError::err(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

fn operand(string: Result<Option<&[u8]>, WrongType>) -> Result<&[u8], CommandError> {
    let wrong_type = CommandError::err("The specified keys must contain string values");
    Ok(string.map_err(|_| wrong_type)?.unwrap_or_default())
}

/// The map of LCS IDX up to its `len`.
fn reply_matches(call: &mut Call, matches: Vec<&Match>, with_match_len: bool) {
    call.reply.map(2);
    call.reply.bulk(b"matches");
    call.reply.array(matches.len());
    for found in matches {
        call.reply.array(2 + usize::from(with_match_len));
        for range in [&found.first, &found.second] {
            call.reply.array(2);
            call.reply.count(range.start);
            call.reply.count(range.end - 1);
        }
        if with_match_len {
            call.reply.count(found.first.len());
        }
    }
}
