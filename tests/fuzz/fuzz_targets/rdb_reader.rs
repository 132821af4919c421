//! RDB files from libFuzzer.

#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code)] // the other target needs the rest
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::rdb::check(input));
