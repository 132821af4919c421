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
use super::format::{VERSION_NEWEST, VERSION_WRITTEN};
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
}

/// The payload of a value.
///
/// # Errors
/// The value does not yield as many items as it says.
pub fn encode(value: ValueRef<'_, '_>, encoder: &mut Encoder) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    encoder.value_with_type(&mut payload, value)?;
    payload.extend_from_slice(&(VERSION_WRITTEN as u16).to_le_bytes());
    let checksum = crc64(0, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    Ok(payload)
}

/// The value of a payload. As in Redis, bytes after the value are ignored. A value that is cut short is refused; Redis
/// would read on into version and checksum.
///
/// # Errors
/// See [`PayloadError`].
pub fn decode(payload: &[u8]) -> Result<Value, PayloadError> {
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
    let mut source = Source::new(body, WINDOW_SIZE.min(body.len().max(1)));
    let type_code = source.byte("a type").map_err(PayloadError::Value)?;
    value::read(&mut source, type_code).map_err(PayloadError::Value)
}
