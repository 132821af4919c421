//! The interpreter of scripts: Lua 5.1 with Redis' libraries and sandbox. It knows values and bytes, no commands, keys
//! or locks: what a script asks of the server goes through the trait [`Host`](host::Host).
//!
//! | file | what it is |
//! |---|---|
//! | [`host`] | what a script asks of the server |
//! | [`interpreter`] | one state of Lua, and how a script runs in it |
//! | `sandbox.lua` | what scripts see: the globals, protected from them |
//! | `api` | the table `redis` |
//! | [`random`] | `math.random` |
//! | [`functions`], [`flags`] | libraries of functions, and what scripts say of themselves |
//! | `library` | `cjson`, `cmsgpack`, `struct`, `bit` |
//! | `to_lua`, `to_reply` | replies of commands as values of Lua, and values as replies |
//! | `native`, `failure`, `position` | functions written in Rust, how they fail, and where in the script |

mod api;
mod failure;
pub mod flags;
pub mod functions;
pub mod host;
pub mod interpreter;
mod library;
mod native;
mod position;
pub mod random;
mod to_lua;
mod to_reply;

pub use failure::ErrorReply;
