//! One huge hash and one huge list, changed in place while they are saved.

use crate::clients::{connect, exchange, probe};
use crate::peer::Peer;
use crate::{Figure, Options};
use std::thread;
use std::time::Duration;

/// How long the server is watched without a save.
const WATCH: Duration = Duration::from_secs(2);
/// Elements that one command adds.
const FILL_BATCH: usize = 500;

/// What is changed: a command that answers with one line, and what asks for it again and again.
const SUBJECTS: [(&str, &[u8], [&str; 4]); 2] = [
    (
        "HSET",
        b"HSET huge field:000000777777 changed\r\n",
        [
            "hash: longest HSET, no save, ms",
            "hash: longest HSET, saving, ms",
            "hash: one HSET in 1000 is longer, saving, ms",
            "hash: save, s",
        ],
    ),
    (
        "RPUSH",
        b"LSET huge 500000 changed\r\n",
        [
            "list: longest LSET, no save, ms",
            "list: longest LSET, saving, ms",
            "list: one LSET in 1000 is longer, saving, ms",
            "list: save, s",
        ],
    ),
];

pub fn measure(peer: &mut Peer, options: &Options) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (command, change, names) in SUBJECTS {
        let mut client = peer.client();
        client.ask("FLUSHALL");
        fill(peer, command, options);
        let (calm, ()) = probe(peer.port, change, || thread::sleep(WATCH));
        // Several saves, because each has only one moment in which something huge may be copied.
        let (saving, seconds) = probe(peer.port, change, || {
            let saves: Vec<f64> = (0..5).map(|_| client.save().as_secs_f64()).collect();
            saves.iter().sum::<f64>() / saves.len() as f64
        });
        figures.extend(
            names
                .into_iter()
                .zip([calm.longest, saving.longest, saving.p999, seconds]),
        );
    }
    figures
}

fn fill(peer: &Peer, command: &str, options: &Options) {
    let mut stream = connect(peer.port);
    for first in (0..options.keys).step_by(FILL_BATCH) {
        let numbers = first..(first + FILL_BATCH).min(options.keys);
        let mut line = format!("{command} huge");
        for number in numbers {
            if command == "HSET" {
                line += &format!(" field:{number:012}");
            }
            line += &format!(" {}", fastrand::u64(1 << 62..));
        }
        exchange(&mut stream, format!("{line}\r\n").as_bytes(), 1);
    }
}
