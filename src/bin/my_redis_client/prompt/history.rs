//! The history: what was typed, in the file `~/.my_rediscli_history`, a line for each, without secrets.
//!
//! The variable `REDISCLI_HISTFILE` names another file, and `/dev/null` none. Lines are appended one by one, so several
//! prompts can share the file.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most lines that are kept when a prompt starts.
const MAX_LINES: usize = 1000;

/// Directives whose values are secret.
const SECRET_DIRECTIVES: [&str; 5] = [
    "masterauth",
    "masteruser",
    "requirepass",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

/// A file of the user: the one that the variable names, or `name` in the home folder. `None` if there shall be none.
pub fn file_of_user(variable: &str, name: &str) -> Option<PathBuf> {
    match env::var_os(variable).filter(|path| !path.is_empty()) {
        Some(path) if path == "/dev/null" => None,
        Some(path) => Some(path.into()),
        None => {
            let home = env::var_os("HOME").filter(|home| !home.is_empty())?;
            Some(Path::new(&home).join(name))
        }
    }
}

/// The file of the history.
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// The history of the user, and its lines.
    pub fn open() -> (History, Vec<String>) {
        let path = file_of_user("REDISCLI_HISTFILE", ".my_rediscli_history");
        let text = path.as_ref().and_then(|path| fs::read(path).ok());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let history = History { path };
        let superfluous = lines.len().saturating_sub(MAX_LINES);
        if superfluous > 0 {
            // A history that cannot be shortened is no reason to end.
            let _ = history.rewrite(&lines[superfluous..]);
        }
        (history, lines[superfluous..].to_vec())
    }

    /// Appends a line. A line end within it, which a quoted value may have, would make it two: it is not kept.
    pub fn append(&self, line: &str) {
        if line.contains('\n') {
            return;
        }
        // A history that cannot be written is no reason to end.
        let _ = self.try_append(line);
    }

    fn try_append(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        writeln!(private().append(true).open(path)?, "{line}")
    }

    fn rewrite(&self, lines: &[String]) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut file = private().write(true).truncate(true).open(path)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())
    }
}

/// Options for a file that its owner alone may read.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.create(true).mode(0o600);
    options
}

/// Whether a command holds a password: then it stays out of the file. The rules are those of redis-cli.
pub fn is_secret(command: &[Vec<u8>]) -> bool {
    let words: Vec<String> = command
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The client's own commands about a command.
        [":explain", ..] => is_secret(&command[1..]),
        [":watch", _, ..] => is_secret(&command[2..]),
        ["auth", ..] | ["acl", "deluser" | "setuser", ..] => true,
        ["config", "set", pairs @ ..] => pairs
            .iter()
            .step_by(2)
            .any(|name| SECRET_DIRECTIVES.contains(name)),
        ["hello", _, options @ ..] => is_secret_greeting(options),
        ["migrate", _, _, _, _, _, options @ ..] => options
            .iter()
            .take_while(|word| **word != "keys")
            .any(|word| matches!(*word, "auth" | "auth2")),
        _ => false,
    }
}

/// Whether AUTH is among the options of HELLO, and not the name that SETNAME gives.
fn is_secret_greeting(mut options: &[&str]) -> bool {
    loop {
        match options {
            ["auth", _, _, ..] => return true,
            ["setname", _, rest @ ..] => options = rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use my_redis_server::util::quoting::split_arguments;

    #[test]
    fn passwords_are_secret() {
        let is_secret = |line: &str| is_secret(&split_arguments(line.as_bytes()).unwrap());
        for line in [
            "AUTH pw",
            ":explain auth pw",
            ":watch 1 auth pw",
            "auth ann pw",
            "ACL SETUSER ann >pw",
            "acl deluser ann",
            "CONFIG SET maxmemory 1 requirepass pw",
            "HELLO 3 AUTH ann pw",
            "HELLO 3 SETNAME me AUTH ann pw",
            "MIGRATE host 6379 key 0 100 AUTH pw",
            "MIGRATE host 6379 \"\" 0 100 COPY AUTH2 ann pw KEYS a",
        ] {
            assert!(is_secret(line), "{line}");
        }
        for line in [
            "GET auth",
            "ACL WHOAMI",
            "CONFIG SET maxmemory requirepass",
            "CONFIG GET requirepass",
            "HELLO 3 SETNAME auth",
            "MIGRATE host 6379 \"\" 0 100 KEYS auth x",
        ] {
            assert!(!is_secret(line), "{line}");
        }
    }
}
