//! The payload of one value, for moving it between servers: DUMP returns it and RESTORE takes it
//! (<https://redis.io/commands/dump/>).
//!
//! ```text
//! 00 C0 0A    09 00              CB 33 77 B0 3A 5C 11 F0
//! type, value RDB version, 16 LE CRC64 of all before, 64 LE
//! ```

use super::checksum::crc64;
use super::encoder::{Encoder, ValueRef};
use super::error::RdbError;
use super::format::{VERSION_FOR_SERVERS, VERSION_NEWEST, opcode};
use super::source::{Source, WINDOW_SIZE};
use super::value::{self, Value};
use std::io;

const VERSION_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 8;

/// The fault of a payload.
#[derive(Debug)]
pub enum PayloadError {
    /// It is damaged, or from a newer server.
    Footer,
    /// It is whole, but does not contain a value.
    Value(RdbError),
    /// It is whole, but has this byte where a function library should begin.
    NotAFunction(u8),
}

/// The payload of a value, for servers that read this version of files. A payload has no AUX fields, so a stream is
/// written for Redis 7.0 or later, whose type holds all but the times at which consumers were active.
///
/// # Errors
/// The value does not yield as many items as it says.
pub fn encode(value: ValueRef<'_, '_>, compression: bool, version: u32) -> io::Result<Vec<u8>> {
    let version = match value {
        ValueRef::Stream(_) => version.max(VERSION_FOR_SERVERS),
        _ => version,
    };
    let mut payload = Vec::new();
    Encoder::new(compression, version).value_with_type(&mut payload, value)?;
    Ok(with_footer(payload, version))
}

/// The payload of FUNCTION DUMP: each library's opcode and text.
pub fn encode_functions<'a>(texts: impl Iterator<Item = &'a [u8]>, compression: bool) -> Vec<u8> {
    let mut encoder = Encoder::new(compression, VERSION_FOR_SERVERS);
    let mut payload = Vec::new();
    for text in texts {
        payload.push(opcode::FUNCTION2);
        let written = encoder.string(&mut payload, text);
        written.expect("memory takes what is written");
    }
    with_footer(payload, VERSION_FOR_SERVERS)
}

/// The texts of libraries in a payload of FUNCTION DUMP.
///
/// # Errors
/// See [`PayloadError`].
pub fn decode_functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, PayloadError> {
    let body = without_footer(payload)?;
    let mut source = Source::new(body, WINDOW_SIZE.min(body.len().max(1)));
    let mut texts = Vec::new();
    while source.offset() < body.len() as u64 {
        let opcode = source
            .byte("a function library")
            .map_err(PayloadError::Value)?;
        if opcode != opcode::FUNCTION2 {
            return Err(PayloadError::NotAFunction(opcode));
        }
        let text = source.string("a function library");
        texts.push(text.map_err(PayloadError::Value)?);
    }
    Ok(texts)
}

fn with_footer(mut payload: Vec<u8>, version: u32) -> Vec<u8> {
    payload.extend_from_slice(&(version as u16).to_le_bytes());
    let checksum = crc64(0, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The value of a payload. As in Redis, bytes after the value are ignored. A value that is cut short is refused; Redis
/// would read on into version and checksum.
///
/// # Errors
/// See [`PayloadError`].
pub fn decode(payload: &[u8]) -> Result<Value, PayloadError> {
    let body = without_footer(payload)?;
    let mut source = Source::new(body, WINDOW_SIZE.min(body.len().max(1)));
    let type_code = source.byte("a type").map_err(PayloadError::Value)?;
    value::read(&mut source, type_code).map_err(PayloadError::Value)
}

fn without_footer(payload: &[u8]) -> Result<&[u8], PayloadError> {
    let (rest, checksum) = payload
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(PayloadError::Footer)?;
    let (body, version) = rest
        .split_last_chunk::<VERSION_BYTES>()
        .ok_or(PayloadError::Footer)?;
    let is_whole = u64::from_le_bytes(*checksum) == crc64(0, rest);
    if !is_whole || u32::from(u16::from_le_bytes(*version)) > VERSION_NEWEST {
        return Err(PayloadError::Footer);
    }
    Ok(body)
}
