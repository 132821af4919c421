//! The properties that the fuzz targets check, for their seeds and for some thousand inputs made from them. The inputs
//! are the same in every run.

#[path = "fuzz/properties/mod.rs"]
mod properties;

use std::fs;
use std::path::{Path, PathBuf};

/// Inputs made from each seed.
const MUTATIONS: usize = 300;

/// The seeds of a fuzz target with their names, in order.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 10);
    let read = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read(path).expect("a readable file"))
    };
    paths.iter().map(read).collect()
}

/// Checks all seeds, and what becomes of them.
fn check_all(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    let mut random = fastrand::Rng::with_seed(1);
    for (_, seed) in &seeds {
        check(seed);
        for _ in 0..MUTATIONS {
            check(&mutated(seed, &seeds, &mut random));
        }
    }
}

/// A seed with a few changes, such as a fuzzer makes.
fn mutated(seed: &[u8], seeds: &[(String, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    /// Bytes that mean something: lengths, forms, signs, the limits of integers.
    const TELLING: &[u8] =
        b"\x00\x01\x3F\x40\x7F\x80\x81\xC0\xC1\xC2\xC3\xE0\xF0\xFC\xFE\xFF*$\r\n-0 \"";
    let mut input = seed.to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(1..9)).min(input.len());
        match random.u8(..6) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 if at < input.len() => {
                input[at] = random.choice(TELLING.iter().copied()).expect("some")
            }
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                let (_, other) = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                let piece = &other[from..(from + random.usize(..40)).min(other.len())];
                input.splice(at..end, piece.iter().copied());
            }
        }
    }
    input
}

/// One file for each value type: every bit of it changed, and every beginning of it.
#[test]
fn rdb_files_with_the_smallest_damage() {
    let seeds = seeds("rdb_reader");
    let is_telling = |(name, _): &&(String, Vec<u8>)| {
        name.starts_with("v9_t") || name.starts_with("redis_40_with_module")
    };
    let files: Vec<_> = seeds.iter().filter(is_telling).collect();
    assert_eq!(files.len(), 30);
    for (_, file) in files {
        (0..file.len()).for_each(|len| properties::rdb::check(&file[..len]));
        for bit in 0..8 * file.len() {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            properties::rdb::check(&changed);
        }
    }
}

#[test]
fn rdb_files() {
    check_all("rdb_reader", properties::rdb::check);
}

#[test]
fn requests() {
    check_all("request_parser", properties::request::check);
}
