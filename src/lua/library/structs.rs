//! The library `struct`: numbers and strings as the bytes of a structure of C, after a format.
//!
//! | in a format | is |
//! |---|---|
//! | `>` `<` | big or little endian from here on; at first it is little endian |
//! | `!` and a number | align to as many bytes at most; at first 1; without a number 8 |
//! | `x` | a byte of padding |
//! | `b` `h` `l` `i` and a number, `T` | integers of 1, 2, 8, 4 or as many bytes, and 8; in capitals unsigned |
//! | `c` and a number | as many bytes; with 0 the whole string, or as many as the number before says |
//! | `s` | a string and a zero byte |
//! | `f` `d` | a float, a double |

#[cfg(test)]
mod tests;

use crate::lua::native::{self, Arguments, argument_error, error, truncated};
use crate::util::quoting::c_string;
use mlua::{Lua, MultiValue, Table, Value};

/// The largest size of an integer; only 8 bytes of it hold the number.
const MAX_INTEGER: usize = 32;
/// The most results of a function: what C functions of Lua may have on their stack.
const MAX_RESULTS: usize = 7_990;

/// The table `struct`.
pub(in crate::lua) fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let pack = native::function(lua, |lua, mut values: MultiValue| {
        if !values.is_empty() {
            // Redis marks the end of the arguments so: the first that is missing is told as nil.
            values.push_back(Value::Nil);
        }
        let packed = pack(&Arguments::new(lua, &values))?;
        lua.create_string(packed)
    })?;
    library.set("pack", pack)?;
    library.set("unpack", native::reading(lua, unpack)?)?;
    library.set("size", native::reading(lua, size)?)?;
    Ok(library)
}

/// A format that is being read, and what it has said about order and alignment.
struct Format<'a> {
    rest: &'a [u8],
    is_big_endian: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    /// The format ends at a zero byte.
    fn new(text: &'a [u8]) -> Format<'a> {
        Format {
            rest: c_string(text),
            is_big_endian: false,
            alignment: 1,
        }
    }

    /// The next option and the size of its element.
    fn next(&mut self) -> mlua::Result<Option<(u8, usize)>> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => match self.number(4)? {
                size if size > MAX_INTEGER => {
                    let text = format!("integral size {size} is larger than limit of 32");
                    return Err(error(text));
                }
                size => size,
            },
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// A number in the format, or `default` if none stands here.
    fn number(&mut self, default: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(digits.count());
        self.rest = rest;
        if digits.is_empty() {
            return Ok(default);
        }
        let mut sum: i32 = 0;
        for digit in digits {
            let digit = i32::from(digit - b'0');
            let next = sum.checked_mul(10).and_then(|sum| sum.checked_add(digit));
            sum = next.ok_or_else(|| error("integral size overflow"))?;
        }
        Ok(sum as usize)
    }

    /// How many bytes of padding an element needs at this position.
    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.alignment);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// Takes an option that is no element.
    fn control(&mut self, option: u8) -> mlua::Result<()> {
        match option {
            b' ' => {}
            b'>' => self.is_big_endian = true,
            b'<' => self.is_big_endian = false,
            b'!' => {
                let alignment = self.number(8)?;
                if !alignment.is_power_of_two() {
                    let text = format!("alignment {alignment} is not a power of 2");
                    return Err(error(text));
                }
                self.alignment = alignment;
            }
            option => {
                let option = option as char;
                let text = format!("invalid format option '{option}'");
                return Err(argument_error(1, text));
            }
        }
        Ok(())
    }
}

fn pack(args: &Arguments) -> mlua::Result<Vec<u8>> {
    let format = args.bytes(1)?;
    let mut format = Format::new(&format);
    let mut packed = Vec::new();
    let mut index = 2;
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(packed.len(), option, size);
        packed.resize(packed.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(args.number(index)?, size, format.is_big_endian, &mut packed);
                index += 1;
            }
            b'x' => packed.push(0),
            b'f' => {
                let bits = (args.number(index)? as f32).to_bits();
                put(bits.to_le_bytes(), format.is_big_endian, &mut packed);
                index += 1;
            }
            b'd' => {
                let bits = args.number(index)?.to_bits();
                put(bits.to_le_bytes(), format.is_big_endian, &mut packed);
                index += 1;
            }
            b'c' | b's' => {
                let string = args.bytes(index)?;
                index += 1;
                let size = if size == 0 { string.len() } else { size };
                // The error names the argument behind the string, as Redis does.
                let part = string.get(..size);
                packed.extend_from_slice(
                    part.ok_or_else(|| argument_error(index, "string too short"))?,
                );
                if option == b's' {
                    packed.push(0);
                }
            }
            option => format.control(option)?,
        }
    }
    Ok(packed)
}

