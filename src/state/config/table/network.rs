//! Directives about addresses, connections, clients and TLS.

use super::{Directive, INT_MAX, LONG_MAX, boolean, integer, memory, optional_text, special, word};
use crate::state::config::value::{Kind, Word};

pub(super) const TABLE: &[Directive] = &[
    special("bind", Kind::Bind, "127.0.0.1").text(|fields| &fields.bind),
    integer("port", 0, 65_535, "6379").number(|fields| &fields.port),
    boolean("protected-mode", "yes").flag(|fields| &fields.protected_mode),
    integer("maxclients", 1, u32::MAX as i64, "10000").number(|fields| &fields.maxclients),
    integer("timeout", 0, INT_MAX, "0").number(|fields| &fields.timeout),
    integer("tcp-keepalive", 0, INT_MAX, "300").number(|fields| &fields.tcp_keepalive),
    integer("tcp-backlog", 0, INT_MAX, "511")
        .immutable()
        .number(|fields| &fields.tcp_backlog),
    optional_text("bind-source-addr").no_effect("the server connects to no other"),
    integer("socket-mark-id", 0, u32::MAX as i64, "0")
        .immutable()
        .refused("its sockets carry no mark"),
    optional_text("unixsocket")
        .immutable()
        .text(|fields| &fields.unixsocket),
    special("unixsocketperm", Kind::Octal, "0")
        .immutable()
        .number(|fields| &fields.unixsocketperm),
    memory("proto-max-bulk-len", 1 << 20, LONG_MAX as u64, "536870912")
        .number(|fields| &fields.proto_max_bulk_len),
    memory(
        "client-query-buffer-limit",
        1 << 20,
        LONG_MAX as u64,
        "1073741824",
    )
    .number(|fields| &fields.client_query_buffer_limit),
    special(
        "client-output-buffer-limit",
        Kind::OutputBufferLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    )
    .text(|fields| &fields.client_output_buffer_limit),
    special("maxmemory-clients", Kind::MemoryOrPercent, "0")
        .number(|fields| &fields.maxmemory_clients),
    integer("tracking-table-max-keys", 0, LONG_MAX, "1000000")
        .number(|fields| &fields.tracking_table_max_keys),
    integer("io-threads", 1, 128, "1")
        .immutable()
        .no_effect("each client has a thread of its own"),
    boolean("io-threads-do-reads", "no")
        .immutable()
        .no_effect("each client has a thread of its own"),
    integer("tls-port", 0, 65_535, "0").refused(NO_TLS),
    boolean("tls-cluster", "no").refused(NO_TLS),
    boolean("tls-replication", "no").refused(NO_TLS),
    word("tls-auth-clients", TLS_AUTH_CLIENTS, "yes").no_effect(NO_TLS),
    boolean("tls-prefer-server-ciphers", "no").no_effect(NO_TLS),
    boolean("tls-session-caching", "yes").no_effect(NO_TLS),
    integer("tls-session-cache-size", 0, INT_MAX, "20480").no_effect(NO_TLS),
    integer("tls-session-cache-timeout", 0, INT_MAX, "300").no_effect(NO_TLS),
    optional_text("tls-cert-file").no_effect(NO_TLS),
    optional_text("tls-key-file").no_effect(NO_TLS),
    optional_text("tls-key-file-pass")
        .sensitive()
        .no_effect(NO_TLS),
    optional_text("tls-client-cert-file").no_effect(NO_TLS),
    optional_text("tls-client-key-file").no_effect(NO_TLS),
    optional_text("tls-client-key-file-pass")
        .sensitive()
        .no_effect(NO_TLS),
    optional_text("tls-dh-params-file").no_effect(NO_TLS),
    optional_text("tls-ca-cert-file").no_effect(NO_TLS),
    optional_text("tls-ca-cert-dir").no_effect(NO_TLS),
    optional_text("tls-protocols").no_effect(NO_TLS),
    optional_text("tls-ciphers").no_effect(NO_TLS),
    optional_text("tls-ciphersuites").no_effect(NO_TLS),
];

const TLS_AUTH_CLIENTS: &[Word] = &[("no", 0), ("yes", 1), ("optional", 2)];

/// Why the directives of TLS mean nothing, and what to do instead.
const NO_TLS: &str = "the server speaks no TLS: put stunnel or another TLS proxy before it";
