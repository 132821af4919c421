//! Pure helpers, each usable alone: patterns, numbers, clock, LZF.

pub mod clock;
pub mod glob;
pub mod grisu;
pub mod long_double;
pub mod lzf;
pub mod memory_size;
pub mod number;
pub mod quoting;
