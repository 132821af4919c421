//! What stays resident of memory that a server has freed: after clients that are gone, and after keys that are.

use std::thread;
use std::time::Duration;

use crate::clients::Client;
use crate::data::{fill, request, set};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};
use my_redis_server::util::open_files;

const CLIENTS: usize = 2_000;
/// Values of the clients' keys, in KiB: from one to this.
const LARGEST_KIB: usize = 30;
/// What an allocator may take to give pages back by itself.
const REST: Duration = Duration::from_secs(30);
/// Values of the keys that are flushed.
const VALUE_BYTES: usize = 1024;
const MIB: f64 = 1048576.0;

pub fn cases(options: &Options) -> Vec<Case> {
    let keys = options.keys;
    vec![
        case(format!("{CLIENTS} clients that are gone"), clients),
        case(format!("{keys} keys that are flushed"), move |program| {
            flushed(program, keys)
        }),
    ]
}

fn case(name: String, measure: impl Fn(&Program) -> Measured + 'static) -> Case {
    Case {
        group: format!(
            "resident memory, MiB; afterwards: {} s later",
            REST.as_secs()
        ),
        name,
        commands: Vec::new(),
        measure: Box::new(measure),
    }
}

/// All are connected at the same time; each writes a value once, reads it, and leaves.
fn clients(program: &Program) -> Measured {
    // The server inherits the limit, and may need two files a client.
    open_files::raise_limit(3 * CLIENTS as u64);
    let peer = Peer::start(program, &[])?;
    let mut director = peer.client();
    let before = peer.memory("VmRSS");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(peer.port)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let kib = 1 + number % LARGEST_KIB;
        let value = vec![b'x'; kib * 1024];
        let mut message = Vec::new();
        request(
            &mut message,
            &[b"SET", format!("key:{number}").as_bytes(), &value],
        );
        client.exchange(&message, 1);
        client.ask(&format!("GET key:{number}"));
        client.line();
    }
    let during = peer.memory("VmRSS");
    drop(clients);
    director.ask("FLUSHALL");
    thread::sleep(REST);
    Ok(vec![
        (("before", Lower), before / MIB),
        (("during", Lower), during / MIB),
        (("afterwards", Lower), peer.memory("VmRSS") / MIB),
    ])
}

fn flushed(program: &Program, keys: usize) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    let before = peer.memory("VmRSS");
    fill(&mut client, keys, |batch, number| {
        set(batch, number, VALUE_BYTES)
    });
    let during = peer.memory("VmRSS");
    client.ask("FLUSHALL");
    thread::sleep(REST);
    Ok(vec![
        (("before", Lower), before / MIB),
        (("during", Lower), during / MIB),
        (("afterwards", Lower), peer.memory("VmRSS") / MIB),
    ])
}
