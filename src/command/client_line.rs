//! A client as one line: what CLIENT LIST, ACL LOG and the log tell of it.

use super::registry::{Command, Registry};
use crate::state::clients::Client;
use crate::util::quoting::c_string;
use std::sync::atomic::Ordering::Relaxed;

/// One line of CLIENT LIST: <https://redis.io/commands/client-list/>. What the server does not have is 0 or -1.
pub fn describe(commands: &Registry, client: &Client, now_ms: i64) -> Vec<u8> {
    let labels = client.labels().clone();
    let tracking = *client.tracking();
    let redirect = tracking.map_or(-1, |mode| mode.redirect as i64);
    let flags: String = [
        ('S', client.modes.is_replica.load(Relaxed)),
        ('O', client.modes.is_monitor.load(Relaxed)),
        ('P', client.is_subscriber()),
        ('x', client.queue.commands.load(Relaxed) >= 0),
        ('b', client.is_waiting()),
        ('t', tracking.is_some()),
        ('R', client.modes.is_redirect_broken.load(Relaxed)),
        ('B', tracking.is_some_and(|mode| mode.is_broadcast)),
        ('d', client.watch.is_spoilt()),
        ('U', client.is_of_unix_socket),
        ('e', client.modes.no_evict.load(Relaxed)),
        ('T', client.modes.no_touch.load(Relaxed)),
    ]
    .iter()
    .filter_map(|(flag, is_set)| is_set.then_some(*flag))
    .collect();
    let flags = if flags.is_empty() { "N" } else { &flags };
    let command = commands
        .all()
        .get(client.last_command.load(Relaxed))
        .map_or("NULL".to_string(), Command::full_name);
    let [input, input_free, arguments, queued, output] = [
        &client.buffers.input_bytes,
        &client.buffers.input_free_bytes,
        &client.buffers.argument_bytes,
        &client.queue.bytes,
        &client.buffers.output_capacity,
    ]
    .map(|figure| figure.load(Relaxed));
    let [channels, patterns, shard_channels] =
        [0, 1, 2].map(|kind| client.subscriptions[kind].load(Relaxed));
    let (messages, _) = client.outbox.len_and_bytes();
    let (unread, total) = (client.unread_bytes(), client.memory_bytes());
    let age = (now_ms - client.connected_at_ms).max(0) / 1000;
    let idle = (now_ms - client.last_request_ms.load(Relaxed)).max(0) / 1000;
    let head = format!(
        "id={} addr={} laddr={} fd={}",
        client.id, client.address, client.local_address, client.file_descriptor
    );
    let middle = format!(
        "age={age} idle={idle} flags={flags} db={} sub={channels} psub={patterns} ssub={shard_channels} multi={} \
         qbuf={input} qbuf-free={input_free} argv-mem={arguments} multi-mem={queued} rbs={output} rbp={output} \
         obl=0 oll={messages} omem={unread} tot-mem={total} events=r \
         cmd={command}",
        client.database.load(Relaxed),
        client.queue.commands.load(Relaxed),
    );
    let protocol = client.protocol.load(Relaxed);
    [
        head.as_bytes(),
        b" name=",
        c_string(&labels.name),
        b" ",
        middle.as_bytes(),
        b" user=",
        &client.account().name,
        format!(" redir={redirect} resp={protocol}").as_bytes(),
        b" lib-name=",
        c_string(&labels.lib_name),
        b" lib-ver=",
        c_string(&labels.lib_ver),
        b"\n",
    ]
    .concat()
}
