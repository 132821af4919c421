//! Commands that go through whole large values, one after the other from one client.

use std::time::Instant;

use crate::data::{MOST_VALUE_BYTES, element, fill, request, value};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};

/// Pieces of the long string, each as large as values can be here.
const PIECES: usize = 64;
/// How often a command is repeated.
const REPEATS: usize = 5;

/// What the commands work on. Of sets there are two, `a` and `b`, which have half of their members in common.
#[derive(Clone, Copy)]
enum Values {
    Sets,
    SortedSets,
    String,
    Counters,
}

struct Test {
    command: &'static str,
    values: Values,
    /// Answered by one line.
    request: &'static str,
}

#[rustfmt::skip] // a line a test
const TESTS: [Test; 7] = [
    Test { command: "SINTERCARD", values: Values::Sets, request: "SINTERCARD 2 a b" },
    Test { command: "SINTERSTORE", values: Values::Sets, request: "SINTERSTORE out a b" },
    Test { command: "SUNIONSTORE", values: Values::Sets, request: "SUNIONSTORE out a b" },
    Test { command: "ZUNIONSTORE", values: Values::SortedSets, request: "ZUNIONSTORE out 2 a b" },
    Test { command: "ZINTERSTORE", values: Values::SortedSets, request: "ZINTERSTORE out 2 a b" },
    Test { command: "BITCOUNT", values: Values::String, request: "BITCOUNT a" },
    Test { command: "PFCOUNT", values: Values::Counters, request: "PFCOUNT a b" },
];

pub fn cases(options: &Options) -> Vec<Case> {
    let elements = options.keys;
    let case = |test: &'static Test| Case {
        group: format!("values of {elements} elements, a string of {PIECES} MiB"),
        name: test.command.to_string(),
        commands: vec![test.command],
        measure: Box::new(move |program| measure(program, test, elements)),
    };
    TESTS.iter().map(case).collect()
}

fn measure(program: &Program, test: &Test, elements: usize) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    match test.values {
        Values::String => fill(&mut client, PIECES, |batch, number| {
            let offset = (number * MOST_VALUE_BYTES).to_string();
            let piece = value(MOST_VALUE_BYTES);
            request(batch, &[b"SETRANGE", b"a", offset.as_bytes(), piece]);
        }),
        values => fill(&mut client, 2 * elements, |batch, number| {
            // `b` begins in the middle of `a`.
            let (key, number) = match number < elements {
                true => (b"a", number),
                false => (b"b", number - elements / 2),
            };
            let (element, score) = (element(number), number.to_string());
            match values {
                Values::Sets => request(batch, &[b"SADD", key, element.as_bytes()]),
                Values::SortedSets => {
                    request(batch, &[b"ZADD", key, score.as_bytes(), element.as_bytes()]);
                }
                _ => request(batch, &[b"PFADD", key, element.as_bytes()]),
            }
        }),
    }
    let (began, before) = (Instant::now(), peer.cpu());
    for _ in 0..REPEATS {
        client.ask(test.request);
    }
    let ms = |seconds: f64| seconds * 1e3 / REPEATS as f64;
    Ok(vec![
        (("CPU ms", Lower), ms((peer.cpu() - before).as_secs_f64())),
        (("ms", Lower), ms(began.elapsed().as_secs_f64())),
    ])
}
