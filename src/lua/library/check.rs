//! Runs a table of tests: expressions of Lua and what Redis 7.2.4 answers.

use crate::lua::interpreter::sandboxed;
use mlua::Value;

/// Whether each expression gives its text in an interpreter of its own. The results of an expression are joined by
/// commas; of an error its text counts. The values were printed by the real server, with
/// `EVAL "return join(pcall(function() return EXPRESSION end))" 0`.
pub(in crate::lua) fn check(rows: &[(&str, &str)]) {
    for (expression, expected) in rows {
        let answer = answer(expression);
        assert_eq!(answer.escape_ascii().to_string(), *expected, "{expression}");
    }
}

/// What an expression gives.
pub(in crate::lua) fn answer(expression: &str) -> Vec<u8> {
    let lua = sandboxed();
    let script = JOIN.replace("EXPRESSION", expression);
    let chunk = lua.load(script).set_name("@user_script");
    let answer: Value = chunk.eval().expect("the script runs");
    match answer {
        Value::String(text) => text.as_bytes().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Prints what an expression gives. It stands in the first line, as positions in errors tell.
const JOIN: &str = r##"local function run() return EXPRESSION end
local text
text = function(value)
    if type(value) == "number" then return string.format("%.17g", value) end
    if type(value) == "userdata" then return "userdata" end
    if type(value) ~= "table" then return tostring(value) end
    local keys = {}
    for key, item in next, value do keys[#keys + 1] = text(key) .. "=" .. text(item) end
    table.sort(keys)
    return "{" .. table.concat(keys, " ") .. "}"
end
local function join(ok, ...)
    local texts = {}
    for index = 1, select("#", ...) do texts[index] = text((select(index, ...))) end
    return table.concat(texts, ",")
end
return join(pcall(run))
"##;
