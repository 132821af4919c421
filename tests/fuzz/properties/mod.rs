//! What must be true of the parsers, whatever their input is. The fuzz targets check it for inputs that libFuzzer
//! finds, `tests/properties.rs` for some thousand in every run of the tests.

pub mod memory;
pub mod rdb;
pub mod request;
