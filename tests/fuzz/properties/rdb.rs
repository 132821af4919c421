//! What must be true of the reader of RDB files.

use super::memory::allocated_by;
use my_redis_server::rdb::format::{VERSION_FOR_ALL, VERSION_FOR_SERVERS, VERSION_NEWEST};
use my_redis_server::rdb::{
    Item, KeyRecord, ListNodes, RdbError, Reader, Value, ValueRef, Writer, WriterOptions,
};
use std::io::{self, Read};

/// The reader's buffer: small, so that its end is met often, and little is spent on it.
const WINDOW: usize = 64;
/// Memory that does not depend on the input: the buffer, the text of an error.
const FIXED_BYTES: u64 = 4096;
/// Bytes allocated for a byte of input that is not compressed, at most. The worst is a listpack of small integers in a
/// set: of two bytes each, they become a text and its end, 9 to 11 bytes, and 34 more in the table that finds
/// duplicates; vectors that grow double that at most, and what they had before counts as well.
const BYTES_PER_BYTE: u64 = 96;
/// What LZF makes of a byte, at most: three bytes give 264.
const BYTES_FROM_LZF: u64 = 88;

/// What reading an input gave.
#[derive(Debug, PartialEq)]
struct Outcome {
    items: Vec<Item>,
    /// How far it came, or the error as text.
    end: Result<u64, String>,
}

/// Checks everything for one input.
pub fn check(input: &[u8]) {
    let (outcome, allocated) = allocated_by(|| read(input, WINDOW, input.len() as u64));
    check_work(input, &outcome, allocated);
    assert_eq!(read(OneByOne(input), WINDOW, input.len() as u64), outcome);
    check_verify(input, &outcome);
    if outcome.end.is_ok() {
        check_written_again(&outcome, true, VERSION_FOR_ALL);
        check_written_again(&outcome, false, VERSION_FOR_ALL);
        // The version decides on the types of streams alone.
        if outcome.items.iter().filter_map(as_key).any(is_stream) {
            check_written_again(&outcome, true, VERSION_FOR_SERVERS);
            check_written_again(&outcome, true, VERSION_NEWEST);
        }
    }
}

fn read(input: impl Read, window: usize, input_len: u64) -> Outcome {
    let mut items = Vec::new();
    let end = read_into(&mut items, input, window).map_err(|error| {
        let offset = offset_of(&error);
        assert!(offset <= input_len, "{error} in {input_len} bytes");
        error.to_string()
    });
    Outcome { items, end }
}

fn read_into(items: &mut Vec<Item>, input: impl Read, window: usize) -> Result<u64, RdbError> {
    let mut reader = Reader::with_window(input, window)?;
    while let Some(item) = reader.next()? {
        items.push(item);
    }
    Ok(reader.offset())
}

fn offset_of(error: &RdbError) -> u64 {
    match *error {
        RdbError::Io { ref error, .. } => panic!("a slice does not fail: {error}"),
        RdbError::WrongSignature => 0,
        RdbError::UnsupportedVersion(_) => 5,
        RdbError::Truncated { offset, .. }
        | RdbError::ChecksumMismatch { offset, .. }
        | RdbError::BadPayload { offset, .. }
        | RdbError::UnknownType { offset, .. } => offset,
    }
}

/// Work and memory follow from the bytes that are there, not from what they promise.
fn check_work(input: &[u8], outcome: &Outcome, allocated: u64) {
    let input_len = input.len() as u64;
    // Without the byte that says so, nothing is compressed.
    let is_compressed = input.contains(&0xC3);
    let plain_len = input_len * if is_compressed { BYTES_FROM_LZF } else { 1 };
    // The list of items is ours.
    let ours = outcome.items.capacity() as u64 * 2 * size_of::<Item>() as u64;
    let most = FIXED_BYTES + ours + plain_len * BYTES_PER_BYTE;
    assert!(allocated <= most, "{allocated} bytes for {input_len}");
    assert!(outcome.items.len() as u64 <= input_len);
    let elements: u64 = outcome.items.iter().map(elements_of).sum();
    assert!(
        elements <= plain_len,
        "{elements} elements of {input_len} bytes"
    );
}

fn elements_of(item: &Item) -> u64 {
    let Item::Key(record) = item else { return 0 };
    let elements = match &record.value {
        Value::List(elements, _) | Value::Set(elements) | Value::Hash(elements) => elements.len(),
        Value::SortedSet { members, scores } => {
            assert_eq!(members.len(), scores.len());
            assert!(!scores.iter().any(|score| score.is_nan()));
            members.len()
        }
        // Fields may be shared, so only the entries are bounded by the bytes.
        Value::Stream(stream) => stream.entries.len() as usize,
        Value::String(_) | Value::Module { .. } => 0,
    };
    elements as u64
}

