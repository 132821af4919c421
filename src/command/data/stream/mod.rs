//! Streams: <https://redis.io/commands/?group=stream>.
//!
//! | file | commands |
//! |---|---|
//! | `change` | XADD, XTRIM, XSETID, XDEL |
//! | `range` | XRANGE, XREVRANGE, XLEN |
//! | `read` | XREAD, which may wait |
//! | `read_group` | XREADGROUP, which may wait too |
//! | `group` | XGROUP |
//! | `pending` | XACK, XPENDING |
//! | `claim` | XCLAIM, XAUTOCLAIM |
//! | `info` | XINFO |
//!
//! `id` reads IDs, `trim` the options MAXLEN and MINID, `reply` writes entries into replies, and `replay` says what a
//! change of a group is replayed as. `radix_tree` counts nodes that are not there.

pub(super) mod change;
pub(super) mod claim;
pub(super) mod group;
mod id;
pub(super) mod info;
pub(super) mod pending;
mod radix_tree;
pub(super) mod range;
pub(super) mod read;
pub(super) mod read_group;
mod replay;
mod reply;
mod trim;

use crate::command::error::CommandError;
use crate::util::quoting::c_string;

/// A text that quotes a key and a group, as C prints them.
fn no_group(parts: [&str; 3], [first, second]: [&[u8]; 2]) -> CommandError {
    let [before, between, after] = parts.map(str::as_bytes);
    let quoted = [c_string(first), c_string(second)];
    CommandError::Other([before, quoted[0], between, quoted[1], after].concat())
}

/// Of commands that need a group of a key which may be absent.
fn no_key_or_group(key: &[u8], group: &[u8]) -> CommandError {
    let text = ["NOGROUP No such key '", "' or consumer group '", "'"];
    no_group(text, [key, group])
}

/// Of subcommands that need a group of a key which is there.
fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    let text = ["NOGROUP No such consumer group '", "' for key name '", "'"];
    no_group(text, [group, key])
}
