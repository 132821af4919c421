//! Small independent modules: glob patterns, numbers, clock, LZF, a bell that wakes a thread, connections, files that
//! are replaced.

pub mod clock;
pub mod connect;
pub mod disk;
pub mod doorbell;
pub mod files;
pub mod glob;
pub mod grisu;
pub mod histogram;
pub mod lent;
pub mod long_double;
pub mod lzf;
pub mod memory_size;
pub mod number;
pub mod open_files;
pub mod partial_sort;
pub mod quoting;
pub mod random;
pub mod scheduling;
#[cfg(test)]
pub(crate) mod test_disk;

use std::io;

/// The text of C's `strerror`: Rust's text without the number.
pub fn system_message(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_string()
}
