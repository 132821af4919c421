//! The library `bit`: operations on 32 bits, as Lua BitOp defines them. Numbers come in modulo 2^32, rounded to the
//! nearest integer, and go out signed.

#[cfg(test)]
mod tests;

use crate::lua::native::{self, Arguments};
use mlua::{Lua, Table};

/// The table `bit`.
pub(in crate::lua) fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    set_unary(lua, &library, "tobit", |bits| bits)?;
    set_unary(lua, &library, "bnot", |bits| !bits)?;
    set_unary(lua, &library, "bswap", u32::swap_bytes)?;
    set_fold(lua, &library, "band", |a, b| a & b)?;
    set_fold(lua, &library, "bor", |a, b| a | b)?;
    set_fold(lua, &library, "bxor", |a, b| a ^ b)?;
    set_shift(lua, &library, "lshift", |bits, by| bits << by)?;
    set_shift(lua, &library, "rshift", |bits, by| bits >> by)?;
    set_shift(lua, &library, "arshift", |bits, by| {
        (bits as i32 >> by) as u32
    })?;
    set_shift(lua, &library, "rol", u32::rotate_left)?;
    set_shift(lua, &library, "ror", u32::rotate_right)?;
    let tohex = native::reading(lua, |args| {
        let bits = bits(args, 1)?;
        let digits = match args.get(2) {
            None => 8,
            Some(_) => self::bits(args, 2)? as i32,
        };
        Ok(hexadecimal(bits, digits))
    })?;
    library.set("tohex", tohex)?;
    Ok(library)
}

fn set_unary(
    lua: &Lua,
    library: &Table,
    name: &str,
    operation: fn(u32) -> u32,
) -> mlua::Result<()> {
    let function = native::reading(lua, move |args| Ok(operation(bits(args, 1)?) as i32))?;
    library.set(name, function)
}

fn set_fold(
    lua: &Lua,
    library: &Table,
    name: &str,
    operation: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    let function = native::reading(lua, move |args| {
        let mut sum = bits(args, 1)?;
        // From the last to the second: of several bad arguments, the error names the last.
        for index in (2..=args.values.len()).rev() {
            sum = operation(sum, bits(args, index)?);
        }
        Ok(sum as i32)
    })?;
    library.set(name, function)
}

fn set_shift(
    lua: &Lua,
    library: &Table,
    name: &str,
    operation: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    let function = native::reading(lua, move |args| {
        let sum = bits(args, 1)?;
        Ok(operation(sum, bits(args, 2)? & 31) as i32)
    })?;
    library.set(name, function)
}

/// The lower 32 bits of a number.
fn bits(args: &Arguments, index: usize) -> mlua::Result<u32> {
    // Added to a number below 2^51, this leaves the integer in the lower bits of the double: 2^52 + 2^51.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    Ok((args.number(index)? + SHIFT).to_bits() as u32)
}

/// The lowest `digits` digits of a number, at most 8; in capitals if `digits` is negative.
fn hexadecimal(bits: u32, digits: i32) -> String {
    let count = digits.unsigned_abs().min(8) as usize;
    let text = match digits < 0 {
        true => format!("{bits:08X}"),
        false => format!("{bits:08x}"),
    };
    text[8 - count..].to_string()
}
