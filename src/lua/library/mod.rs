//! The libraries of scripts that Redis has in C: `bit`, `struct`, `cmsgpack` and `cjson`. Each of them opens as an
//! ordinary table; results and error texts are those of Redis 7.2.

mod bit;
mod cjson;
mod cmsgpack;
mod structs;

mod shape;

#[cfg(test)]
mod check;

use mlua::{Lua, Table};

/// Opens all of them, each in a table of its own in `tables`.
pub(super) fn open_all(lua: &Lua, tables: &Table) -> mlua::Result<()> {
    tables.raw_set("bit", bit::open(lua)?)?;
    tables.raw_set("cjson", cjson::open(lua)?)?;
    tables.raw_set("cmsgpack", cmsgpack::open(lua)?)?;
    tables.raw_set("struct", structs::open(lua)?)
}