/// What is verified can be read, but for the listpacks of streams, into which verifying does not look; what can be read
/// is verified, but for the two things that only verifying wants.
fn check_verify(input: &[u8], outcome: &Outcome) {
    let verified = Reader::with_window(input, WINDOW).and_then(Reader::verify);
    let verified = verified.map_err(|error| error.to_string());
    match (&verified, &outcome.end) {
        (Ok(summary), Ok(end)) => {
            assert_eq!(summary.bytes, *end);
            assert_eq!((summary.keys, summary.expires), key_counts(&outcome.items));
        }
        (Ok(_), Err(error)) if error.contains("listpack integrity check failed") => {}
        (Ok(summary), Err(error)) => panic!("{summary:?} is verified, but reading says {error}"),
        (Err(error), Ok(_)) => {
            let demands = [
                "expected the end of the file",
                "expected an element, found none",
            ];
            assert!(
                demands.iter().any(|demand| error.ends_with(demand)),
                "{error}"
            );
        }
        (Err(_), Err(_)) => {}
    }
}

fn key_counts(items: &[Item]) -> (u64, u64) {
    let keys = || items.iter().filter_map(as_key);
    let expiring = keys().filter(|record| record.expires_at_ms.is_some());
    (keys().count() as u64, expiring.count() as u64)
}

fn as_key(item: &Item) -> Option<&KeyRecord> {
    match item {
        Item::Key(record) => Some(record),
        _ => None,
    }
}

fn is_stream(record: &KeyRecord) -> bool {
    matches!(record.value, Value::Stream(_))
}

/// The keys of types that we write, written and read again, are the same.
fn check_written_again(outcome: &Outcome, compression: bool, version: u32) {
    let (file, expected) = write(outcome, compression, version).expect("a Vec takes everything");
    let again = read(&file[..], WINDOW, file.len() as u64);
    assert_eq!(again.end, Ok(file.len() as u64));
    let found: Vec<&KeyRecord> = again.items.iter().filter_map(as_key).collect();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    check_verify(&file, &again);
}

/// Writes the keys of types that we write, and returns them as they must come back.
fn write(
    outcome: &Outcome,
    compression: bool,
    version: u32,
) -> io::Result<(Vec<u8>, Vec<KeyRecord>)> {
    let checksum = true;
    let mut writer = Writer::new(
        Vec::new(),
        WriterOptions {
            version,
            compression,
            checksum,
        },
    )?;
    let mut written = Vec::new();
    for record in outcome.items.iter().filter_map(as_key) {
        let is_written = match &record.value {
            Value::Module { .. } => false,
            Value::List(elements, _) | Value::Set(elements) | Value::Hash(elements) => {
                !elements.is_empty()
            }
            Value::SortedSet { members, .. } => !members.is_empty(),
            Value::String(_) | Value::Stream(_) => true,
        };
        if is_written {
            write_key(&mut writer, record)?;
            // These are not written.
            let mut record = KeyRecord {
                idle_seconds: None,
                freq: None,
                ..record.clone()
            };
            if let Value::List(_, nodes) = &mut record.value {
                *nodes = ListNodes::NotSaid;
            }
            written.push(record);
        }
    }
    Ok((writer.finish()?, written))
}

fn write_key(writer: &mut Writer<Vec<u8>>, record: &KeyRecord) -> io::Result<()> {
    let mut put = |value: ValueRef| writer.key(&record.key, record.expires_at_ms, value);
    match &record.value {
        Value::String(text) => put(ValueRef::String(text)),
        Value::List(elements, _) => put(ValueRef::List(elements.len(), &mut elements.iter())),
        Value::Set(members) => put(ValueRef::Set(members.len(), &mut members.iter())),
        Value::Hash(pairs) => put(ValueRef::Hash(pairs.len() / 2, &mut pairs.pairs())),
        Value::SortedSet { members, scores } => {
            let mut pairs = members.iter().zip(scores.iter().copied());
            put(ValueRef::SortedSet(members.len(), &mut pairs))
        }
        Value::Stream(stream) => put(ValueRef::Stream(stream)),
        Value::Module { .. } => Ok(()),
    }
}

/// An input that gives one byte at a time.
struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}
