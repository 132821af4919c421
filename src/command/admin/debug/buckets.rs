//! DEBUG CLIENT-EVICTION: how many clients there are of each size, as Redis sorts them for `maxmemory-clients`.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};

/// Powers of two between which a bucket lies: the first holds all that is smaller, the last all that is larger.
const FIRST_POWER: u32 = 15;
const LAST_POWER: u32 = 33;

/// ```text
/// > DEBUG CLIENT-EVICTION
/// (error) ERR maxmemory-clients is disabled.
/// ```
pub(super) fn client_eviction(call: &mut Call) -> CommandResult {
    if call.server.config.maxmemory_clients.get() == 0 {
        return Err(CommandError::err("maxmemory-clients is disabled."));
    }
    let clients = call.server.clients.all();
    let clients = clients.iter().filter(|client| client.may_be_evicted());
    let sizes: Vec<usize> = clients.map(|client| client.memory_bytes()).collect();
    let mut text = String::new();
    for power in FIRST_POWER..=LAST_POWER {
        let least = if power == FIRST_POWER {
            0
        } else {
            1_usize << (power - 1)
        };
        let (end, range) = match power {
            LAST_POWER => (usize::MAX, format!("{least:10}+            ")),
            _ => (
                1 << power,
                format!("{least:10} - {:10}", (1_u64 << power) - 1),
            ),
        };
        let members = sizes.iter().filter(|size| (least..end).contains(size));
        let (count, total) = (members.clone().count(), members.sum::<usize>());
        text += &format!("bucket {range}: tot-mem: {total:10}, clients: {count}\n");
    }
    call.reply.verbatim(text.as_bytes());
    Ok(())
}
