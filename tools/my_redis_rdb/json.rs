//! `json`: a line for each key, as they come.
//!
//! ```text
//! {"db":0,"key":"user:1","type":"hash","expires_at_ms":4102444800000,"value":{"name":"ann"}}
//! ```
//! rdbtools' json is the model for the values; it prints one array of objects instead, without types and expiries, and
//! nothing for streams.
//!
//! A string of JSON is text, and one of Redis is bytes. Mostly these are UTF-8, and then decoding the line gives the
//! string. A line in which any is not says so, and has a character for each byte, in names and values alike:
//!
//! ```text
//! {"db":0,"encoding":"latin-1","key":"k","type":"string","value":"\u00ff"}
//! ```
//! So no mark within a string is needed, which the string could hold itself, and every decoder of JSON takes the line.

use std::io::{self, BufWriter, Write};

use my_redis_server::rdb::{Elements, Item, KeyRecord, Reader, Value};
use my_redis_server::types::stream::{ConsumerGroup, Element, Name, Stream, StreamId};
use my_redis_server::util::number;

use super::{Trouble, Verdict, input};

pub fn json(file: &str) -> Result<Verdict, Trouble> {
    let input = input::open(file)?;
    let mut output = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let mut database = 0;
    let damaged = |error| Trouble::Fault(format!("{}: {error}", input::shown_name(file)));
    let mut reader = Reader::new(input).map_err(damaged)?;
    loop {
        match reader.next() {
            Ok(Some(Item::SelectDb(number))) => database = number,
            Ok(Some(Item::Key(record))) => write_key(&mut output, database, &record)?,
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                // What came before the fault is good.
                output.flush()?;
                return Err(damaged(error));
            }
        }
    }
    output.flush()?;
    Ok(Verdict::Good)
}

/// A line that is being written.
struct Line<'a, W> {
    output: &'a mut W,
    /// Whether its strings are UTF-8; else each character is a byte.
    is_utf8: bool,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn write_key(output: &mut impl Write, database: u64, record: &KeyRecord) -> io::Result<()> {
    let is_utf8 = is_utf8(&record.key) && holds_only(&record.value, is_utf8);
    let output = &mut Line { output, is_utf8 };
    write!(output, "{{\"db\":{database}")?;
    if !is_utf8 {
        output.write_all(b",\"encoding\":\"latin-1\"")?;
    }
    output.write_all(b",\"key\":")?;
    string(output, &record.key)?;
    write!(output, ",\"type\":\"{}\"", type_of(&record.value))?;
    if let Some(deadline) = record.expires_at_ms {
        write!(output, ",\"expires_at_ms\":{deadline}")?;
    }
    if let Some(idle) = record.idle_seconds {
        write!(output, ",\"idle_seconds\":{idle}")?;
    }
    if let Some(freq) = record.freq {
        write!(output, ",\"freq\":{freq}")?;
    }
    output.write_all(b",\"value\":")?;
    value(output, &record.value)?;
    output.write_all(b"}\n")
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// Whether all strings of a value are so.
fn holds_only(value: &Value, is_so: impl Fn(&[u8]) -> bool) -> bool {
    match value {
        Value::String(text) => is_so(text),
        Value::List(elements, _) | Value::Set(elements) | Value::Hash(elements) => {
            elements.iter().all(is_so)
        }
        Value::SortedSet { members, .. } => members.iter().all(is_so),
        Value::Stream(stream) => {
            let mut entries = stream.entries.iter();
            let is_so_element = |element: Element<'_>| match element {
                Element::Integer(_) => true,
                Element::Text(text) => is_so(text),
            };
            let is_so_group = |(name, group): (&Name, &ConsumerGroup)| {
                is_so(name) && group.consumers().iter().all(|(name, _)| is_so(name))
            };
            entries.all(|entry| {
                let mut fields = entry.fields();
                fields.all(|(field, value)| is_so_element(field) && is_so_element(value))
            }) && stream.groups.iter().all(is_so_group)
        }
        Value::Module { .. } => true,
    }
}

/// The name that TYPE gives.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::List(..) => "list",
        Value::Set(_) => "set",
        Value::SortedSet { .. } => "zset",
        Value::Hash(_) => "hash",
        Value::Stream(_) => "stream",
        Value::Module { .. } => "module",
    }
}

fn value(output: &mut Line<impl Write>, value: &Value) -> io::Result<()> {
    match value {
        Value::String(text) => string(output, text),
        Value::List(elements, _) | Value::Set(elements) => strings(output, elements),
        Value::Hash(pairs) => list(output, b"{}", pairs.pairs(), |output, (field, value)| {
            string(output, field)?;
            output.write_all(b":")?;
            string(output, value)
        }),
        Value::SortedSet { members, scores } => list(
            output,
            b"{}",
            members.iter().zip(scores),
            |output, (member, score)| {
                string(output, member)?;
                output.write_all(b":")?;
                output.write_all(score_text(*score).as_bytes())
            },
        ),
        Value::Stream(value) => stream(output, value),
        Value::Module { name } => {
            output.write_all(b"{\"module\":")?;
            string(output, name.as_bytes())?;
            output.write_all(b"}")
        }
    }
}

fn strings(output: &mut Line<impl Write>, elements: &Elements) -> io::Result<()> {
    list(output, b"[]", elements.iter(), |output, element| {
        string(output, element)
    })
}

