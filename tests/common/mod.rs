//! What the tests share: servers on free ports, clients, and the real redis-server as an oracle.

mod client;
mod dump;
mod elements;
mod folder;
mod lanes;
pub mod oracle;
mod python;
mod redis_tool;
mod server;
pub mod stage;
mod valkey;
mod wait;

pub use client::{Client, number, read_piece, request, strings};
pub use dump::keys_of;
pub use elements::{check_draws, check_scan_of_what_changes};
pub use folder::Folder;
pub use lanes::kill_in_lanes;
pub use python::python;
pub use redis_tool::redis_tool;
pub use server::{PASSWORD, Server, free_port, our_command, refusal, send_signal, wait_for_exit};
pub use valkey::valkey;
pub use wait::{EndOnDrop, PATIENCE, wait_until};
