//! The names of opcodes and value types, and one line about each.

use super::super::format::{opcode, value_type};

/// Opcode, name, meaning.
const OPCODES: [(u8, &str, &str); 12] = [
    (opcode::SLOT_INFO, "SLOT_INFO", "about a cluster slot"),
    (opcode::FUNCTION2, "FUNCTION2", "a function library follows"),
    (
        opcode::FUNCTION_PRE_GA,
        "FUNCTION_PRE_GA",
        "a function library of a release candidate",
    ),
    (
        opcode::MODULE_AUX,
        "MODULE_AUX",
        "data of a module beside the keys",
    ),
    (
        opcode::IDLE,
        "IDLE",
        "seconds since the next key was last used",
    ),
    (opcode::FREQ, "FREQ", "LFU counter of the next key"),
    (opcode::AUX, "AUX", "a fact about the file"),
    (opcode::RESIZEDB, "RESIZEDB", "how large the database is"),
    (
        opcode::EXPIRETIME_MS,
        "EXPIRETIME_MS",
        "when the next key expires",
    ),
    (
        opcode::EXPIRETIME,
        "EXPIRETIME",
        "when the next key expires",
    ),
    (
        opcode::SELECTDB,
        "SELECTDB",
        "the next keys belong to a database",
    ),
    (opcode::EOF, "EOF", "the end of the data"),
];

/// Type, name, layout of its value.
const TYPES: [(u8, &str, &str); 21] = [
    (value_type::STRING, "STRING", "one string"),
    (value_type::LIST, "LIST", "strings"),
    (value_type::SET, "SET", "strings"),
    (value_type::ZSET, "ZSET", "members, scores in ASCII"),
    (value_type::HASH, "HASH", "fields and values"),
    (value_type::ZSET_2, "ZSET_2", "members, scores as f64"),
    (
        value_type::MODULE_PRE_GA,
        "MODULE_PRE_GA",
        "a module's value, unreadable",
    ),
    (
        value_type::MODULE_2,
        "MODULE_2",
        "a module's value in tagged items",
    ),
    (
        value_type::HASH_ZIPMAP,
        "HASH_ZIPMAP",
        "a hash in one zipmap",
    ),
    (
        value_type::LIST_ZIPLIST,
        "LIST_ZIPLIST",
        "a list in one ziplist",
    ),
    (value_type::SET_INTSET, "SET_INTSET", "a set in one intset"),
    (
        value_type::ZSET_ZIPLIST,
        "ZSET_ZIPLIST",
        "a sorted set in one ziplist",
    ),
    (
        value_type::HASH_ZIPLIST,
        "HASH_ZIPLIST",
        "a hash in one ziplist",
    ),
    (
        value_type::LIST_QUICKLIST,
        "LIST_QUICKLIST",
        "a list in several ziplists",
    ),
    (
        value_type::STREAM_LISTPACKS,
        "STREAM_LISTPACKS",
        "a stream, its entries in listpacks",
    ),
    (
        value_type::HASH_LISTPACK,
        "HASH_LISTPACK",
        "a hash in one listpack",
    ),
    (
        value_type::ZSET_LISTPACK,
        "ZSET_LISTPACK",
        "a sorted set in one listpack",
    ),
    (
        value_type::LIST_QUICKLIST_2,
        "LIST_QUICKLIST_2",
        "a list in listpacks and large elements",
    ),
    (
        value_type::STREAM_LISTPACKS_2,
        "STREAM_LISTPACKS_2",
        "a stream that counts",
    ),
    (
        value_type::SET_LISTPACK,
        "SET_LISTPACK",
        "a set in one listpack",
    ),
    (
        value_type::STREAM_LISTPACKS_3,
        "STREAM_LISTPACKS_3",
        "a stream with active times",
    ),
];

fn find(
    table: &'static [(u8, &'static str, &'static str)],
    code: u8,
) -> (&'static str, &'static str) {
    let entry = table.iter().find(|(known, ..)| *known == code);
    entry.map_or(("unknown", "neither type nor opcode"), |(_, name, says)| {
        (name, says)
    })
}

/// The name of an opcode in Redis, and its meaning.
pub fn opcode_name(code: u8) -> (&'static str, &'static str) {
    find(&OPCODES, code)
}

/// The name of a value type in Redis, and the layout of the value.
pub fn type_name(code: u8) -> (&'static str, &'static str) {
    find(&TYPES, code)
}

/// The versions of Redis that wrote a version of the format.
pub(super) fn writers_of(version: u32) -> &'static str {
    match version {
        1 => "Redis 2.0 and 2.2",
        2 => "Redis 2.4",
        3..=5 => "development versions of Redis 2.6",
        6 => "Redis 2.6 to 3.0",
        7 => "Redis 3.2",
        8 => "Redis 4.0",
        9 => "Redis 5.0 to 6.2",
        10 => "Redis 7.0",
        11 => "Redis 7.2",
        _ => "another format",
    }
}
