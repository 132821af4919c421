//! How much more a server serves when it has more cores.
//!
//! The server is held to the first 1, 2, 4, 8 … cores, and redis-benchmark to the second half of all, with a thread on
//! each of them. Redis and Valkey get as many `io-threads` as they have cores; ours takes that option and needs none.
//!
//! redis-benchmark with several threads ends at a whole quarter of a second, so a rate may be too low by as much as a
//! quarter of a second is of the time that a test takes: 6 % with the usual 4 s.

use crate::cores::{self, Cores};
use crate::options::{Load, Options};
use crate::peer::Program;
use crate::scripts;
use crate::subject::{Case, Measured};
use crate::throughput::{Measurement, Needs, Test, test};

pub const SUBJECT: &str = "scaling";
const VALUE_BYTES: usize = 64;
/// How much longer than a test of the throughput this lasts.
const TIMES: f64 = 4.0;

/// All clients change one key.
const INCR_ONE: Test = Test {
    name: "incr of one key",
    command: "INCR",
    arguments: &["INCR", "counter"],
    needs: Needs::Nothing,
    values: 0,
};

/// A script on a key of its own for each call. The time stands still, so the buckets become empty, and stay.
const LIMITER: Test = Test {
    name: "token buckets",
    command: "EVALSHA",
    arguments: &[
        "EVALSHA",
        scripts::LIMITER_DIGEST,
        "1",
        "bucket:__rand_int__",
        "10",
        "0.01",
        "1700000000000",
    ],
    needs: Needs::Limiter,
    values: 0,
};

/// A test, its load, and options of the server.
type Row = (&'static Test, Load, &'static [&'static str]);

/// The append-only file is synced every second.
const WITH_LOG: &[&str] = &["--appendonly", "yes"];

fn rows() -> [Row; 11] {
    [
        (test("set"), Load::new(50, 1), &[]),
        (test("get"), Load::new(50, 1), &[]),
        (test("set"), Load::new(400, 1), &[]),
        (test("get"), Load::new(400, 1), &[]),
        (test("set"), Load::new(200, 16), &[]),
        (test("set"), Load::new(200, 16), WITH_LOG),
        (test("get"), Load::new(200, 16), &[]),
        (test("lrange_100"), Load::new(50, 1), &[]),
        (&INCR_ONE, Load::new(50, 1), &[]),
        (test("zadd"), Load::new(50, 16), &[]),
        (&LIMITER, Load::new(200, 16), &[]),
    ]
}

/// A group for every test, and in it a case for every number of cores. None on a machine with too few.
pub fn cases(options: &Options) -> Vec<Case> {
    let cores = options.cores.clone().unwrap_or_else(cores::available);
    let plan = cores::plan(&cores);
    if plan.is_empty() {
        eprintln!(
            "{SUBJECT} is not measured: it needs more than two cores, and there are {}. With fewer, the load \
             generator would take from the server what is to be measured.",
            cores.len()
        );
    }
    let mut cases = Vec::new();
    for (test, load, server_options) in rows() {
        for cores in &plan {
            let cores = cores.clone();
            let (seconds, requests) = (options.seconds * TIMES, options.requests);
            cases.push(Case {
                group: match server_options {
                    [] => format!("{}, {load}", test.name),
                    options => format!("{}, {load}, {}", test.name, options.join(" ")),
                },
                name: match cores.server.len() {
                    1 => "1 core".to_string(),
                    several => format!("{several} cores"),
                },
                commands: vec![test.command],
                measure: Box::new(move |program| {
                    measure(
                        program,
                        (test, load, server_options),
                        cores.clone(),
                        requests,
                        seconds,
                    )
                }),
            });
        }
    }
    cases
}

fn measure(
    program: &Program,
    (test, load, server_options): Row,
    cores: Cores,
    requests: Option<usize>,
    seconds: f64,
) -> Measured {
    let threads = cores.server.len().to_string();
    let io_threads = ["--io-threads", &threads, "--io-threads-do-reads", "yes"];
    // One thread is what every server has without the option.
    let io_threads = if threads == "1" { &[][..] } else { &io_threads };
    Measurement {
        test,
        load,
        value_bytes: VALUE_BYTES,
        requests,
        seconds,
        // None of these tests takes more memory the longer it lasts.
        most_requests: usize::MAX,
        cores,
        server_options: &[server_options, io_threads].concat(),
    }
    .of(program)
}
