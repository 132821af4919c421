//! ACL LOG.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::state::acl::Entry;
use crate::util::clock;

/// How many entries are shown if nothing else is said.
const USUAL_COUNT: i64 = 10;

/// ```text
/// > ACL LOG RESET
/// OK
/// > ACL LOG
/// (empty array)
/// ```
pub(super) fn log(call: &mut Call) -> CommandResult {
    let count = match call.arguments {
        [_, _] => USUAL_COUNT,
        [_, _, _] if call.is_word(2, "RESET") => {
            call.server.acl.log.clear();
            call.reply.ok();
            return Ok(());
        }
        [_, _, _] => call.integer(2)?.max(0),
        _ => return Err(CommandError::misused_subcommand("ACL", call.argument(1))),
    };
    let entries = call.server.acl.log.latest(count as usize);
    let now_ms = clock::unix_ms();
    call.reply.array(entries.len());
    for entry in &entries {
        show(call.reply, entry, now_ms);
    }
    Ok(())
}

fn show(reply: &mut Reply, entry: &Entry, now_ms: i64) {
    reply.map(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    for (name, text) in [
        ("reason", entry.denied.reason().as_bytes()),
        ("context", entry.context.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.username),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double((now_ms - entry.updated_ms).max(0) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.trim_ascii_end());
    for (name, number) in [
        ("entry-id", entry.id as i64),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
}
