//! What the append-only file costs: SETs without it and with each `appendfsync`, and a start that replays them. The
//! file lies where `TMPDIR` says: a disk in memory has nothing to wait for.

use std::time::Duration;

use crate::data::value;
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::redis_benchmark::{RATE, Run};
use crate::results::Better::Lower;
use crate::results::Metric;
use crate::subject::{Case, Measured};

const VALUE_BYTES: usize = 16;
/// Requests of the trial that tells how many fit into the time.
const TRIAL: usize = 2_000;
/// Commands that a start replays.
const REPLAYED: usize = 1_000_000;

const REPLAY: Metric = ("start, s", Lower);

/// No file, or the policy.
const POLICIES: [(&str, &[&str]); 4] = [
    ("no file", &[]),
    ("no", &["--appendonly", "yes", "--appendfsync", "no"]),
    (
        "everysec",
        &["--appendonly", "yes", "--appendfsync", "everysec"],
    ),
    (
        "always",
        &["--appendonly", "yes", "--appendfsync", "always"],
    ),
];

pub fn cases(options: &Options) -> Vec<Case> {
    let time = Duration::from_secs_f64(options.seconds);
    let mut cases = Vec::new();
    for load in [Load::new(8, 50), Load::new(50, 1), Load::new(1, 1)] {
        for (policy, arguments) in POLICIES {
            cases.push(Case {
                group: format!("SET of {VALUE_BYTES} B, {load}"),
                name: policy.to_string(),
                commands: vec!["SET"],
                measure: Box::new(move |program| cost(program, arguments, load, time)),
            });
        }
    }
    cases.push(Case {
        group: String::new(),
        name: format!("{REPLAYED} SETs replayed"),
        commands: vec!["SET"],
        measure: Box::new(replay),
    });
    cases
}

fn start(program: &Program, arguments: &[&str]) -> Result<Peer, Box<dyn std::error::Error>> {
    // A rewrite would be measured too.
    let all = [arguments, &["--auto-aof-rewrite-percentage", "0"]].concat();
    Peer::start(program, &all)
}

fn run<'a>(load: Load, requests: usize) -> Run<'a> {
    Run {
        clients: load.clients,
        pipeline: load.pipeline,
        value_bytes: value(VALUE_BYTES).len(),
        requests,
        test: &["-t", "set"],
        cores: &[],
    }
}

fn cost(program: &Program, arguments: &[&str], load: Load, time: Duration) -> Measured {
    let peer = start(program, arguments)?;
    let trial = run(load, TRIAL).start(&peer)?;
    let rate = trial.iter().find(|(metric, _)| *metric == RATE);
    let rate = rate.map_or(1.0, |(_, rate)| *rate);
    let requests = (rate * time.as_secs_f64()) as usize;
    run(load, requests.max(TRIAL)).start(&peer)
}

fn replay(program: &Program) -> Measured {
    let mut peer = start(program, POLICIES[2].1)?;
    run(Load::new(8, 50), REPLAYED).start(&peer)?;
    Ok(vec![(REPLAY, peer.restart()?.as_secs_f64())])
}
