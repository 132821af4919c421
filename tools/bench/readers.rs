//! Fast readers beside a slow one: what does a command that visits everything do to the clients that want one key?

use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{Client, Pace, READ, probe};
use crate::data::{element, fill, request, set, value};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};

/// How often a fast reader asks.
const PACE: Duration = Duration::from_millis(1);
/// How much longer than a test of redis-benchmark this lasts: one wait in a thousand is to be told.
const TIMES: f64 = 5.0;

/// What the server holds, and what the slow reader asks of it again and again.
struct Slow {
    name: &'static str,
    commands: &'static [&'static str],
    append: fn(&mut Vec<u8>, usize),
    /// The command, with the lines of its reply for every element.
    ask: Option<(&'static str, usize)>,
}

const SLOW: [Slow; 4] = [
    Slow {
        name: "nothing",
        commands: &["SET"],
        append: append_key,
        ask: None,
    },
    Slow {
        name: "KEYS *",
        commands: &["SET", "KEYS"],
        append: append_key,
        ask: Some(("KEYS *", 2)),
    },
    Slow {
        name: "HGETALL",
        commands: &["HSET", "HGETALL"],
        append: append_field,
        ask: Some(("HGETALL big", 4)),
    },
    Slow {
        name: "SORT",
        commands: &["RPUSH", "SORT"],
        append: append_number,
        ask: Some(("SORT big", 2)),
    },
];

fn append_key(batch: &mut Vec<u8>, number: usize) {
    set(batch, number, 16);
}

fn append_field(batch: &mut Vec<u8>, number: usize) {
    request(
        batch,
        &[b"HSET", b"big", element(number).as_bytes(), value(16)],
    );
}

fn append_number(batch: &mut Vec<u8>, _: usize) {
    let number = fastrand::u32(..).to_string();
    request(batch, &[b"RPUSH", b"big", number.as_bytes()]);
}

pub fn cases(options: &Options) -> Vec<Case> {
    let elements = options.keys;
    let watched = Duration::from_secs_f64(options.seconds * TIMES);
    let case = |slow: &'static Slow| Case {
        group: format!("GET while another client asks for {elements} elements with"),
        name: slow.name.to_string(),
        commands: slow.commands.to_vec(),
        measure: Box::new(move |program| measure(program, slow, elements, watched)),
    };
    SLOW.iter().map(case).collect()
}

fn measure(program: &Program, slow: &Slow, elements: usize, watched: Duration) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    fill(&mut client, elements, slow.append);
    let (waits, each) = probe(peer.port, READ, Pace::Every(PACE), || {
        ask_again(&mut client, slow, elements, watched)
    });
    let mut samples = vec![
        (("p50 ms", Lower), waits.percentile(50.0)),
        (("p99 ms", Lower), waits.percentile(99.0)),
        (("p99.9 ms", Lower), waits.percentile(99.9)),
        (("longest GET, ms", Lower), waits.longest()),
    ];
    samples.extend(each.map(|each| (("slow reply, s", Lower), each)));
    Ok(samples)
}

/// Asks for so long; what one reply took, in seconds.
fn ask_again(client: &mut Client, slow: &Slow, elements: usize, watched: Duration) -> Option<f64> {
    let Some((line, lines)) = slow.ask else {
        thread::sleep(watched);
        return None;
    };
    let request = format!("{line}\r\n");
    let ask = || {
        client.stand_back();
        let began = Instant::now();
        let mut replies = 0;
        while began.elapsed() < watched {
            client.exchange(request.as_bytes(), 1 + lines * elements);
            replies += 1;
        }
        began.elapsed().as_secs_f64() / f64::from(replies)
    };
    let each = thread::scope(|scope| scope.spawn(ask).join());
    Some(each.expect("the slow reader does not fail"))
}
