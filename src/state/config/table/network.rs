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
    optional_text("bind-source-addr"),
    integer("socket-mark-id", 0, u32::MAX as i64, "0")
        .immutable()
        .refused(),
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
    special("maxmemory-clients", Kind::MemoryOrPercent, "0").refused(),
    integer("tracking-table-max-keys", 0, LONG_MAX, "1000000")
        .number(|fields| &fields.tracking_table_max_keys),
    integer("io-threads", 1, 128, "1").immutable(),
    boolean("io-threads-do-reads", "no").immutable(),
    integer("tls-port", 0, 65_535, "0").refused(),
    boolean("tls-cluster", "no").refused(),
    boolean("tls-replication", "no").refused(),
    word("tls-auth-clients", TLS_AUTH_CLIENTS, "yes"),
    boolean("tls-prefer-server-ciphers", "no"),
    boolean("tls-session-caching", "yes"),
    integer("tls-session-cache-size", 0, INT_MAX, "20480"),
    integer("tls-session-cache-timeout", 0, INT_MAX, "300"),
    optional_text("tls-cert-file"),
    optional_text("tls-key-file"),
    optional_text("tls-key-file-pass").sensitive(),
    optional_text("tls-client-cert-file"),
    optional_text("tls-client-key-file"),
    optional_text("tls-client-key-file-pass").sensitive(),
    optional_text("tls-dh-params-file"),
    optional_text("tls-ca-cert-file"),
    optional_text("tls-ca-cert-dir"),
    optional_text("tls-protocols"),
    optional_text("tls-ciphers"),
    optional_text("tls-ciphersuites"),
];

const TLS_AUTH_CLIENTS: &[Word] = &[("no", 0), ("yes", 1), ("optional", 2)];
