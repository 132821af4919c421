//! Measures the cost of reading back. It is not part of the usual tests; run it with:
//!
//! ```sh
//! cargo test --release --lib cost_of_reading_back -- --ignored --nocapture
//! ```

use std::io;
use std::time::Duration;
use std::{env, fs, process};

use super::super::file::{self, Counts};
use super::super::{ValueRef, Writer, WriterOptions};
use crate::rdb::format::VERSION_FOR_ALL;

const KEYS: u64 = 3_000_000;

/// Saves 3,000,000 keys of 16 bytes with values of 64 random bytes, alternately with and without reading back.
#[test]
#[ignore = "a measurement, for release mode"]
fn cost_of_reading_back() {
    let mut random = fastrand::Rng::with_seed(1);
    let value: Vec<u8> = (0..1 << 20).map(|_| random.u8(..)).collect();
    let directory = env::temp_dir().join(format!("my_redis_cost_{}", process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    let path = directory.join("dump.my_rdb");
    let mut best = [Duration::MAX; 2];
    for round in 0..10 {
        let reads_back = round % 2 == 1;
        let began = processor_time();
        let size = file::replace(&path, reads_back, |output| write(output, &value)).expect("space");
        let took = processor_time() - began;
        println!("read back: {reads_back}, {size} bytes, {took:?}");
        best[usize::from(reads_back)] = best[usize::from(reads_back)].min(took);
    }
    fs::remove_dir_all(&directory).expect("our directory");
    let [without, with] = best;
    let more = with.as_secs_f64() / without.as_secs_f64() - 1.0;
    println!(
        "best: {without:?} without, {with:?} with: {:.1} % more",
        100.0 * more
    );
}

/// The processor time of this thread, which depends less on other processes than the elapsed time.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

fn write(output: &mut dyn io::Write, value: &[u8]) -> io::Result<Counts> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: true,
        checksum: true,
    };
    let mut writer = Writer::new(output, options)?;
    writer.select_db(0, KEYS, 0)?;
    for number in 0..KEYS {
        let key = format!("key:{number:012}");
        let start = (number * 61) as usize % (value.len() - 64);
        writer.key(
            key.as_bytes(),
            None,
            ValueRef::String(&value[start..start + 64]),
        )?;
    }
    writer.finish()?;
    Ok(Counts {
        keys: KEYS,
        ..Counts::default()
    })
}
