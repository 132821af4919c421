//! The programs of tests/programs/python.

use std::path::Path;
use std::process::Command;

/// One of them, without arguments.
pub fn python(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("target/venv/bin/python"));
    command.arg(root.join("tests/programs/python").join(program));
    command
}
