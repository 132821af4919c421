//! Where in a script an error happened, although functions of the sandbox lie on the stack.

use super::failure::Failure;
use mlua::{Lua, LuaString};

/// The name of the sandbox's chunk.
pub(super) const SANDBOX_CHUNK: &str = "=sandbox";

/// What a level of the stack belongs to.
enum Frame {
    /// A function in C or Rust.
    C,
    Sandbox,
    /// A function that is gone, because it has called another one in its place.
    TailCall,
    Script,
}

fn frame(lua: &Lua, level: usize) -> Option<Frame> {
    lua.inspect_stack(level, |frame| {
        let source = frame.source();
        match (source.what, source.source.as_deref()) {
            (_, Some(SANDBOX_CHUNK)) => Frame::Sandbox,
            ("C", _) => Frame::C,
            ("tail", _) => Frame::TailCall,
            _ => Frame::Script,
        }
    })
}

/// The first level from this one on that does not belong to the sandbox.
fn behind_sandbox(lua: &Lua, mut level: usize) -> usize {
    if let Some(Frame::Sandbox) = frame(lua, level) {
        while let Some(Frame::Sandbox | Frame::TailCall) = frame(lua, level) {
            level += 1;
        }
    }
    level
}

/// The chunk and the line of the error that the handler in the sandbox looks at. Redis takes the function that has
/// raised the error or, if that is written in C, its caller. A function of the sandbox counts as one in C.
pub(super) fn locate(lua: &Lua, (): ()) -> mlua::Result<(Option<String>, Option<i64>)> {
    // 0 is this function, 1 the handler.
    let mut level = 2;
    if let (Some(Frame::C), Some(_)) = (frame(lua, level), frame(lua, level + 1)) {
        level += 1;
    }
    let place = lua.inspect_stack(behind_sandbox(lua, level), |frame| {
        let source = frame.source().source.map(|source| source.into_owned());
        let line = frame.current_line().map_or(-1, |line| line as i64);
        (source, Some(line))
    });
    Ok(place.unwrap_or((None, None)))
}

/// Raises an error for a function of the sandbox called `name`, as a function in C would raise it: with the position of
/// the caller, and with the name instead of `'?'`, unless a function in C has called it.
pub(super) fn raise(lua: &Lua, (text, name): (LuaString, LuaString)) -> mlua::Result<()> {
    let text = text.to_string_lossy();
    let level = behind_sandbox(lua, 1);
    if !matches!(frame(lua, level), Some(Frame::Script)) {
        return Err(Failure::Raised(text.into_bytes()).into());
    }
    let position = lua.inspect_stack(level, |caller| {
        let line = caller.current_line()?;
        Some(format!("{}:{line}: ", caller.source().short_src?))
    });
    let position = position.flatten().unwrap_or_default();
    let text = text.replacen("'?'", &format!("'{}'", name.to_string_lossy()), 1);
    Err(Failure::Raised((position + &text).into_bytes()).into())
}
