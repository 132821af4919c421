//! The tests that run our programs, as modules of one binary: 40 binaries would each link the whole library.
//!
//! | folder | what it holds |
//! |---|---|
//! | `common` | servers on free ports, clients, the real redis-server as an oracle |
//! | `oracle` | our replies compared with those of a real redis-server, a file for each family of commands |
//! | `client` | our client compared with the real redis-cli |
//! | `server` | our server over TCP: many clients at once, limits, starting and stopping |
//! | `effects` | what commands are replayed as: the stream that an append-only file and replicas are made of |
//! | `aof` | the append-only file: exchanged with a real redis-server, replayed, and what is left by kills |
//! | `replication` | primaries and replicas, ours and real ones |
//! | `dump` | saving and loading: what tools read, what is left by kills and full disks, transfers, `my_redis_rdb` |
//!
//! `programs` holds no module: programs in Python and JavaScript that `server/programs.rs` runs.
//!
//! Two binaries stand beside this one, because they need no server: `properties.rs` (what the fuzz targets check too)
//! and `tidy.rs` (house rules). `cargo test --test main oracle::sets` runs a part.

mod aof;
mod client;
mod common;
mod dump;
mod effects;
mod oracle;
mod replication;
mod server;
