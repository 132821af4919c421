//! Directives about the RDB file and the append-only file.

use super::{
    Directive, INT_MAX, LONG_MAX, Slot, boolean, integer, is_file_name, memory, special, text, word,
};
use crate::state::config::value::{Kind, Word};

pub(super) const TABLE: &[Directive] = &[
    // In Redis the defaults are "dump.rdb" and "3600 1 300 100 60 10000". Here the point is "300 1".
    special("dir", Kind::Directory, "")
        .protected()
        .kept_in(Slot::WorkingDirectory),
    text("dbfilename", "dump.my_rdb")
        .protected()
        .check(dump_name)
        .text(|fields| &fields.dbfilename),
    special("save", Kind::Save, "300 1").text(|fields| &fields.save),
    boolean("rdbcompression", "yes").flag(|fields| &fields.rdbcompression),
    boolean("rdbchecksum", "yes")
        .immutable()
        .flag(|fields| &fields.rdbchecksum),
    // Redis does not have it. It is hidden, so that `CONFIG GET *` gives Redis' list.
    boolean("rdb-read-back", "yes")
        .hidden()
        .flag(|fields| &fields.rdb_read_back),
    // Redis does not have it either: the version of dumps. 9 is read by all servers since Redis 5.0 and by all tools;
    // with 10 or 11, streams have the types of Redis 7.0 or 7.2.
    integer("rdb-version", 9, 11, "9")
        .hidden()
        .number(|fields| &fields.rdb_version),
    boolean("stop-writes-on-bgsave-error", "yes")
        .flag(|fields| &fields.stop_writes_on_bgsave_error),
    boolean("rdb-del-sync-files", "no").no_effect("no dump is kept for replicas"),
    boolean("rdb-save-incremental-fsync", "yes").no_effect("a dump is synced once, at its end"),
    integer("rdb-key-save-delay", i32::MIN as i64, INT_MAX, "0")
        .hidden()
        .number(|fields| &fields.rdb_key_save_delay),
    integer("key-load-delay", i32::MIN as i64, INT_MAX, "0")
        .hidden()
        .number(|fields| &fields.key_load_delay),
    integer(
        "loading-process-events-interval-bytes",
        1_024,
        INT_MAX,
        "2097152",
    )
    .hidden()
    .no_effect("clients have threads of their own, which answer while the dump is loaded"),
    word("sanitize-dump-payload", SANITIZE_DUMP_PAYLOAD, "no")
        .no_effect("every dump and every payload is checked in full"),
    boolean("appendonly", "no").flag(|fields| &fields.appendonly),
    text("appendfilename", "appendonly.aof")
        .immutable()
        .check(append_file_name)
        .text(|fields| &fields.appendfilename),
    text("appenddirname", "appendonlydir")
        .immutable()
        .check(append_directory_name)
        .text(|fields| &fields.appenddirname),
    word("appendfsync", APPEND_FSYNC, "everysec").number(|fields| &fields.appendfsync),
    boolean("no-appendfsync-on-rewrite", "no").flag(|fields| &fields.no_appendfsync_on_rewrite),
    integer("auto-aof-rewrite-percentage", 0, INT_MAX, "100")
        .number(|fields| &fields.auto_aof_rewrite_percentage),
    memory("auto-aof-rewrite-min-size", 0, LONG_MAX as u64, "67108864")
        .number(|fields| &fields.auto_aof_rewrite_min_size),
    boolean("aof-load-truncated", "yes").flag(|fields| &fields.aof_load_truncated),
    boolean("aof-use-rdb-preamble", "yes").flag(|fields| &fields.aof_use_rdb_preamble),
    boolean("aof-timestamp-enabled", "no").flag(|fields| &fields.aof_timestamp_enabled),
    boolean("aof-rewrite-incremental-fsync", "yes").no_effect("a base is synced once, at its end"),
    boolean("aof-disable-auto-gc", "no")
        .hidden()
        .flag(|fields| &fields.aof_disable_auto_gc),
];

const SANITIZE_DUMP_PAYLOAD: &[Word] = &[("no", 0), ("yes", 1), ("clients", 2)];
/// See [`FsyncPolicy`](crate::state::append_only::FsyncPolicy).
const APPEND_FSYNC: &[Word] = &[("everysec", 2), ("always", 1), ("no", 0)];

fn dump_name(name: &str) -> Result<(), &'static str> {
    if is_file_name(name) {
        Ok(())
    } else {
        Err("dbfilename can't be a path, just a filename")
    }
}

fn append_file_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("appendfilename can't be empty"),
        _ if is_file_name(name) => Ok(()),
        _ => Err("appendfilename can't be a path, just a filename"),
    }
}

fn append_directory_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("appenddirname can't be empty"),
        _ if is_file_name(name) => Ok(()),
        _ => Err("appenddirname can't be a path, just a dirname"),
    }
}
