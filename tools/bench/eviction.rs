//! A limit of memory that is exceeded: what a SET costs that makes room for itself, how many keys fit, and how many
//! requests find their key if some keys are asked for more often than others.

use std::time::Duration;

use crate::clients::{Client, Crowd};
use crate::data::{fill, key, request, set};
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::results::Better::{Higher, Lower};
use crate::results::Metric;
use crate::subject::{Case, Measured};
use crate::watch::{TIMES, watch};

/// `maxmemory` in bytes, and where hits are counted.
const LIMIT: usize = 64 << 20;
const SMALL_LIMIT: usize = 16 << 20;
const VALUE_BYTES: usize = 100;
/// More than fit.
const FILLED: usize = 600_000;
/// SETs go to new keys: among so many, one is hardly drawn twice.
const NEW_KEYS: usize = 1 << 40;
const LOADS: [Load; 2] = [Load::new(8, 50), Load::new(50, 1)];

/// Keys that are asked for: more than ten times as many as fit.
const ASKED_KEYS: usize = 1_000_000;
/// Requests before hits are counted, and those that are counted.
const WARM_UP: usize = 1_500_000;
const COUNTED: usize = 500_000;
const BATCH: usize = 100;

const KEPT: Metric = ("keys kept", Higher);
/// `used_memory_peak`: both servers look ten times a second.
const HIGHEST: Metric = ("highest use, % of the limit", Lower);
const HITS: Metric = ("hits, %", Higher);

/// The policies, and whether only keys with a deadline go.
const POLICIES: [(&str, bool); 7] = [
    ("allkeys-lru", false),
    ("allkeys-lfu", false),
    ("allkeys-random", false),
    ("volatile-lru", true),
    ("volatile-lfu", true),
    ("volatile-random", true),
    ("volatile-ttl", true),
];

pub fn cases(options: &Options) -> Vec<Case> {
    let watched = Duration::from_secs_f64(options.seconds * TIMES);
    let mut cases = Vec::new();
    for (policy, is_volatile) in POLICIES {
        for load in LOADS {
            cases.push(Case {
                group: format!("a SET of {VALUE_BYTES} B that evicts, {load}"),
                name: policy.to_string(),
                commands: vec!["SET"],
                measure: Box::new(move |program| cost(program, policy, is_volatile, load, watched)),
            });
        }
    }
    for (policy, is_volatile) in POLICIES {
        cases.push(Case {
            group: "GET, and SET after a miss, of keys by Zipf's law".to_string(),
            name: policy.to_string(),
            commands: vec!["STRLEN"],
            measure: Box::new(move |program| hit_rate(program, policy, is_volatile)),
        });
    }
    cases
}

fn start(
    program: &Program,
    policy: &str,
    limit: usize,
) -> Result<Peer, Box<dyn std::error::Error>> {
    let limit = limit.to_string();
    Peer::start(
        program,
        &["--maxmemory", &limit, "--maxmemory-policy", policy],
    )
}

/// Appends a SET, with a deadline if only such keys go. The deadline has nothing to do with how often the key is asked
/// for: else the policy that goes by it would be measured by the choice of the deadlines.
fn put(batch: &mut Vec<u8>, number: usize, is_volatile: bool) {
    if !is_volatile {
        return set(batch, number, VALUE_BYTES);
    }
    let key = key(number);
    let seconds = (1_000_000 + number.wrapping_mul(2_654_435_761) % 1_000_000).to_string();
    let words = [
        b"SET",
        key.as_bytes(),
        crate::data::value(VALUE_BYTES),
        b"EX",
        seconds.as_bytes(),
    ];
    request(batch, &words);
}

fn cost(
    program: &Program,
    policy: &str,
    is_volatile: bool,
    load: Load,
    watched: Duration,
) -> Measured {
    let peer = start(program, policy, LIMIT)?;
    let mut client = peer.client();
    fill(&mut client, FILLED, |batch, number| {
        put(batch, number, is_volatile)
    });
    let crowd = Crowd::start(peer.port, load.clients, load.pipeline, move |batch| {
        put(batch, FILLED + fastrand::usize(..NEW_KEYS), is_volatile);
        1
    });
    let mut samples = watch(&peer, crowd, watched);
    if client.info("evicted_keys") == 0.0 {
        return Err("nothing was evicted".into());
    }
    let kept = client.ask("DBSIZE");
    let kept = kept.strip_prefix(':').and_then(|kept| kept.parse().ok());
    samples.push((KEPT, kept.ok_or("DBSIZE is a number")?));
    let highest = client.info("used_memory_peak");
    samples.push((HIGHEST, 100.0 * highest / LIMIT as f64));
    Ok(samples)
}

/// The key of a rank is asked for in inverse proportion to the rank. Ranks are drawn by inverting the integral of 1/x,
/// which is close to the sum.
fn draw(random: &mut fastrand::Rng) -> usize {
    let rank = (random.f64() * (ASKED_KEYS as f64).ln()).exp();
    rank as usize
}

fn hit_rate(program: &Program, policy: &str, is_volatile: bool) -> Measured {
    let peer = start(program, policy, SMALL_LIMIT)?;
    let mut client = peer.client();
    // All servers are asked for the same keys.
    let mut random = fastrand::Rng::with_seed(1);
    let mut run = |requests: usize| {
        let batches = 0..requests / BATCH;
        let hits: usize = batches
            .map(|_| ask(&mut client, &mut random, is_volatile))
            .sum();
        100.0 * hits as f64 / requests as f64
    };
    run(WARM_UP);
    Ok(vec![(HITS, run(COUNTED))])
}

/// Asks for a batch of keys, and puts in those that are missing; returns how many were there.
fn ask(client: &mut Client, random: &mut fastrand::Rng, is_volatile: bool) -> usize {
    let numbers: Vec<usize> = (0..BATCH).map(|_| draw(random)).collect();
    let mut message = Vec::new();
    for number in &numbers {
        // Like GET, but the reply is one line.
        request(&mut message, &[b"STRLEN", key(*number).as_bytes()]);
    }
    let first = client.asked(&message);
    let replies: Vec<String> = std::iter::once(first)
        .chain((1..BATCH).map(|_| client.line()))
        .collect();
    let mut missing = Vec::new();
    let mut misses = 0;
    for (number, reply) in numbers.iter().zip(&replies) {
        if reply == ":0" {
            put(&mut missing, *number, is_volatile);
            misses += 1;
        }
    }
    if misses > 0 {
        client.exchange(&missing, misses);
    }
    BATCH - misses
}
