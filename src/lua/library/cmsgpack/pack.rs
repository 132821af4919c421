//! Values of Lua as MessagePack: each in the shortest form that Redis' library knows.

use crate::lua::library::shape::{self, Shape};
use crate::lua::native::truncated;
use mlua::{BString, Table, Value};

/// Tables nested as deep as this become nil, so that a table which contains itself comes to an end.
const MAX_NESTING: usize = 16;

/// Appends a value that lies in `level` tables. What MessagePack has no type for becomes nil.
pub(super) fn value(value: Value, level: usize, packed: &mut Vec<u8>) -> mlua::Result<()> {
    match value {
        Value::String(text) => bytes(&text.as_bytes(), packed),
        Value::Boolean(value) => packed.push(if value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => integer(number, packed),
        Value::Number(number) => double(number, packed),
        Value::Table(value) if level < MAX_NESTING => return table(&value, level + 1, packed),
        _ => packed.push(0xc0),
    }
    Ok(())
}

/// Appends a string as a "raw": 5, 8, 16 or 32 bits of length.
fn bytes(text: &[u8], packed: &mut Vec<u8>) {
    match text.len() {
        length @ ..32 => packed.push(0xa0 | length as u8),
        length @ ..0x100 => packed.extend([0xd9, length as u8]),
        length => sized(0xda, length, packed),
    }
    packed.extend_from_slice(text);
}

/// Appends the type with 16 bits of length, or the one after it, with 32.
fn sized(kind_16: u8, length: usize, packed: &mut Vec<u8>) {
    match u16::try_from(length) {
        Ok(length) => {
            packed.push(kind_16);
            packed.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            packed.push(kind_16 + 1);
            packed.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

fn integer(number: i64, packed: &mut Vec<u8>) {
    match number {
        -32..=127 => packed.push(number as u8),
        128..=0xff => packed.extend([0xcc, number as u8]),
        0x100..=0xffff => tagged(0xcd, (number as u16).to_be_bytes(), packed),
        0x1_0000..=0xffff_ffff => tagged(0xce, (number as u32).to_be_bytes(), packed),
        0x1_0000_0000.. => tagged(0xcf, number.to_be_bytes(), packed),
        -0x80..-32 => packed.extend([0xd0, number as u8]),
        -0x8000..-0x80 => tagged(0xd1, (number as i16).to_be_bytes(), packed),
        -0x8000_0000..-0x8000 => tagged(0xd2, (number as i32).to_be_bytes(), packed),
        _ => tagged(0xd3, number.to_be_bytes(), packed),
    }
}

fn tagged<const N: usize>(kind: u8, bytes: [u8; N], packed: &mut Vec<u8>) {
    packed.push(kind);
    packed.extend_from_slice(&bytes);
}

/// Appends a number: as an integer if it is one, else as a float if that loses nothing, else as a double.
fn double(number: f64, packed: &mut Vec<u8>) {
    let whole = truncated(number);
    let float = number as f32;
    if whole as f64 == number {
        integer(whole, packed);
    } else if f64::from(float) == number {
        tagged(0xca, float.to_be_bytes(), packed);
    } else {
        tagged(0xcb, number.to_be_bytes(), packed);
    }
}

/// Appends a table: an array if its keys are 1 to N, else a map.
fn table(table: &Table, level: usize, packed: &mut Vec<u8>) -> mlua::Result<()> {
    match shape::of(table)? {
        Shape::Empty => packed.push(0x90),
        Shape::Indices {
            largest,
            count,
            fit: true,
        } if largest as usize == count => {
            // With no nil among the elements, no metamethod is asked for one.
            let length = table.raw_len();
            head(0x90, 0xdc, length, packed);
            for index in 1..=length {
                value(table.raw_get(index)?, level, packed)?;
            }
        }
        Shape::Names => map(packed, |packed, count| {
            table.for_each(|key: BString, item: Value| {
                *count += 1;
                bytes(&key, packed);
                value(item, level, packed)
            })
        })?,
        Shape::Indices { .. } | Shape::Mixed => map(packed, |packed, count| {
            table.for_each(|key: Value, item: Value| {
                *count += 1;
                value(key, level, packed)?;
                value(item, level, packed)
            })
        })?,
    }
    Ok(())
}

/// Appends a map. How many entries it has is known after they have been written, so their head is put before them.
fn map(
    packed: &mut Vec<u8>,
    entries: impl FnOnce(&mut Vec<u8>, &mut usize) -> mlua::Result<()>,
) -> mlua::Result<()> {
    let start = packed.len();
    packed.push(0x80);
    let mut count = 0;
    entries(packed, &mut count)?;
    match count {
        ..16 => packed[start] |= count as u8,
        _ => {
            let mut longer = Vec::with_capacity(5);
            sized(0xde, count, &mut longer);
            packed.splice(start..=start, longer);
        }
    }
    Ok(())
}

/// Appends the head of an array: its length is in 4, 16 or 32 bits.
fn head(short: u8, kind_16: u8, length: usize, packed: &mut Vec<u8>) {
    match length {
        ..16 => packed.push(short | length as u8),
        _ => sized(kind_16, length, packed),
    }
}
