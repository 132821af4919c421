//! The CRC-64 of dumps: the crate `crc64` alone, four lanes of it (ours), and the vector instructions of `crc-fast`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use my_redis_server::rdb::checksum::crc64;

const SIZES: [usize; 3] = [64, 4 * 1024, 1024 * 1024];

fn bytes(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..len).map(|_| random.u8(..)).collect()
}

#[divan::bench(args = SIZES)]
fn ours(bencher: Bencher, len: usize) {
    let bytes = bytes(len);
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| crc64(0, black_box(&bytes)));
}

#[divan::bench(args = SIZES)]
fn crate_crc64(bencher: Bencher, len: usize) {
    let bytes = bytes(len);
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| ::crc64::crc64(0, black_box(&bytes)));
}

#[divan::bench(args = SIZES)]
fn crate_crc_fast(bencher: Bencher, len: usize) {
    let bytes = bytes(len);
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, black_box(&bytes)));
}