/// Appends bytes that come with the lowest first.
fn put<const N: usize>(mut bytes: [u8; N], is_big_endian: bool, packed: &mut Vec<u8>) {
    if is_big_endian {
        bytes.reverse();
    }
    packed.extend_from_slice(&bytes);
}

fn put_integer(number: f64, size: usize, is_big_endian: bool, packed: &mut Vec<u8>) {
    let bits = match number < 0.0 {
        true => truncated(number) as u64,
        false => to_unsigned(number),
    };
    let mut bytes = [0; MAX_INTEGER];
    bytes[..8].copy_from_slice(&bits.to_le_bytes());
    let bytes = &mut bytes[..size];
    if is_big_endian {
        bytes.reverse();
    }
    packed.extend_from_slice(bytes);
}

/// A double as an unsigned integer, as compilers for x86-64 convert it: above 2^63 by way of the difference, so that
/// what does not fit becomes zero.
fn to_unsigned(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number >= HALF {
        truncated(number - HALF) as u64 ^ (1 << 63)
    } else {
        truncated(number) as u64
    }
}

fn unpack(args: &Arguments) -> mlua::Result<MultiValue> {
    let format = args.bytes(1)?;
    let data = args.bytes(2)?;
    let position = args.integer_or(3, 1)? as u64 as usize;
    if position == 0 {
        return Err(argument_error(3, "offset must be 1 or greater"));
    }
    let mut format = Format::new(&format);
    let mut position = position - 1;
    let mut results = Vec::new();
    let too_short = || argument_error(2, "data string too short");
    while let Some((option, mut size)) = format.next()? {
        position = position.wrapping_add(format.padding(position, option, size));
        let rest = data.get(position..).ok_or_else(too_short)?;
        let element = rest.get(..size).ok_or_else(too_short)?;
        if results.len() >= MAX_RESULTS {
            return Err(error("stack overflow (too many results)"));
        }
        match option {
            b'b' | b'h' | b'l' | b'i' => {
                let bits = get_integer(element, format.is_big_endian);
                results.push(number(sign_extended(bits, size) as f64));
            }
            b'B' | b'H' | b'L' | b'T' | b'I' => {
                let bits = get_integer(element, format.is_big_endian);
                results.push(number(bits as f64));
            }
            b'x' => {}
            b'f' => {
                let bits = get_integer(element, format.is_big_endian) as u32;
                results.push(number(f64::from(f32::from_bits(bits))));
            }
            b'd' => {
                let bits = get_integer(element, format.is_big_endian);
                results.push(number(f64::from_bits(bits)));
            }
            b'c' => {
                if size == 0 {
                    size = previous_size(args.lua, results.pop())?;
                }
                let element = rest.get(..size).ok_or_else(too_short)?;
                results.push(Value::String(args.lua.create_string(element)?));
            }
            b's' => {
                let end = rest.iter().position(|byte| *byte == 0);
                let end = end.ok_or_else(|| error("unfinished string in data"))?;
                results.push(Value::String(args.lua.create_string(&rest[..end])?));
                size = end + 1;
            }
            option => format.control(option)?,
        }
        position += size;
    }
    results.push(number(position.wrapping_add(1) as i64 as f64));
    Ok(MultiValue::from_vec(results))
}

fn number(number: f64) -> Value {
    Value::Number(number)
}

/// The size that the result before `c0` says.
fn previous_size(lua: &Lua, result: Option<Value>) -> mlua::Result<usize> {
    let number = match result {
        Some(value @ (Value::Number(_) | Value::String(_))) => lua.coerce_number(value)?,
        _ => None,
    };
    let number = number.ok_or_else(|| error("format 'c0' needs a previous size"))?;
    Ok(to_unsigned(number) as usize)
}

/// The lowest 8 bytes of an integer.
fn get_integer(bytes: &[u8], is_big_endian: bool) -> u64 {
    let append = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if is_big_endian {
        bytes.iter().fold(0, append)
    } else {
        bytes.iter().rev().fold(0, append)
    }
}

/// An integer of `size` bytes with its sign. For sizes of 0 and above 8 the shift wraps, as the processor's does.
fn sign_extended(bits: u64, size: usize) -> i64 {
    let mask = u64::MAX.wrapping_shl((size as u32).wrapping_mul(8).wrapping_sub(1));
    let is_negative = bits & mask != 0;
    (if is_negative { bits | mask } else { bits }) as i64
}

fn size(args: &Arguments) -> mlua::Result<i64> {
    let format = args.bytes(1)?;
    let mut format = Format::new(&format);
    let mut position: usize = 0;
    while let Some((option, size)) = format.next()? {
        position += format.padding(position, option, size);
        match (option, size) {
            (b's', _) => return Err(argument_error(1, "option 's' has no fixed size")),
            (b'c', 0) => return Err(argument_error(1, "option 'c0' has no fixed size")),
            _ => {}
        }
        // An unknown letter is no error here, as in Redis.
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        position += size;
    }
    Ok(position as i64)
}
