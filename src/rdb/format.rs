//! The elements of an RDB file: its opcodes, value types and forms of lengths.
//!
//! This file has constants only; `reader` and `writer` use them. Here is a whole file, 82 bytes long, that every Redis
//! tool accepts (`EXAMPLE_FILE` has these bytes, and the tests read it):
//!
//! ```text
//! 52 45 44 49 53 30 30 30 39       "REDIS0009": five letters, then the version in four ASCII digits
//! FA                               AUX: a fact about the file, which a reader may ignore
//!    09 72 65 64 69 73 2D 76 65 72    "redis-ver": one byte says 9 bytes follow
//!    05 37 2E 32 2E 30                "7.2.0"
//! FE 00                            SELECTDB 0: the keys below belong to database 0
//! FB 03 01                         RESIZEDB: there are 3 of them, and 1 of the 3 will expire
//! FC 00 D8 C3 2C BB 03 00 00       EXPIRETIME_MS 4102444800000 (2100-01-01), for the next key only
//! 00                               type STRING
//!    03 61 67 65                      key "age"
//!    C0 21                            value "33", written as an 8-bit integer
//! 01                               type LIST
//!    01 6C                            key "l"
//!    02                               2 elements
//!    03 72 65 64                      "red"
//!    C3 05 40 64 00 61 E0 5A 00       100 times "a", compressed by LZF to 5 bytes
//!       |  |  |     |
//!       |  |  |     one literal byte "a", then "copy 99 bytes from one byte back"
//!       |  |  its length: 100, which no longer fits 6 bits
//!       |  its compressed length: 5
//!       not a length but "a special form: LZF"
//! 04                               type HASH
//!    01 68                            key "h"
//!    01                               1 field
//!    01 66                            "f"
//!    02 76 31                         "v1"
//! FF                               EOF
//! 8E A4 DA BB D5 CD 0B B0          CRC-64/Jones of all bytes before, little-endian; 0 says "not computed"
//! ```
//!
//! Numbers inside an RDB file are little-endian, except lengths, which are big-endian: the format grew over time.

/// The first five bytes of every RDB file. (Valkey 9 and later write `VALKEY`, with their own versions.)
pub const MAGIC: &[u8; 5] = b"REDIS";

/// The version that we write unless `rdb-version` says otherwise, that of Redis 5.0 to 6.2: the newest one that
/// rdbtools and all servers since Redis 5 read.
pub const VERSION_FOR_ALL: u32 = 9;

/// The version of Redis 7.0. Servers since then read it.
pub const VERSION_FOR_SERVERS: u32 = 10;

/// The oldest version that can be read: Redis 2.0.
pub const VERSION_OLDEST: u32 = 1;

/// The newest version that can be read: Redis 7.2. Version 12 (Redis 7.4) brings hashes whose fields expire.
pub const VERSION_NEWEST: u32 = 11;

/// From this version on (Redis 2.6) a checksum of 8 bytes follows EOF.
pub const VERSION_WITH_CHECKSUM: u32 = 5;

/// Opcodes: bytes in the place of a value type that are not types. They count down from 255, types count up from 0.
pub mod opcode {
    /// Three lengths about a cluster slot (Redis 7.4 and later), which a reader may ignore.
    pub const SLOT_INFO: u8 = 244;
    /// A function library: one string, its source code.
    pub const FUNCTION2: u8 = 245;
    /// A function library as the release candidates of Redis 7.0 wrote it. Redis 7.2 refuses it, and so do we.
    pub const FUNCTION_PRE_GA: u8 = 246;
    /// Data of a module that belongs to no key.
    pub const MODULE_AUX: u8 = 247;
    /// Seconds since the next key was last used, a length.
    pub const IDLE: u8 = 248;
    /// The LFU counter of the next key, one byte.
    pub const FREQ: u8 = 249;
    /// A fact about the file: two strings, name and value.
    pub const AUX: u8 = 250;
    /// Two lengths: the number of keys of the database, and of those that expire. Only a hint.
    pub const RESIZEDB: u8 = 251;
    /// When the next key expires: i64, milliseconds since 1970.
    pub const EXPIRETIME_MS: u8 = 252;
    /// When the next key expires: i32, seconds since 1970. Written before Redis 2.6.
    pub const EXPIRETIME: u8 = 253;
    /// The database of the keys that follow, a length.
    pub const SELECTDB: u8 = 254;
    /// The end of the data.
    pub const EOF: u8 = 255;
}

