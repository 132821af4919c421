//! Writes a key with its value as the commands that create it, for the base of an append-only file when
//! `aof-use-rdb-preamble` is `no`. The commands are those that Redis 7.2 writes (`rewriteAppendOnlyFileRio` in
//! src/aof.c), in its order:
//!
//! ```text
//! FUNCTION LOAD code                                     each library
//! SELECT 0                                               each database that has keys
//! SET key value                                          a string
//! RPUSH key element ...                                  a list
//! SADD key member ...                                    a set
//! ZADD key score member ...                              a sorted set
//! HMSET key field value ...                              a hash
//! XADD key id field value ...                            a stream: each entry
//! XADD key MAXLEN 0 0-1 x y                                instead, if it has none: an entry that is trimmed at once
//! XSETID key id ENTRIESADDED n MAXDELETEDID id             what it remembers
//! XGROUP CREATE key group id ENTRIESREAD n                 each consumer group; n is -1 if that is not known
//! XGROUP CREATECONSUMER key group consumer                 each consumer without pending entries
//! XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n JUSTID FORCE   each pending entry, which creates its consumer
//! PEXPIREAT key ms                                       after any of them: the deadline
//! ```
//!
//! A collection of more than 64 items takes several commands. Nothing is gathered: each item goes straight to the
//! output, so the memory does not depend on the size of a value. There are many small writes: the output should be
//! buffered.
//!
//! These commands say less than an RDB file. As in Redis, a replay loses
//! - pending entries that have been deleted from their stream: XCLAIM does not take them;
//! - the times at which a consumer was last seen and active;
//! - when and how often a key was used.

use crate::rdb::ValueRef;
use crate::resp::request_writer::{write_argument, write_command, write_count};
use crate::types::stream::{ConsumerGroup, IdBuffer, Pending, Stream, StreamId};
use crate::util::number;
use std::io::{self, Write};

/// The most items (fields of a hash) of one command; Redis' `AOF_REWRITE_ITEMS_PER_CMD`.
const ITEMS_PER_COMMAND: usize = 64;

/// Writes a function library: its source code.
pub fn write_library(output: &mut impl Write, code: &[u8]) -> io::Result<()> {
    write_command(output, &[b"FUNCTION", b"LOAD", code])
}

/// Writes that the keys which follow belong to this database.
pub fn write_select(output: &mut impl Write, database: u64) -> io::Result<()> {
    let mut digits = itoa::Buffer::new();
    write_command(output, &[b"SELECT", digits.format(database).as_bytes()])
}

/// Writes a key with its value and its deadline (Unix time in milliseconds).
///
/// As in an RDB file, a collection without items is not written, and it is an error if an iterator yields another
/// number of items than the value says: the commands that were written before it are then no whole value.
pub fn write_key(
    output: &mut impl Write,
    key: &[u8],
    expires_at_ms: Option<i64>,
    value: ValueRef<'_, '_>,
) -> io::Result<()> {
    if value.is_empty_collection() {
        return Ok(());
    }
    write_value(output, key, value)?;
    if let Some(expires_at_ms) = expires_at_ms {
        let mut digits = itoa::Buffer::new();
        let deadline = digits.format(expires_at_ms).as_bytes();
        write_command(output, &[b"PEXPIREAT", key, deadline])?;
    }
    Ok(())
}

fn write_value(output: &mut impl Write, key: &[u8], value: ValueRef<'_, '_>) -> io::Result<()> {
    match value {
        ValueRef::String(text) => write_command(output, &[b"SET", key, text]),
        ValueRef::List(len, elements) => write_items(
            output,
            [b"RPUSH", key],
            1,
            len,
            elements,
            |output, element| write_argument(output, element),
        ),
        ValueRef::Set(len, members) => {
            write_items(output, [b"SADD", key], 1, len, members, |output, member| {
                write_argument(output, member)
            })
        }
        ValueRef::IntegerSet(len, integers) => {
            let mut digits = itoa::Buffer::new();
            write_items(
                output,
                [b"SADD", key],
                1,
                len,
                integers,
                |output, integer| write_argument(output, digits.format(integer).as_bytes()),
            )
        }
        ValueRef::SortedSet(len, members) => {
            let mut text = Vec::new();
            write_items(
                output,
                [b"ZADD", key],
                2,
                len,
                members,
                |output, (member, score)| {
                    text.clear();
                    number::format_f64_by_digits(score, &mut text);
                    write_argument(output, &text)?;
                    write_argument(output, member)
                },
            )
        }
        ValueRef::Hash(len, pairs) => write_items(
            output,
            [b"HMSET", key],
            2,
            len,
            pairs,
            |output, (field, value)| {
                write_argument(output, field)?;
                write_argument(output, value)
            },
        ),
        ValueRef::Stream(stream) => write_stream(output, key, stream),
    }
}

