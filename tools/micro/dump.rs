//! The RDB writer and reader, without a disk.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use my_redis_server::rdb::format::VERSION_FOR_ALL;
use my_redis_server::rdb::{Encoder, Reader, ValueRef, Writer, WriterOptions, verify};

const KEYS: usize = 10_000;

fn dump(compression: bool, value_bytes: usize) -> Vec<u8> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression,
        checksum: true,
    };
    let mut writer = Writer::new(Vec::new(), options).expect("memory takes all");
    writer
        .select_db(0, KEYS as u64, 0)
        .expect("memory takes all");
    let mut encoder = Encoder::new(compression, VERSION_FOR_ALL);
    let mut keys = Vec::new();
    for number in 0..KEYS {
        let (key, value) = (format!("key:{number:012}"), "word ".repeat(value_bytes / 5));
        let value = ValueRef::String(value.as_bytes());
        encoder
            .key(&mut keys, key.as_bytes(), None, value)
            .expect("memory takes all");
    }
    writer.encoded(&keys).expect("memory takes all");
    writer.finish().expect("memory takes all")
}

#[divan::bench(args = [(false, 15), (false, 500), (true, 500)])]
fn write(bencher: Bencher, (compression, value_bytes): (bool, usize)) {
    bencher
        .counter(ItemsCount::new(KEYS))
        .bench_local(|| dump(black_box(compression), value_bytes));
}

#[divan::bench(args = [(false, 15), (false, 500), (true, 500)])]
fn read(bencher: Bencher, (compression, value_bytes): (bool, usize)) {
    let file = dump(compression, value_bytes);
    bencher
        .counter(ItemsCount::new(KEYS))
        .counter(BytesCount::new(file.len()))
        .bench_local(|| {
            let mut reader = Reader::new(&*file).expect("it has a head");
            while let Some(item) = reader.next().expect("it is whole") {
                black_box(item);
            }
        });
}

/// What a save does with the file before it takes the place of the old one.
#[divan::bench(args = [(false, 15), (false, 500), (true, 500)])]
fn read_back(bencher: Bencher, (compression, value_bytes): (bool, usize)) {
    let file = dump(compression, value_bytes);
    bencher
        .counter(ItemsCount::new(KEYS))
        .counter(BytesCount::new(file.len()))
        .bench_local(|| verify::verify(black_box(&*file)).expect("it is whole").keys);
}