/// The byte before a key: the type of its value and the layout.
///
/// Our writer uses STRING, LIST, SET, HASH and `ZSET_2`, in which each element is a string of its own, and one of the
/// types of streams, depending on the version of the file. The other types, except those of modules, are memory images
/// of Redis' packed encodings (see `encodings`), which changed with its versions.
pub mod value_type {
    /// One string.
    pub const STRING: u8 = 0;
    /// A length n, then n strings.
    pub const LIST: u8 = 1;
    /// A length n, then n strings, all different.
    pub const SET: u8 = 2;
    /// A length n, then n pairs of a string and a score in ASCII (before Redis 4.0).
    pub const ZSET: u8 = 3;
    /// A length n, then n pairs of strings, field and value.
    pub const HASH: u8 = 4;
    /// A length n, then n pairs of a string and a score as f64.
    pub const ZSET_2: u8 = 5;
    /// A module's value as an unreleased Redis 4 wrote it; nothing reads it.
    pub const MODULE_PRE_GA: u8 = 6;
    /// A module's value: its name packed into a length, then tagged items up to a 0.
    pub const MODULE_2: u8 = 7;
    /// A small hash (before Redis 2.6).
    pub const HASH_ZIPMAP: u8 = 9;
    /// A small list (before Redis 3.2).
    pub const LIST_ZIPLIST: u8 = 10;
    /// A small set of integers.
    pub const SET_INTSET: u8 = 11;
    /// A small sorted set (before Redis 7.0).
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A small hash (Redis 2.6 to 6.2).
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list: a length n, then n ziplists (Redis 3.2 to 6.2).
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream (Redis 5.0 to 6.2).
    pub const STREAM_LISTPACKS: u8 = 15;
    /// A small hash (Redis 7.0 and later).
    pub const HASH_LISTPACK: u8 = 16;
    /// A small sorted set (Redis 7.0 and later).
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list: a length n, then n nodes, each a listpack or one large string (Redis 7.0 and later).
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream with the number of entries ever added and the largest deleted id (Redis 7.0).
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// A small set (Redis 7.2 and later).
    pub const SET_LISTPACK: u8 = 20;
    /// A stream whose consumers also have an active time (Redis 7.2 and later).
    pub const STREAM_LISTPACKS_3: u8 = 21;
}

/// The forms of a length. The two highest bits of the first byte choose the form.
///
/// ```text
/// 00xxxxxx                      6 bits
/// 01xxxxxx xxxxxxxx             14 bits
/// 10000000 + 4 bytes            32 bits, big-endian
/// 10000001 + 8 bytes            64 bits, big-endian
/// 11xxxxxx                      not a length: a string in the special form x follows
/// ```
pub mod length {
    /// The largest length in one byte.
    pub const MAX_6_BITS: u64 = (1 << 6) - 1;
    /// The largest length in two bytes.
    pub const MAX_14_BITS: u64 = (1 << 14) - 1;
    /// Set in the first byte of a length of 14 bits.
    pub const FORM_14_BITS: u8 = 0x40;
    /// The first byte of a length of 32 bits.
    pub const FORM_32_BITS: u8 = 0x80;
    /// The first byte of a length of 64 bits.
    pub const FORM_64_BITS: u8 = 0x81;
    /// Both bits set: a string in a special form.
    pub const FORM_SPECIAL: u8 = 0xC0;
}

/// The special forms of a string, as the first byte of the string.
pub mod string_form {
    /// An i8 follows; the string is its decimal text.
    pub const INT_8: u8 = 0xC0;
    /// An i16 follows, little-endian.
    pub const INT_16: u8 = 0xC1;
    /// An i32 follows, little-endian.
    pub const INT_32: u8 = 0xC2;
    /// Two lengths follow, compressed and plain, then the LZF data.
    pub const LZF: u8 = 0xC3;
}

/// The items of a module's value. A length before each item is its type; type 0 ends them.
pub mod module_item {
    /// The end.
    pub const END: u64 = 0;
    /// A signed integer, as a length.
    pub const SIGNED: u64 = 1;
    /// An unsigned integer, as a length.
    pub const UNSIGNED: u64 = 2;
    /// An f32.
    pub const FLOAT: u64 = 3;
    /// An f64.
    pub const DOUBLE: u64 = 4;
    /// A string.
    pub const STRING: u64 = 5;
}

/// The nodes of a `LIST_QUICKLIST_2`.
pub mod quicklist_node {
    /// One element too large for a listpack, as a string.
    pub const PLAIN: u64 = 1;
    /// A listpack of elements.
    pub const PACKED: u64 = 2;
}

/// The file that the head of this page shows, for tests.
#[cfg(test)]
pub(super) const EXAMPLE_FILE: &[u8] = b"REDIS0009\
    \xFA\x09redis-ver\x057.2.0\
    \xFE\x00\xFB\x03\x01\
    \xFC\x00\xD8\xC3\x2C\xBB\x03\x00\x00\x00\x03age\xC0\x21\
    \x01\x01l\x02\x03red\xC3\x05\x40\x64\x00a\xE0\x5A\x00\
    \x04\x01h\x01\x01f\x02v1\
    \xFF\x8E\xA4\xDA\xBB\xD5\xCD\x0B\xB0";
