//! Requests and replies.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use my_redis_server::resp::reply::Reply;
use my_redis_server::resp::request::{RequestLimits, RequestParser};

const REQUESTS: usize = 100;
const LIMITS: RequestLimits = RequestLimits::of_known_client(512 * 1024 * 1024);

/// A hundred requests in one packet, as redis-benchmark sends them.
fn packet(value_bytes: usize) -> Vec<u8> {
    let value = "x".repeat(value_bytes);
    let request =
        format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n${value_bytes}\r\n{value}\r\n");
    request.repeat(REQUESTS).into_bytes()
}

fn parse_all(parser: &mut RequestParser, input: &[u8]) -> usize {
    let (mut start, mut words) = (0, 0);
    while let Ok(Some(len)) = parser.parse(&input[start..], LIMITS) {
        words += black_box(parser.arguments(&input[start..start + len])).len();
        start += len;
    }
    words
}

#[divan::bench(args = [16, 4096])]
fn parse_requests(bencher: Bencher, value_bytes: usize) {
    let input = packet(value_bytes);
    let mut parser = RequestParser::default();
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .counter(BytesCount::new(input.len()))
        .bench_local(|| parse_all(&mut parser, black_box(&input)));
}

#[divan::bench]
fn parse_inline_requests(bencher: Bencher) {
    let input = "SET key:000000000001 value\r\n"
        .repeat(REQUESTS)
        .into_bytes();
    let mut parser = RequestParser::default();
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .bench_local(|| parse_all(&mut parser, black_box(&input)));
}

#[divan::bench(args = [16, 4096])]
fn write_bulk_strings(bencher: Bencher, value_bytes: usize) {
    let value = vec![b'x'; value_bytes];
    let mut reply = Reply::default();
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        (0..REQUESTS).for_each(|_| reply.bulk(black_box(&value)));
        reply
            .write_to(&mut std::io::sink())
            .expect("a sink takes all");
    });
}

#[divan::bench]
fn write_integers(bencher: Bencher) {
    let mut reply = Reply::default();
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        (0..REQUESTS).for_each(|number| reply.integer(black_box(number as i64 * 12_345)));
        reply
            .write_to(&mut std::io::sink())
            .expect("a sink takes all");
    });
}