/// Items with commas between, in the two brackets.
fn list<T, W: Write>(
    output: &mut Line<W>,
    brackets: &[u8; 2],
    items: impl Iterator<Item = T>,
    write_item: impl Fn(&mut Line<W>, T) -> io::Result<()>,
) -> io::Result<()> {
    output.write_all(&brackets[..1])?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            output.write_all(b",")?;
        }
        write_item(output, item)?;
    }
    output.write_all(&brackets[1..])
}

fn stream(output: &mut Line<impl Write>, stream: &Stream) -> io::Result<()> {
    output.write_all(b"{\"entries\":")?;
    list(output, b"[]", stream.entries.iter(), |output, entry| {
        write!(output, "{{\"id\":{},\"fields\":", id(entry.id))?;
        // Not an object: a field may be there twice, and their order is part of the entry.
        list(output, b"[]", entry.fields(), |output, (field, value)| {
            let mut digits = itoa::Buffer::new();
            output.write_all(b"[")?;
            string(output, field.text(&mut digits))?;
            output.write_all(b",")?;
            string(output, value.text(&mut digits))?;
            output.write_all(b"]")
        })?;
        output.write_all(b"}")
    })?;
    let history = stream.entries.history();
    write!(
        output,
        ",\"last_id\":{},\"first_id\":{},\"max_deleted_id\":{},\"entries_added\":{}",
        id(history.last_id),
        id(history.first_id),
        id(history.max_deleted_id),
        history.entries_added
    )?;
    output.write_all(b",\"groups\":")?;
    list(output, b"[]", stream.groups.iter(), group)?;
    output.write_all(b"}")
}

fn group<W: Write>(output: &mut Line<W>, (name, group): (&Name, &ConsumerGroup)) -> io::Result<()> {
    output.write_all(b"{\"name\":")?;
    string(output, name)?;
    let read = group
        .entries_read
        .map_or("null".to_string(), |count| count.to_string());
    write!(
        output,
        ",\"last_id\":{},\"entries_read\":{read},\"pending\":",
        id(group.last_id)
    )?;
    list(
        output,
        b"[]",
        group.pending().iter(),
        |output, (entry_id, entry)| {
            write!(output, "{{\"id\":{},\"consumer\":", id(*entry_id))?;
            string(output, &entry.consumer)?;
            write!(
                output,
                ",\"delivered_at_ms\":{},\"delivery_count\":{}}}",
                entry.delivered_at_ms, entry.deliveries
            )
        },
    )?;
    output.write_all(b",\"consumers\":")?;
    list(
        output,
        b"[]",
        group.consumers().iter(),
        |output, (name, consumer)| {
            output.write_all(b"{\"name\":")?;
            string(output, name)?;
            write!(
                output,
                ",\"seen_at_ms\":{},\"active_at_ms\":{}}}",
                consumer.seen_at_ms, consumer.active_at_ms
            )
        },
    )?;
    output.write_all(b"}")
}

fn id(id: StreamId) -> String {
    format!("\"{}-{}\"", id.ms, id.seq)
}

/// A score as a JSON number, or as a string if JSON has no such number.
fn score_text(score: f64) -> String {
    let mut text = Vec::new();
    number::format_f64(score, &mut text);
    let text = String::from_utf8_lossy(&text);
    if score.is_finite() {
        text.into_owned()
    } else {
        format!("\"{text}\"")
    }
}

/// A string of JSON.
fn string(output: &mut Line<impl Write>, bytes: &[u8]) -> io::Result<()> {
    let is_utf8 = output.is_utf8;
    let is_plain = |byte: &u8| match byte {
        b'"' | b'\\' | ..b' ' => false,
        byte => is_utf8 || byte.is_ascii(),
    };
    output.write_all(b"\"")?;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| !is_plain(byte)) {
        output.write_all(&rest[..at])?;
        match rest[at] {
            b'"' => output.write_all(b"\\\"")?,
            b'\\' => output.write_all(b"\\\\")?,
            b'\n' => output.write_all(b"\\n")?,
            b'\r' => output.write_all(b"\\r")?,
            b'\t' => output.write_all(b"\\t")?,
            byte => write!(output, "\\u{byte:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    output.write_all(rest)?;
    output.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_every_byte() {
        for (is_utf8, bytes, expected) in [
            (true, &b"plain"[..], r#""plain""#),
            (true, "größe\u{2028}😀".as_bytes(), "\"größe\u{2028}😀\""),
            (
                true,
                b"a\"b\nc\x00\x1f\x7f",
                "\"a\\\"b\\nc\\u0000\\u001f\x7f\"",
            ),
            (true, b"a\\xffb", r#""a\\xffb""#),
            (false, b"a\xffb\xc3", r#""a\u00ffb\u00c3""#),
            (false, "ö\\".as_bytes(), r#""\u00c3\u00b6\\""#),
        ] {
            let mut output = Vec::new();
            let line = &mut Line {
                output: &mut output,
                is_utf8,
            };
            string(line, bytes).expect("a Vec takes everything");
            assert_eq!(String::from_utf8_lossy(&output), expected);
        }
    }

    #[test]
    fn scores_are_numbers_where_json_has_them() {
        for (score, text) in [
            (1.5, "1.5"),
            (-0.0, "-0"),
            (1e25, "1e+25"),
            (f64::INFINITY, "\"inf\""),
            (f64::NEG_INFINITY, "\"-inf\""),
        ] {
            assert_eq!(score_text(score), text);
        }
    }
}
