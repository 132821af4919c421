//! The most used client of all: what an application does through redis-py, in both versions of the protocol.

use crate::common::{Folder, Server};
use std::path::Path;
use std::process::Command;

/// Runs the session, and returns what it complained of.
fn run_session(server: &Server, protocol: u8) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    let output = Command::new(&python)
        .arg(root.join("tests/redis_py/session.py"))
        .args([server.port.to_string(), protocol.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; tools/test.sh installs it", python.display()));
    match output.status.success() {
        true => String::new(),
        false => String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn redis_py_is_served() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for protocol in [2, 3] {
        let complaint = run_session(&server, protocol);
        assert!(complaint.is_empty(), "RESP{protocol}: {complaint}");
    }
}

/// The session asks for nothing that Redis does not do.
#[test]
fn redis_serves_the_same_session() {
    let folder = Folder::new();
    let server = Server::real(&folder, &[]);
    for protocol in [2, 3] {
        let complaint = run_session(&server, protocol);
        assert!(complaint.is_empty(), "RESP{protocol}: {complaint}");
    }
}
