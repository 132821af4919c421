//! Lua scripts of four sizes, called by their digests on one of many keys, each of which is declared.

use sha1::{Digest, Sha1};
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clients::{Client, Crowd};
use crate::data::{fill, key, request, value};
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::redis_benchmark::KEYS;
use crate::subject::{Case, Measured};
use crate::watch::{TIMES, watch};

const LOADS: [Load; 2] = [Load::new(50, 1), Load::new(50, 16)];
const VALUE_BYTES: usize = 64;

/// A token bucket, the script that is called most in the field.
pub const LIMITER: &str = include_str!("scripts/limiter.lua");
/// The digest of [`LIMITER`], for tests whose words are constant.
pub const LIMITER_DIGEST: &str = "f641f8abf359ebc41eaef12bd7029b27daf5ae42";

/// The options of a worker on a queue in MessagePack: a map of `token` "worker:1", `lock_ms` 30000, `attempts` 3.
const WORKER_OPTIONS: &[u8] = b"\x83\xa5token\xa8worker:1\xa7lock_ms\xcd\x75\x30\xa8attempts\x03";

struct Script {
    name: &'static str,
    text: &'static str,
    /// Appends a call of the digest on the keys of this number. It is answered by one line.
    call: fn(&mut Vec<u8>, &str, usize),
}

const SCRIPTS: [Script; 4] = [
    Script {
        name: "return 1",
        text: include_str!("scripts/one.lua"),
        call: |batch, digest, _| request(batch, &[b"EVALSHA", digest.as_bytes(), b"0"]),
    },
    Script {
        name: "GET and SET",
        text: include_str!("scripts/get_set.lua"),
        call: |batch, digest, number| {
            let (key, value) = (key(number), value(VALUE_BYTES));
            let head = [b"EVALSHA", digest.as_bytes(), b"1", key.as_bytes()];
            request(batch, &[&head[..], &[value]].concat());
        },
    },
    Script {
        name: "token bucket",
        text: LIMITER,
        call: |batch, digest, number| {
            let (key, now_ms) = (key(number), now_ms());
            let head = [b"EVALSHA", digest.as_bytes(), b"1", key.as_bytes()];
            let arguments: [&[u8]; 3] = [b"10", b"100", now_ms.as_bytes()];
            request(batch, &[&head[..], &arguments].concat());
        },
    },
    Script {
        name: "step of a queue",
        text: include_str!("scripts/queue.lua"),
        call: |batch, digest, number| {
            let keys = ["wait", "active", "delayed", "meta", "job"];
            let keys = keys.map(|part| format!("queue:{number}:{part}"));
            let mut words: Vec<&[u8]> = vec![b"EVALSHA", digest.as_bytes(), b"5"];
            words.extend(keys.iter().map(String::as_bytes));
            let now_ms = now_ms();
            words.extend([now_ms.as_bytes(), WORKER_OPTIONS]);
            request(batch, &words);
        },
    },
];

fn now_ms() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("1970 is over").as_millis().to_string()
}

/// The name that a server gives to a script.
fn digest(script: &str) -> String {
    let mut text = String::new();
    for byte in Sha1::digest(script) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Makes a script known to the server.
pub fn load(client: &mut Client, script: &str) {
    let mut message = Vec::new();
    request(&mut message, &[b"SCRIPT", b"LOAD", script.as_bytes()]);
    client.exchange(&message, 2);
}

pub fn cases(options: &Options) -> Vec<Case> {
    let watched = Duration::from_secs_f64(options.seconds * TIMES);
    let case = |load: Load, script: &'static Script| Case {
        group: format!("EVALSHA on {KEYS} keys, {load}"),
        name: script.name.to_string(),
        commands: vec!["EVALSHA", "SCRIPT"],
        measure: Box::new(move |program| measure(program, script, load, watched)),
    };
    let cases = LOADS.into_iter();
    let cases = cases.flat_map(|load| SCRIPTS.iter().map(move |script| case(load, script)));
    cases.collect()
}

/// Measures calls on keys that are all there already: each has been visited once.
fn measure(
    program: &Program,
    script: &'static Script,
    clients: Load,
    watched: Duration,
) -> Measured {
    let peer = Peer::start(program, &[])?;
    let digest = digest(script.text);
    let mut client = peer.client();
    load(&mut client, script.text);
    // A script that fails would be quick.
    let mut call = Vec::new();
    (script.call)(&mut call, &digest, 0);
    let reply = client.asked(&call);
    if !reply.starts_with(':') {
        return Err(format!("{}: {reply}", script.name).into());
    }
    fill(&mut client, KEYS, |batch, number| {
        (script.call)(batch, &digest, number)
    });
    let crowd = Crowd::start(peer.port, clients.clients, clients.pipeline, move |batch| {
        (script.call)(batch, &digest, fastrand::usize(..KEYS));
        1
    });
    Ok(watch(&peer, crowd, watched))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_the_limiter_is_that_of_its_text() {
        assert_eq!(digest(LIMITER), LIMITER_DIGEST);
    }
}
