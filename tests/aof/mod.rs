//! The append-only file.

mod commands;
mod disks;
mod files;
mod folders;
mod kills;
mod order;
mod real_files;
mod replay;
mod switches;
