//! The append-only file.

mod commands;
mod disks;
mod files;
mod real_files;
mod switches;
