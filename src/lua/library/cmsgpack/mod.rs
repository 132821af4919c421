//! The library `cmsgpack`: values of Lua as [MessagePack](https://msgpack.org), and back.

mod pack;
mod unpack;

#[cfg(test)]
mod tests;

use crate::lua::native::{self, argument_error};
use mlua::{Lua, MultiValue, Table};

/// The table `cmsgpack`.
pub(in crate::lua) fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let pack = native::function(lua, |lua, values: MultiValue| {
        if values.is_empty() {
            return Err(argument_error(0, "MessagePack pack needs input."));
        }
        let mut packed = Vec::new();
        for value in values {
            pack::value(value, 0, &mut packed)?;
        }
        lua.create_string(packed)
    })?;
    library.raw_set("pack", pack)?;
    let unpack = native::reading(lua, |args| unpack::all(args.lua, &args.bytes(1)?))?;
    library.raw_set("unpack", unpack)?;
    let unpack_one = native::reading(lua, |args| {
        let offset = args.integer_or(2, 0)?;
        unpack::some(args.lua, &args.bytes(1)?, 1, offset)
    })?;
    library.raw_set("unpack_one", unpack_one)?;
    let unpack_limit = native::reading(lua, |args| {
        let limit = args.integer(2)?;
        let offset = args.integer_or(3, 0)?;
        unpack::some(args.lua, &args.bytes(1)?, limit, offset)
    })?;
    library.raw_set("unpack_limit", unpack_limit)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}