/// Writes commands that begin with these two words, each with at most [`ITEMS_PER_COMMAND`] items.
fn write_items<T, W: Write>(
    output: &mut W,
    [name, key]: [&[u8]; 2],
    arguments_per_item: usize,
    len: usize,
    items: &mut dyn Iterator<Item = T>,
    mut write_item: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    let wrong_len = || {
        let text = format!("a value of {len} items yields another number of them");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let mut missing = len;
    while missing > 0 {
        let count = missing.min(ITEMS_PER_COMMAND);
        write_count(output, 2 + count * arguments_per_item)?;
        write_argument(output, name)?;
        write_argument(output, key)?;
        for _ in 0..count {
            write_item(output, items.next().ok_or_else(wrong_len)?)?;
        }
        missing -= count;
    }
    match items.next() {
        None => Ok(()),
        Some(_) => Err(wrong_len()),
    }
}

fn write_stream(output: &mut impl Write, key: &[u8], stream: &Stream) -> io::Result<()> {
    write_entries(output, key, stream)?;
    let history = stream.entries.history();
    let (mut last_id, mut added, mut deleted) =
        (IdBuffer::new(), itoa::Buffer::new(), IdBuffer::new());
    let last_id = history.last_id.text(&mut last_id);
    let added = added.format(signed(history.entries_added)).as_bytes();
    let deleted = history.max_deleted_id.text(&mut deleted);
    write_command(
        output,
        &[
            b"XSETID",
            key,
            last_id,
            b"ENTRIESADDED",
            added,
            b"MAXDELETEDID",
            deleted,
        ],
    )?;
    for (name, group) in stream.groups.iter() {
        write_group(output, key, name, group)?;
    }
    Ok(())
}

fn write_entries(output: &mut impl Write, key: &[u8], stream: &Stream) -> io::Result<()> {
    if stream.entries.is_empty() {
        return write_command(output, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    let mut digits = itoa::Buffer::new();
    for entry in stream.entries.iter() {
        let fields = entry.fields();
        write_count(output, 3 + 2 * fields.len())?;
        write_argument(output, b"XADD")?;
        write_argument(output, key)?;
        write_argument(output, entry.id.text(&mut IdBuffer::new()))?;
        for (field, value) in fields {
            write_argument(output, field.text(&mut digits))?;
            write_argument(output, value.text(&mut digits))?;
        }
    }
    Ok(())
}

fn write_group(
    output: &mut impl Write,
    key: &[u8],
    name: &[u8],
    group: &ConsumerGroup,
) -> io::Result<()> {
    let (mut last_id, mut read) = (IdBuffer::new(), itoa::Buffer::new());
    let last_id = group.last_id.text(&mut last_id);
    let read = read
        .format(group.entries_read.map_or(-1, signed))
        .as_bytes();
    write_command(
        output,
        &[
            b"XGROUP",
            b"CREATE",
            key,
            name,
            last_id,
            b"ENTRIESREAD",
            read,
        ],
    )?;
    for (consumer, of_consumer) in group.consumers().iter() {
        if of_consumer.pending().is_empty() {
            write_command(output, &[b"XGROUP", b"CREATECONSUMER", key, name, consumer])?;
        }
        for (id, ()) in of_consumer.pending().iter() {
            if let Some(pending) = group.pending().get(id) {
                write_pending(output, [key, name], *id, pending)?;
            }
        }
    }
    Ok(())
}

fn write_pending(
    output: &mut impl Write,
    [key, group]: [&[u8]; 2],
    id: StreamId,
    pending: &Pending,
) -> io::Result<()> {
    let (mut id_buffer, mut time, mut count) =
        (IdBuffer::new(), itoa::Buffer::new(), itoa::Buffer::new());
    let id = id.text(&mut id_buffer);
    let time = time.format(pending.delivered_at_ms).as_bytes();
    let count = count.format(signed(pending.deliveries)).as_bytes();
    let what: [&[u8]; 6] = [b"XCLAIM", key, group, &pending.consumer, b"0", id];
    let how: [&[u8]; 6] = [b"TIME", time, b"RETRYCOUNT", count, b"JUSTID", b"FORCE"];
    write_count(output, what.len() + how.len())?;
    let mut words = what.into_iter().chain(how);
    words.try_for_each(|word| write_argument(output, word))
}

/// A count of a stream as commands take it. Redis writes those from 2^63 on as negative numbers, which XSETID refuses:
/// a replay loses the last ID with them. Here such a count becomes the largest that is taken.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::{Item, Reader};
    use crate::types::stream::{BlockLimits, History, Name};

    const LIMITS: BlockLimits = BlockLimits {
        bytes: 4096,
        entries: 100,
    };

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
        let mut output = Vec::new();
        write(&mut output).expect("a Vec takes everything");
        output
    }

    /// The commands that create the key `k`, each as a line.
    fn lines(value: ValueRef<'_, '_>) -> Vec<String> {
        let bytes = written(|output| write_key(output, b"k", None, value));
        let mut reader = Reader::new(&bytes[..], 0);
        let mut lines = Vec::new();
        while let Some(item) = reader.next_item().expect("whole commands") {
            let Item::Command(words) = item else {
                panic!("{item:?} is no command")
            };
            lines.push(String::from_utf8(words.join(&b' ')).expect("text"));
        }
        lines
    }

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    #[test]
    fn commands_go_as_over_the_wire() {
        let bytes = written(|output| {
            write_library(output, b"#!lua name=l\n")?;
            write_select(output, 15)?;
            write_key(output, b"", Some(-1), ValueRef::String(b"a\r\n\0"))?;
            write_key(
                output,
                b"gone",
                Some(1),
                ValueRef::Hash(0, &mut [].into_iter()),
            )
        });
        let expected = [
            &b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$13\r\n#!lua name=l\n\r\n"[..],
            b"*2\r\n$6\r\nSELECT\r\n$2\r\n15\r\n",
            b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\n\0\r\n",
            b"*3\r\n$9\r\nPEXPIREAT\r\n$0\r\n\r\n$2\r\n-1\r\n",
        ];
        assert_eq!(
            bytes.escape_ascii().to_string(),
            expected.concat().escape_ascii().to_string()
        );
    }

    #[test]
    fn a_command_takes_64_items() {
        let numbers: Vec<String> = (0..130).map(|number| number.to_string()).collect();
        for len in [1, 63, 64, 65, 128, 130] {
            let mut elements = numbers[..len].iter().map(String::as_bytes);
            let parts = numbers[..len].chunks(64).map(|part| part.join(" "));
            let expected: Vec<String> = parts.map(|part| format!("RPUSH k {part}")).collect();
            assert_eq!(lines(ValueRef::List(len, &mut elements)), expected);
        }
        let pairs: Vec<(&[u8], &[u8])> = vec![(b"field", b"value"); 65];
        let expected = [
            format!("HMSET k{}", " field value".repeat(64)),
            "HMSET k field value".to_string(),
        ];
        assert_eq!(lines(ValueRef::Hash(65, &mut pairs.into_iter())), expected);
    }

    /// Scores are printed as `fpconv_dtoa` of Redis 7.2 does; 7.0 has `%.17g`.
    #[test]
    fn each_type_has_its_command() {
        let mut members = [&b"b"[..], b"a"].into_iter();
        assert_eq!(lines(ValueRef::Set(2, &mut members)), ["SADD k b a"]);
        let mut integers = [i64::MIN, 0, 7].into_iter();
        let expected = ["SADD k -9223372036854775808 0 7"];
        assert_eq!(lines(ValueRef::IntegerSet(3, &mut integers)), expected);
        let members: [(&[u8], f64); 7] = [
            (b"a", f64::NEG_INFINITY),
            (b"b", -0.0),
            (b"c", 0.1),
            (b"d", 3.0),
            (b"e", 1e8),
            (b"f", 1.5e-300),
            (b"g", f64::INFINITY),
        ];
        let expected = ["ZADD k -inf a -0 b 0.1 c 3 d 1e+8 e 1.5e-300 f inf g"];
        let set = ValueRef::SortedSet(7, &mut members.into_iter());
        assert_eq!(lines(set), expected);
    }

    #[test]
    fn a_stream_is_entries_and_history_and_groups() {
        let mut stream = Stream::default();
        stream.entries.append(id(1, 0), &[b"f", b"v"], LIMITS);
        stream
            .entries
            .append(id(1, 1), &[b"f", b"-7", b"g", b"w"], LIMITS);
        stream.entries.append(id(2, 0), &[b"f", b"v"], LIMITS);
        stream.entries.append(id(3, 5), &[b"f", b"v"], LIMITS);
        stream.entries.delete(id(2, 0));
        let mut group = ConsumerGroup::new(id(1, 1), Some(2));
        for (id, name, delivered_at_ms, deliveries) in [
            (id(1, 0), &b"bob"[..], 1_700_000_000_000, 1),
            (id(1, 1), b"ann", 5, 3),
            (id(2, 0), b"bob", -1, u64::MAX),
        ] {
            group.create_consumer(name, 0);
            let pending = Pending {
                consumer: Name::from(name),
                delivered_at_ms,
                deliveries,
            };
            group.assign(id, pending);
        }
        group.create_consumer(b"idle", 0);
        stream.groups.insert(Name::from(&b"h"[..]), group);
        let unread = ConsumerGroup::new(StreamId::MIN, None);
        stream.groups.insert(Name::from(&b"g"[..]), unread);
        assert_eq!(
            lines(ValueRef::Stream(&stream)),
            [
                "XADD k 1-0 f v",
                "XADD k 1-1 f -7 g w",
                "XADD k 3-5 f v",
                "XSETID k 3-5 ENTRIESADDED 4 MAXDELETEDID 2-0",
                "XGROUP CREATE k g 0-0 ENTRIESREAD -1",
                "XGROUP CREATE k h 1-1 ENTRIESREAD 2",
                "XCLAIM k h ann 0 1-1 TIME 5 RETRYCOUNT 3 JUSTID FORCE",
                "XCLAIM k h bob 0 1-0 TIME 1700000000000 RETRYCOUNT 1 JUSTID FORCE",
                "XCLAIM k h bob 0 2-0 TIME -1 RETRYCOUNT 9223372036854775807 JUSTID FORCE",
                "XGROUP CREATECONSUMER k h idle",
            ]
        );
    }

    #[test]
    fn a_stream_without_entries_is_created_too() {
        let mut stream = Stream::default();
        let trimmed = "XADD k MAXLEN 0 0-1 x y";
        let expected = [trimmed, "XSETID k 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0"];
        assert_eq!(lines(ValueRef::Stream(&stream)), expected);
        stream.entries.set_history(History {
            last_id: StreamId::MAX,
            max_deleted_id: id(7, 1),
            entries_added: u64::MAX,
            ..History::default()
        });
        let expected = [
            trimmed,
            "XSETID k 18446744073709551615-18446744073709551615 ENTRIESADDED 9223372036854775807 MAXDELETEDID 7-1",
        ];
        assert_eq!(lines(ValueRef::Stream(&stream)), expected);
    }

    #[test]
    fn a_value_that_yields_another_number_of_items_is_refused() {
        for len in [1, 3] {
            let mut items = [&b"a"[..], b"b"].into_iter();
            let result = write_key(&mut Vec::new(), b"k", None, ValueRef::Set(len, &mut items));
            let expected = format!("a value of {len} items yields another number of them");
            assert_eq!(result.expect_err("they are 2").to_string(), expected);
        }
    }
}
