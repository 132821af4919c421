//! One huge hash and one huge list, changed in place while they are saved.

use std::thread;
use std::time::Duration;

use crate::clients::{Pace, probe};
use crate::data::{element, fill, request, value};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};

/// How much longer than a test of redis-benchmark the server is watched without a save.
const TIMES: f64 = 2.0;
/// Several, because each has only one moment in which something huge may be copied.
const SAVES: usize = 5;

struct Value {
    name: &'static str,
    append: fn(&mut Vec<u8>, usize),
    /// What is asked again and again, answered by one line.
    change: &'static str,
}

const VALUES: [Value; 2] = [
    Value {
        name: "HSET to a hash",
        append: |batch, number| {
            let field = element(number);
            request(batch, &[b"HSET", b"huge", field.as_bytes(), value(16)]);
        },
        change: "HSET huge element:00000777 changed",
    },
    Value {
        name: "LSET to a list",
        append: |batch, _| request(batch, &[b"RPUSH", b"huge", value(16)]),
        change: "LSET huge 777 changed",
    },
];

pub fn cases(options: &Options) -> Vec<Case> {
    let elements = options.keys;
    let watched = Duration::from_secs_f64(options.seconds * TIMES);
    let case = |value: &'static Value| Case {
        group: format!("one value of {elements} elements"),
        name: value.name.to_string(),
        commands: vec!["HSET", "RPUSH", "LSET"],
        measure: Box::new(move |program| measure(program, value, elements, watched)),
    };
    VALUES.iter().map(case).collect()
}

fn measure(program: &Program, value: &Value, elements: usize, watched: Duration) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    fill(&mut client, elements, value.append);
    let (calm, ()) = probe(peer.port, value.change, Pace::AtOnce, || {
        thread::sleep(watched);
    });
    let (saving, seconds) = probe(peer.port, value.change, Pace::AtOnce, || {
        let saves = (0..SAVES).map(|_| client.save().as_secs_f64());
        saves.sum::<f64>() / SAVES as f64
    });
    Ok(vec![
        (("longest, no save, ms", Lower), calm.longest()),
        (("longest, saving, ms", Lower), saving.longest()),
        (("p99.9, saving, ms", Lower), saving.percentile(99.9)),
        (("save, s", Lower), seconds),
    ])
}
