//! The history: what was typed, in the file `~/.my_rediscli_history`, a line for each, without secrets.
//!
//! The variable `REDISCLI_HISTFILE` names another file, and `/dev/null` none. Lines are appended one by one, so several
//! prompts can share the file.

use super::user_file;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// The most lines that are kept when a prompt starts.
const MAX_LINES: usize = 1000;

/// The file of the history.
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// The history of the user, and its lines.
    pub fn open() -> (History, Vec<String>) {
        let path = user_file::path("REDISCLI_HISTFILE", ".my_rediscli_history");
        let text = path.as_ref().and_then(|path| fs::read(path).ok());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let history = History { path };
        // A file of an older program may be readable by everyone, and its secrets are no one's business.
        history.make_private();
        let superfluous = lines.len().saturating_sub(MAX_LINES);
        if superfluous > 0 {
            // A history that cannot be shortened is no reason to end.
            let _ = history.rewrite(&lines[superfluous..]);
        }
        (history, lines[superfluous..].to_vec())
    }

    /// Takes the rights of other users from the file, as redis-cli does. A device or a pipe keeps its rights.
    fn make_private(&self) {
        if let Some(path) = &self.path
            && path.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            // A file of another user is used as it is.
            let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
        }
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
