//! `maxmemory-clients`: if the clients together take more memory than that, those that take most are disconnected:
//! <https://redis.io/docs/reference/clients/#client-eviction>.
//!
//! A client's own thread looks when its client has grown, and the reaper ten times a second, for what other threads
//! have put into outboxes. Redis sorts clients into buckets by powers of two, so that the largest are found without a
//! look at all of them; here all are looked at, but only when a client has grown, or by the reaper.
//!
//! Locks: none is held. The list of clients is copied first.

use crate::command::execute::Engine;
use crate::state::Server;
use crate::state::clients::Client;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A client's thread looks when its client has grown by so many bytes.
pub const GROWTH_BYTES: usize = 32 * 1024;

/// Disconnects the largest clients until the rest keeps the limit. Replicas do not count, nor clients that have said
/// CLIENT NO-EVICT.
pub fn evict(engine: &Engine) {
    let limit = engine.client_memory_limit();
    if limit == 0 {
        return;
    }
    let clients = engine.clients.all();
    let counts = |client: &&Arc<Client>| {
        let modes = &client.modes;
        !modes.is_replica.load(Relaxed) && !modes.no_evict.load(Relaxed)
    };
    let counted = clients.iter().filter(counts);
    let mut sizes: Vec<(usize, &Arc<Client>)> = counted
        .map(|client| (client.memory_bytes(), client))
        .collect();
    let mut total: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    if total as u64 <= limit {
        return;
    }
    sizes.sort_by_key(|(bytes, client)| Reverse((*bytes, client.id)));
    for (bytes, client) in sizes {
        if total as u64 <= limit {
            return;
        }
        total -= bytes;
        disconnect(engine, client, bytes);
    }
}

fn disconnect(server: &Server, client: &Client, bytes: usize) {
    // Its thread may not have noticed yet that it has been disconnected.
    if client.is_evicted.swap(true, Relaxed) {
        return;
    }
    server.log.notice_of_clients(format_args!(
        "Evicting client: id={} addr={} tot-mem={bytes}",
        client.id, client.address
    ));
    server.statistics.evicted_clients.fetch_add(1, Relaxed);
    client.disconnect();
}
