//! What a crowd of clients gets from a server, and what it costs the server.

use std::thread;
use std::time::{Duration, Instant};

use crate::clients::Crowd;
use crate::peer::Peer;
use crate::redis_benchmark::{CPU, RATE};
use crate::results::Better::Lower;
use crate::results::Sample;

/// How much longer than a test of redis-benchmark a crowd is watched: it has more keys to visit.
pub const TIMES: f64 = 3.0;
/// Until all clients are at work.
const START: Duration = Duration::from_millis(300);

/// Watches a crowd at work, for so long once all of its clients have begun, and stops it.
pub fn watch(peer: &Peer, crowd: Crowd, watched: Duration) -> Vec<Sample> {
    thread::sleep(START);
    let (requests, cpu, began) = (crowd.requests(), peer.cpu(), Instant::now());
    thread::sleep(watched);
    let requests = crowd.requests() - requests;
    let cpu = (peer.cpu() - cpu).as_secs_f64();
    let seconds = began.elapsed().as_secs_f64();
    let waits = crowd.stop();
    vec![
        (RATE, requests / seconds),
        (CPU, cpu * 1e6 / requests),
        (("p50 ms", Lower), waits.percentile(50.0)),
        (("p95 ms", Lower), waits.percentile(95.0)),
        (("p99 ms", Lower), waits.percentile(99.0)),
        (("p99.9 ms", Lower), waits.percentile(99.9)),
        (("longest ms", Lower), waits.longest()),
    ]
}
