//! What clients cost that do nothing.

use std::time::Instant;

use crate::clients::Client;
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};
use my_redis_server::util::open_files;

const CONNECTIONS: usize = 9_000;
/// Files that the server and this program need besides.
const OTHER_FILES: u64 = 100;

pub fn cases(_: &Options) -> Vec<Case> {
    vec![Case {
        group: String::new(),
        name: format!("{CONNECTIONS} idle connections"),
        commands: Vec::new(),
        measure: Box::new(measure),
    }]
}

fn measure(program: &Program) -> Measured {
    // The server inherits the limit; ours counts two files a client.
    let needed = 2 * CONNECTIONS as u64 + OTHER_FILES;
    let files = open_files::raise_limit(needed);
    if files < needed {
        return Err(
            format!("only {files} files may be open, {needed} are needed: ulimit -Hn").into(),
        );
    }
    let most = (CONNECTIONS + 10).to_string();
    let peer = Peer::start(program, &["--maxclients", &most])?;
    let (memory, threads) = (peer.memory("VmRSS"), peer.threads());
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(peer.port);
        let reply = client.ask("PING");
        if reply != "+PONG" {
            return Err(
                format!("{}: connection {}: {reply:?}", program.name, clients.len()).into(),
            );
        }
        clients.push(client);
    }
    let seconds = began.elapsed().as_secs_f64();
    let with_them = peer.memory("VmRSS");
    Ok(vec![
        (("resident before, MiB", Lower), memory / 1048576.0),
        (("resident with them, MiB", Lower), with_them / 1048576.0),
        (
            ("resident, KiB per connection", Lower),
            (with_them - memory) / 1024.0 / CONNECTIONS as f64,
        ),
        (("threads before", Lower), threads),
        (("threads with them", Lower), peer.threads()),
        (
            ("to connect and to PING once, ms each", Lower),
            seconds * 1e3 / CONNECTIONS as f64,
        ),
    ])
}
