//! Real clients and queues of other languages at work on our server: what an application does through redis-py, Celery,
//! huey, RQ, limits, ioredis, node-redis, bee-queue and BullMQ. The programs are in `tests/programs`; each takes the
//! port, checks what its library promises, and ends with a complaint at the first answer that is not as it should be.
//! `tools/test.sh` installs the libraries.

use crate::common::{Folder, PATIENCE, Server, python};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any program waits for a single result.
const PROGRAM_PATIENCE: Duration = PATIENCE.saturating_mul(2);

fn node(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.env("NODE_PATH", root.join("target/node/node_modules"));
    command.arg(root.join("tests/programs/node").join(program));
    command
}

/// Runs a program, and fails with its complaint if it has one.
fn check(mut command: Command, server: &Server, arguments: &[&str]) {
    let folder = Folder::new();
    let said = folder.path().join("said");
    let output = File::create(&said).expect("the file can be made");
    command.arg(server.port.to_string()).args(arguments);
    command
        .current_dir(folder.path())
        // Worker processes of the program are of its group, so they can be ended with it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a handle can be copied"))
        .stderr(output);
    let mut process = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; tools/test.sh installs it"));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().expect("the process can be asked") {
            break Some(status);
        }
        if began.elapsed() > PROGRAM_PATIENCE {
            let group = format!("-{}", process.id());
            let mut kill = Command::new("kill");
            let killed = kill.args(["-s", "KILL", "--", &group]).status();
            assert!(killed.expect("kill can be run").success());
            process.wait().expect("it was killed");
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let said = String::from_utf8_lossy(&fs::read(said).expect("the file is there")).into_owned();
    let status = status.unwrap_or_else(|| panic!("{command:?} does not end: {said}"));
    assert!(
        status.success() && said.is_empty(),
        "{command:?}: {status}: {said}"
    );
}

/// Runs a program on a server of its own.
fn check_ours(command: Command) {
    let folder = Folder::new();
    check(command, &Server::ours(&folder, &["--save", ""]), &[]);
}

/// Runs a program on a server of its own, in both versions of the protocol.
fn check_protocols(program: impl Fn() -> Command) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for protocol in ["2", "3"] {
        check(program(), &server, &[protocol]);
    }
}

/// The most used client of all.
#[test]
fn redis_py_is_served() {
    check_protocols(|| python("redis_py_session.py"));
}

/// The session asks for nothing that Redis does not do.
#[test]
fn redis_serves_the_same_session() {
    let folder = Folder::new();
    let server = Server::real(&folder, &[]);
    for protocol in ["2", "3"] {
        check(python("redis_py_session.py"), &server, &[protocol]);
    }
}

#[test]
fn scripts_locks_and_functions_of_redis_py_work() {
    check_ours(python("redis_py_scripts.py"));
}

#[test]
fn streams_of_redis_py_work() {
    check_protocols(|| python("redis_py_streams.py"));
}

#[test]
fn users_and_the_cache_of_redis_py_work() {
    check_protocols(|| python("redis_py_access.py"));
}

#[test]
fn users_of_node_and_the_cache_of_node_redis_work() {
    check_ours(node("node_access.js"));
}

#[test]
fn streams_of_node_redis_work() {
    check_protocols(|| node("node_redis_streams.js"));
}

#[test]
fn crashing_consumers_lose_no_entries() {
    check_ours(python("crashing_consumers.py"));
}

#[test]
fn celery_has_its_broker_and_its_results_here() {
    check_ours(python("celery_tasks.py"));
}

#[test]
fn huey_runs_its_tasks() {
    check_ours(python("huey_tasks.py"));
}

#[test]
fn rq_keeps_the_results_of_its_jobs() {
    check_ours(python("rq_jobs.py"));
}

#[test]
fn limits_lets_in_as_many_as_it_should() {
    check_ours(python("rate_limits.py"));
}

#[test]
fn commands_defined_with_ioredis_work() {
    check_ours(node("ioredis_scripts.js"));
}

#[test]
fn bee_queue_runs_its_jobs() {
    check_ours(node("bee_queue_jobs.js"));
}

#[test]
fn bullmq_tells_of_each_step_of_its_jobs() {
    check_ours(node("bullmq_jobs.js"));
}
