//! The append-only file.

mod real_files;
