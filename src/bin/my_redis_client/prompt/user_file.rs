//! Where the files of the user are.

use std::env;
use std::path::{Path, PathBuf};

/// The file that the variable of the environment names, or `name` in the home folder. `None` if there shall be none.
pub fn path(variable: &str, name: &str) -> Option<PathBuf> {
    match env::var_os(variable).filter(|path| !path.is_empty()) {
        Some(path) if path == "/dev/null" => None,
        Some(path) => Some(path.into()),
        None => {
            let home = env::var_os("HOME").filter(|home| !home.is_empty())?;
            Some(Path::new(&home).join(name))
        }
    }
}
