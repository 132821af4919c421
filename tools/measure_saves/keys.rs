//! Many small keys, saved while writers change them.

use crate::clients::{Crowd, Waits, connect, exchange, probe};
use crate::peer::Peer;
use crate::{Figure, Options, median};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// Until the writers are at their full speed.
const START: Duration = Duration::from_secs(1);
/// How many saves are watched, and as many moments without one.
const WINDOWS: usize = 5;
/// Requests that fill the keyspace, in one batch.
const FILL_BATCH: usize = 1000;
/// A key that is never there: the reply is one line.
const PROBE: &[u8] = b"GET probe:probe:prob\r\n";

pub fn measure(peer: &mut Peer, options: &Options) -> Vec<Figure> {
    fill(peer, options);
    let mut client = peer.client();
    let full = peer.memory("VmRSS");
    let idle_save = client.save();

    let (keys, value_bytes) = (options.keys, options.value_bytes);
    let writers = Crowd::start(peer, options.writers, move |batch| {
        set(batch, fastrand::usize(..keys), value_bytes);
    });
    thread::sleep(START);
    let count = || (writers.requests.load(Relaxed) as f64, Instant::now());
    let rate = |(from, since): (f64, Instant)| {
        (writers.requests.load(Relaxed) as f64 - from) / since.elapsed().as_secs_f64()
    };

    // Saves and calm moments of the same length in turn: the longest wait grows with the time that one watches.
    let (mut calm, mut saving) = (Vec::new(), Vec::new());
    let (mut calm_rates, mut saving_rates) = (Vec::new(), Vec::new());
    let (mut saves, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..WINDOWS {
        let before = peer.memory("VmRSS");
        peer.forget_peak();
        let start = count();
        let (waits, took) = probe(peer.port, PROBE, || client.save());
        saving_rates.push(rate(start));
        saving.push(waits);
        saves.push(took.as_secs_f64());
        // What a forked child keeps for itself is not in the memory of its parent.
        let copied = client.info("rdb_last_cow_size");
        let peak = peer.memory("VmHWM") + if copied.is_nan() { 0.0 } else { copied };
        peaks.push(peak / before);

        let start = count();
        calm.push(probe(peer.port, PROBE, || thread::sleep(took)).0);
        calm_rates.push(rate(start));
    }

    drop(writers);
    client.save();
    let dump = peer.dump_bytes();
    let load = peer.restart();
    vec![
        ("memory, bytes per key", full / keys as f64),
        ("dump, MB", dump as f64 / 1e6),
        ("save while nobody writes, s", idle_save.as_secs_f64()),
        ("save under writers, s", median(saves)),
        (
            "longest wait of a reader, no save, ms",
            median_of(&calm, |waits| waits.longest),
        ),
        (
            "longest wait of a reader, saving, ms",
            median_of(&saving, |waits| waits.longest),
        ),
        (
            "one wait in 1000 is longer, no save, ms",
            median_of(&calm, |waits| waits.p999),
        ),
        (
            "one wait in 1000 is longer, saving, ms",
            median_of(&saving, |waits| waits.p999),
        ),
        (
            "waits of more than 3 ms per second, no save",
            median_of(&calm, |waits| waits.long_per_s),
        ),
        (
            "waits of more than 3 ms per second, saving",
            median_of(&saving, |waits| waits.long_per_s),
        ),
        ("writes/s, no save, thousands", median(calm_rates) / 1e3),
        ("writes/s, saving, thousands", median(saving_rates) / 1e3),
        (
            "peak memory while saving, times that before",
            peaks.into_iter().fold(0.0, f64::max),
        ),
        ("start with the dump, s", load.as_secs_f64()),
    ]
}

fn median_of(windows: &[Waits], figure: impl Fn(&Waits) -> f64) -> f64 {
    median(windows.iter().map(figure).collect())
}

fn fill(peer: &Peer, options: &Options) {
    let mut stream = connect(peer.port);
    let mut batch = Vec::new();
    for first in (0..options.keys).step_by(FILL_BATCH) {
        let numbers = first..(first + FILL_BATCH).min(options.keys);
        batch.clear();
        numbers
            .clone()
            .for_each(|number| set(&mut batch, number, options.value_bytes));
        exchange(&mut stream, &batch, numbers.len());
    }
}

/// Sets a key of 16 bytes to a random value that does not compress.
fn set(batch: &mut Vec<u8>, number: usize, value_bytes: usize) {
    batch.extend_from_slice(
        format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{number:012}\r\n${value_bytes}\r\n").as_bytes(),
    );
    batch.extend((0..value_bytes).map(|_| fastrand::alphanumeric() as u8));
    batch.extend_from_slice(b"\r\n");
}
