//! The append-only file.

mod commands;
mod real_files;
