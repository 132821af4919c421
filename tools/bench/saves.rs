//! Many small keys, saved while writers change them, and loaded again.

use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{Client, Crowd, Pace, READ, probe};
use crate::data::{fill, set};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::{Higher, Lower};
use crate::results::{Sample, median};
use crate::subject::{Case, Measured};
use crate::waits::Waits;

/// How many times the usual number of keys there are: a save is to last.
const TIMES: usize = 3;
const VALUE_BYTES: usize = 64;
const WRITERS: usize = 2;
const PIPELINE: usize = 16;
/// Until the writers are at their full speed.
const START: Duration = Duration::from_secs(1);
/// How many saves are watched, and as many moments without one.
const WINDOWS: usize = 5;

pub fn cases(options: &Options) -> Vec<Case> {
    let keys = options.keys * TIMES;
    vec![Case {
        group: String::new(),
        name: format!("{keys} keys, {WRITERS} writers"),
        commands: vec!["SET", "BGSAVE"],
        measure: Box::new(move |program| measure(program, keys)),
    }]
}

fn measure(program: &Program, keys: usize) -> Measured {
    let mut peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    fill(&mut client, keys, |batch, number| {
        set(batch, number, VALUE_BYTES);
    });
    let full = peer.memory("VmRSS");
    let idle_save = client.save();

    let writers = Crowd::start(peer.port, WRITERS, PIPELINE, move |batch| {
        set(batch, fastrand::usize(..keys), VALUE_BYTES);
        1
    });
    thread::sleep(START);
    // Saves and calm moments of the same length in turn: the longest wait grows with the time that one watches.
    let (mut calm, mut saving) = (Vec::new(), Vec::new());
    for _ in 0..WINDOWS {
        let window = watch(&peer, &writers, |client| client.save());
        calm.push(watch(&peer, &writers, |_| {
            thread::sleep(window.took);
            window.took
        }));
        saving.push(window);
    }
    writers.stop();

    client.save();
    let dump = peer.dump_bytes() as f64;
    let load = peer.restart()?;
    let mut samples = vec![
        (("memory, bytes per key", Lower), full / keys as f64),
        (("dump, MB", Lower), dump / 1e6),
        (
            ("save while nobody writes, s", Lower),
            idle_save.as_secs_f64(),
        ),
    ];
    samples.extend(notice(&calm, &saving));
    samples.extend([
        (("start with the dump, s", Lower), load.as_secs_f64()),
        (
            ("peak memory while loading, bytes per key", Lower),
            peer.memory("VmHWM") / keys as f64,
        ),
    ]);
    Ok(samples)
}

/// What clients notice of a save.
fn notice(calm: &[Window], saving: &[Window]) -> [Sample; 10] {
    let of = |windows: &[Window], figure: fn(&Window) -> f64| {
        median(windows.iter().map(figure).collect())
    };
    let took = |window: &Window| window.took.as_secs_f64();
    let longest = |window: &Window| window.waits.longest();
    let p999 = |window: &Window| window.waits.percentile(99.9);
    let long = |window: &Window| window.waits.long() / window.took.as_secs_f64();
    let writes = |window: &Window| window.writes / window.took.as_secs_f64() / 1e3;
    let growth = |window: &Window| window.growth;
    [
        (("save under writers, s", Lower), of(saving, took)),
        (
            ("longest wait of a reader, no save, ms", Lower),
            of(calm, longest),
        ),
        (
            ("longest wait of a reader, saving, ms", Lower),
            of(saving, longest),
        ),
        (
            ("one wait in 1000 is longer, no save, ms", Lower),
            of(calm, p999),
        ),
        (
            ("one wait in 1000 is longer, saving, ms", Lower),
            of(saving, p999),
        ),
        (
            ("waits of more than 3 ms per second, no save", Lower),
            of(calm, long),
        ),
        (
            ("waits of more than 3 ms per second, saving", Lower),
            of(saving, long),
        ),
        (("writes/s, no save, thousands", Higher), of(calm, writes)),
        (("writes/s, saving, thousands", Higher), of(saving, writes)),
        (
            ("peak memory while saving, times that before", Lower),
            of(saving, growth),
        ),
    ]
}

/// Some time under writers.
struct Window {
    took: Duration,
    /// Of a client that reads.
    waits: Waits,
    writes: f64,
    /// The most memory, as a multiple of what it was before.
    growth: f64,
}

fn watch(peer: &Peer, writers: &Crowd, action: impl FnOnce(&mut Client) -> Duration) -> Window {
    let mut client = peer.client();
    let memory = peer.memory("VmRSS");
    peer.forget_peak();
    let writes = writers.requests();
    let began = Instant::now();
    let (waits, _) = probe(peer.port, READ, Pace::AtOnce, || action(&mut client));
    let took = began.elapsed();
    let writes = writers.requests() - writes;
    // What a forked child keeps for itself is not in the memory of its parent.
    let copied = client.info("rdb_last_cow_size");
    let peak = peer.memory("VmHWM") + if copied.is_nan() { 0.0 } else { copied };
    Window {
        took,
        waits,
        writes,
        growth: peak / memory,
    }
}
