//! A file on disk is replaced whole or not at all.
//!
//! The new content goes to a temporary file in the same directory, reaches the disk, and only then takes the name of the
//! old one. Whoever opens the path at any moment, a crash included, finds the old content or the new, never a part.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Large enough that a plain disk is written in long strokes.
const BUFFER_SIZE: usize = 1024 * 1024;

/// Replaces `path` by what `write` writes. Returns the size of the new file in bytes.
///
/// After an error, `path` is as it was and the temporary file is gone; only if the very last step fails, making the rename
/// itself durable, the new content is in place already. One thread of a process at a time may replace files in a
/// directory, since they share the temporary name.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = Temporary {
        path: directory.join(temporary_name(process::id())),
    };
    let mut output = BufWriter::with_capacity(BUFFER_SIZE, File::create(&temporary.path)?);
    write(&mut output)?;
    let file = output.into_inner().map_err(|error| error.into_error())?;
    let size = file.metadata()?.len();
    // Without this the rename could reach the disk before the content, and a power cut would leave an empty file.
    file.sync_all()?;
    fs::rename(&temporary.path, path)?;
    // The rename is a change of the directory, which has to reach the disk as well.
    File::open(directory)?.sync_all()?;
    Ok(size)
}

/// Removes the temporary files that killed processes have left in `directory`, and returns how many.
///
/// Call it at start, before the first `replace`: a file with our own process number is then an old one too (in a
/// container every start has the same number).
pub fn remove_stale_temporaries(directory: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(pid_of_temporary_name) else {
            continue;
        };
        if pid == process::id() || has_ended(pid) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn temporary_name(pid: u32) -> String {
    format!("temp-{pid}.my_rdb")
}

fn pid_of_temporary_name(name: &str) -> Option<u32> {
    let pid = name
        .strip_prefix("temp-")?
        .strip_suffix(".my_rdb")?
        .parse()
        .ok()?;
    // Only names that we could have given: `parse` would also take "+7" and "007".
    (temporary_name(pid) == name).then_some(pid)
}

/// Whether no process has this number. Where there is no /proc, nothing is known, and the answer is no.
fn has_ended(pid: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new("/proc").join(pid.to_string()).exists()
}

/// Removes the file when it goes out of scope; after the rename there is nothing left to remove.
struct Temporary {
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody can be told here, and a file that stays is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty directory of its own for each test.
    fn directory(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("my_redis_file_{test}_{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        path
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .expect("the directory exists")
            .map(|entry| {
                entry
                    .expect("a readable entry")
                    .file_name()
                    .into_string()
                    .expect("an ASCII name")
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_takes_the_place_of_the_old() -> io::Result<()> {
        let directory = directory("replace");
        let path = directory.join("dump.my_rdb");
        assert_eq!(replace(&path, |output| output.write_all(b"first"))?, 5);
        assert_eq!(replace(&path, |output| output.write_all(b"second"))?, 6);
        assert_eq!(fs::read(&path)?, b"second");
        assert_eq!(names(&directory), ["dump.my_rdb"]);
        fs::remove_dir_all(directory)
    }

    #[test]
    fn after_an_error_the_old_content_stands() -> io::Result<()> {
        let directory = directory("error");
        let path = directory.join("dump.my_rdb");
        fs::write(&path, b"old")?;
        let result = replace(&path, |output| {
            output.write_all(&[b'x'; 2 * BUFFER_SIZE])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(
            result.expect_err("the writer failed").to_string(),
            "no more"
        );
        assert_eq!(fs::read(&path)?, b"old");
        assert_eq!(names(&directory), ["dump.my_rdb"]);
        // A name that cannot be taken: the path is a directory.
        fs::create_dir(directory.join("taken"))?;
        replace(&directory.join("taken"), |output| output.write_all(b"x"))
            .expect_err("a directory stays");
        assert_eq!(names(&directory), ["dump.my_rdb", "taken"]);
        fs::remove_dir_all(directory)
    }

    #[test]
    fn files_of_ended_processes_are_removed() -> io::Result<()> {
        let directory = directory("stale");
        // Linux numbers processes up to 2^22, and process 1 always runs.
        let names_before = [
            "temp-4194305.my_rdb",
            "temp-1.my_rdb",
            "temp-4194305.rdb",
            "temp-+7.my_rdb",
            "dump.my_rdb",
        ];
        for name in names_before {
            fs::write(directory.join(name), b"x")?;
        }
        fs::write(directory.join(temporary_name(process::id())), b"x")?;
        assert_eq!(remove_stale_temporaries(&directory)?, 2);
        assert_eq!(
            names(&directory),
            [
                "dump.my_rdb",
                "temp-+7.my_rdb",
                "temp-1.my_rdb",
                "temp-4194305.rdb"
            ]
        );
        fs::remove_dir_all(directory)
    }
}
