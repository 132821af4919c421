//! What replicas cost: SETs while none, one or two replicas follow, and how long after the last SET they have it; the
//! time and memory of a full synchronisation. The replicas are servers of the same program.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use crate::data;
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::redis_benchmark::{RATE, Run};
use crate::results::Better::Lower;
use crate::results::Metric;
use crate::subject::{Case, Measured};

const VALUE_BYTES: usize = 16;
/// Requests of the trial that tells how many fit into the time.
const TRIAL: usize = 20_000;
/// Keys of a full synchronisation.
const KEYS: usize = 3_000_000;
/// The time between two looks.
const LOOK_PERIOD: Duration = Duration::from_millis(1);

const LAG: Metric = ("last replica ms later", Lower);
const SYNC: Metric = ("synchronised, s", Lower);
const PRIMARY_CPU: Metric = ("CPU of the primary, s", Lower);
const PRIMARY_MEMORY: Metric = ("more memory, bytes", Lower);
const REPLICA_MEMORY: Metric = ("memory of the replica, bytes", Lower);

pub fn cases(options: &Options) -> Vec<Case> {
    let time = Duration::from_secs_f64(options.seconds);
    let load = Load::new(50, 50);
    let mut cases: Vec<Case> = (0..=2)
        .map(|replicas| Case {
            group: format!("SET of {VALUE_BYTES} B, {load}"),
            name: format!("{replicas} replicas"),
            commands: vec!["SET", "REPLICAOF"],
            measure: Box::new(move |program| stream(program, replicas, load, time)),
        })
        .collect();
    cases.push(Case {
        group: "full synchronisation".to_string(),
        name: format!("{KEYS} keys"),
        commands: vec!["SET", "REPLICAOF"],
        measure: Box::new(synchronise),
    });
    cases
}

fn primary(program: &Program) -> Result<Peer, Box<dyn Error>> {
    Peer::start(program, &["--repl-diskless-sync-delay", "0"])
}

fn replica(program: &Program, primary: &Peer) -> Result<Peer, Box<dyn Error>> {
    let address = format!("127.0.0.1 {}", primary.port);
    Peer::start(program, &["--replicaof", &address])
}

fn stream(program: &Program, replicas: usize, load: Load, time: Duration) -> Measured {
    let primary = primary(program)?;
    let replicas: Vec<Peer> = (0..replicas)
        .map(|_| replica(program, &primary))
        .collect::<Result<_, _>>()?;
    replicas.iter().for_each(wait_for_link);
    let run = |requests| Run {
        clients: load.clients,
        pipeline: load.pipeline,
        value_bytes: VALUE_BYTES,
        requests,
        test: &["-t", "set"],
        cores: &[],
    };
    let trial = run(TRIAL).start(&primary)?;
    let rate = trial.iter().find(|(metric, _)| *metric == RATE);
    let requests = rate.map_or(1.0, |(_, rate)| *rate) * time.as_secs_f64();
    let mut samples = run((requests as usize).max(TRIAL)).start(&primary)?;
    if !replicas.is_empty() {
        let began = Instant::now();
        let offset = offset(&primary);
        while replicas
            .iter()
            .any(|replica| self::offset(replica) < offset)
        {
            thread::sleep(LOOK_PERIOD);
        }
        samples.push((LAG, began.elapsed().as_secs_f64() * 1e3));
    }
    Ok(samples)
}

fn synchronise(program: &Program) -> Measured {
    let primary = primary(program)?;
    data::fill(&mut primary.client(), KEYS, |batch, number| {
        data::set(batch, number, VALUE_BYTES);
    });
    primary.forget_peak();
    let (memory, cpu) = (primary.memory("VmRSS"), primary.cpu());
    let replica = Peer::start(program, &[])?;
    let began = Instant::now();
    let port = primary.port;
    replica.client().ask(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_for_link(&replica);
    Ok(vec![
        (SYNC, began.elapsed().as_secs_f64()),
        (PRIMARY_CPU, (primary.cpu() - cpu).as_secs_f64()),
        (PRIMARY_MEMORY, primary.memory("VmHWM") - memory),
        (REPLICA_MEMORY, replica.memory("VmHWM")),
    ])
}

fn wait_for_link(replica: &Peer) {
    let mut client = replica.client();
    while !client
        .bulk("INFO replication")
        .contains("master_link_status:up")
    {
        thread::sleep(LOOK_PERIOD);
    }
}

fn offset(peer: &Peer) -> f64 {
    peer.client().info("master_repl_offset")
}
