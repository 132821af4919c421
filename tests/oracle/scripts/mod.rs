//! Lua scripts and functions, compared with a real redis-server in both versions of the protocol.
//!
//! | file | what it holds |
//! |---|---|
//! | `calls.rs` | every command, called by a script: replies, keyspace events, data; and what other clients notice |
//! | `conversions.rs` | what a script returns, and what it gets from `redis.call` |
//! | `errors.rs` | wrong requests, scripts that do not compile, that fail, or that may not do what they try |
//! | `libraries.rs` | values packed by every library; `struct`, `bit`, and the functions of `redis` |
//! | `serialization.rs` | what `cjson` and `cmsgpack` read, their settings and limits |
//! | `language.rs` | `string`, `table`, `math` and coroutines, as Lua 5.1 and Redis have them |
//! | `sandbox.rs` | which globals there are, and that they stay as they are |
//! | `functions.rs` | libraries of functions: loaded, listed, called, dumped and restored |
//! | `newer.rs` | what 7.2 answers where the oracle, 7.0, answers something else |
//! | `random.rs` | random programs |

mod calls;
mod conversions;
mod errors;
mod functions;
mod language;
mod libraries;
mod newer;
mod random;
mod sandbox;
mod serialization;

use crate::common::oracle::{Oracle, words};

/// What every program gets: two keys and two arguments.
const KEYS_AND_ARGUMENTS: [&str; 5] = ["2", "k1", "k2", "a1", "2"];

/// Lua that tells a value whole: the types, and the elements of tables in an order that does not depend on chance.
const SHOW: &str = "local function show(v) if type(v) ~= 'table' then return type(v) .. ':' .. tostring(v) end \
    local parts = {} for k, e in pairs(v) do parts[#parts + 1] = show(k) .. '=' .. show(e) end \
    table.sort(parts) return '{' .. table.concat(parts, ',') .. '}' end ";

/// The lines of a table. A line goes on in the next if it ends with `\`; `#` begins a comment.
fn rows(table: &str) -> impl Iterator<Item = String> {
    let table = table.replace("\\\n", "");
    let rows = table.lines().map(|row| row.trim().to_string());
    let rows: Vec<String> = rows
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
        .collect();
    rows.into_iter()
}

/// Every context with every value in the place of its `@`.
fn combined(contexts: &str, values: &str) -> Vec<String> {
    let values: Vec<String> = rows(values).collect();
    let with_each = |context: String| {
        values
            .iter()
            .map(move |value| context.replace('@', value))
            .collect::<Vec<_>>()
    };
    rows(contexts).flat_map(with_each).collect()
}

/// Runs programs in both versions of the protocol, all of a version on the data that the requests of `before` leave.
fn evaluate<P: AsRef<str>>(before: &str, programs: impl IntoIterator<Item = P>) {
    let programs: Vec<P> = programs.into_iter().collect();
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        oracle.clear();
        rows(before).for_each(|line| oracle.type_line(&line));
        for program in &programs {
            let request = [&["EVAL", program.as_ref()], &KEYS_AND_ARGUMENTS[..]].concat();
            if let Some(difference) = oracle.ask(&words(&request)) {
                oracle.report(&difference);
            }
        }
        oracle.compare_data("after all programs\n");
    }
    oracle.finish();
}
