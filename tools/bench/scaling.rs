//! How much more a server serves when it has more cores.
//!
//! The server is held to the first 1, 2, 4, 8 … cores, and redis-benchmark to the second half of all, with a thread on
//! each of them. Redis and Valkey get as many `io-threads` as they have cores; ours takes that option and needs none.
//!
//! With several threads, redis-benchmark ends only at whole quarters of a second. With the usual 4 s a rate may
//! therefore be 6 % too low.

use crate::cores::{self, Cores};
use crate::options::{Load, Options};
use crate::peer::Program;
use crate::scripts;
use crate::subject::{Case, Measured};
use crate::throughput::{Measurement, Needs, Test, test};
use my_redis_server::util::open_files;

pub const SUBJECT: &str = "scaling";
const USUAL_VALUE_BYTES: usize = 64;
/// How much longer than a test of the throughput this lasts.
const TIMES: f64 = 4.0;
/// Files that a server, or redis-benchmark, needs beside those of the clients. Redis keeps 32 for itself.
const OTHER_FILES: usize = 100;

/// All clients change one key.
const INCR_ONE: Test = Test {
    name: "incr of one key",
    command: "INCR",
    arguments: &["INCR", "counter"],
    needs: Needs::Nothing,
    values: 0,
};

/// All clients read one key.
const GET_ONE: Test = Test {
    name: "get of one key",
    command: "GET",
    arguments: &["GET", "key:000000000000"],
    needs: Needs::Keys,
    values: 1,
};

/// All clients read one small hash.
const HGETALL_ONE: Test = Test {
    name: "hgetall of one key",
    command: "HGETALL",
    arguments: &["HGETALL", "user"],
    needs: Needs::SmallHash,
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

/// A test under one load.
#[derive(Clone, Copy)]
struct Row {
    test: &'static Test,
    load: Load,
    value_bytes: usize,
    server_options: &'static [&'static str],
}

impl Row {
    fn new(test: &'static Test, clients: usize, pipeline: usize) -> Row {
        Row {
            test,
            load: Load::new(clients, pipeline),
            value_bytes: USUAL_VALUE_BYTES,
            server_options: &[],
        }
    }

    fn of_1_kib(self) -> Row {
        Row {
            value_bytes: 1024,
            ..self
        }
    }

    /// With an append-only file that is synced every second.
    fn with_log(self) -> Row {
        Row {
            server_options: &["--appendonly", "yes"],
            ..self
        }
    }

    /// What is measured: `set of 1 KiB, 2000 clients, pipeline 1`.
    fn title(&self) -> String {
        let size = match self.value_bytes {
            1024 => " of 1 KiB",
            _ => "",
        };
        let title = format!("{}{size}, {}", self.test.name, self.load);
        match self.server_options {
            [] => title,
            options => format!("{title}, {}", options.join(" ")),
        }
    }
}

/// Many keys, then values of 1 KiB, then one key.
fn rows() -> [Row; 21] {
    [
        Row::new(test("set"), 50, 1),
        Row::new(test("get"), 50, 1),
        Row::new(test("set"), 400, 1),
        Row::new(test("get"), 400, 1),
        Row::new(test("set"), 200, 16),
        Row::new(test("set"), 200, 16).with_log(),
        Row::new(test("get"), 200, 16),
        Row::new(test("get"), 64, 100),
        Row::new(test("mset"), 50, 1),
        Row::new(&LIMITER, 200, 16),
        Row::new(test("set"), 2000, 1).of_1_kib(),
        Row::new(test("get"), 2000, 1).of_1_kib(),
        Row::new(test("get"), 200, 1).of_1_kib(),
        Row::new(test("lrange_100"), 50, 1),
        Row::new(&INCR_ONE, 50, 1),
        Row::new(&INCR_ONE, 64, 100),
        Row::new(test("lpush"), 200, 1),
        Row::new(test("hset"), 50, 16),
        Row::new(test("zadd"), 50, 16),
        Row::new(&GET_ONE, 64, 100),
        Row::new(&HGETALL_ONE, 50, 16),
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
    for row in rows() {
        for cores in &plan {
            let cores = cores.clone();
            let (seconds, requests) = (options.seconds * TIMES, options.requests);
            cases.push(Case {
                group: row.title(),
                name: match cores.server.len() {
                    1 => "1 core".to_string(),
                    several => format!("{several} cores"),
                },
                commands: vec![row.test.command],
                measure: Box::new(move |program| {
                    measure(program, row, cores.clone(), requests, seconds)
                }),
            });
        }
    }
    cases
}

fn measure(
    program: &Program,
    row: Row,
    cores: Cores,
    requests: Option<usize>,
    seconds: f64,
) -> Measured {
    // Servers and redis-benchmark inherit the limit; our server counts two files a client.
    let needed = (2 * row.load.clients + OTHER_FILES) as u64;
    let files = open_files::raise_limit(needed);
    if files < needed {
        return Err(
            format!("only {files} files may be open, {needed} are needed: ulimit -Hn").into(),
        );
    }
    let threads = cores.server.len().to_string();
    let io_threads = ["--io-threads", &threads, "--io-threads-do-reads", "yes"];
    // One thread is what every server has without the option.
    let io_threads = if threads == "1" { &[][..] } else { &io_threads };
    Measurement {
        test: row.test,
        load: row.load,
        value_bytes: row.value_bytes,
        requests,
        seconds,
        // None of these tests takes more memory the longer it lasts, but LPUSH, which takes little.
        most_requests: usize::MAX,
        cores,
        server_options: &[row.server_options, io_threads].concat(),
    }
    .of(program)
}
