//! A dump is replaced whole or not at all.
//!
//! The new one goes to a temporary file in the same directory, and takes the name of the old one when nothing can
//! happen to it any more:
//!
//! ```text
//! open the directory           first, since after the rename nothing should go wrong that could have gone wrong before
//! create temp-12.dump.my_rdb
//! write, write, ...
//! fsync temp-12.dump.my_rdb    or the rename could reach the disk first, and a power cut would leave an empty dump
//!  and read it back meanwhile  a dump that could not be loaded must not take the place of one that can
//! rename to dump.my_rdb        from here on, whoever opens the dump finds the new one
//! fsync the directory          or a power cut could bring the old one back, after somebody was told that it is saved
//! ```
//!
//! The temporary name begins with `temp-` and a process number and ends with the name of the dump (or with the end of
//! it, if it is very long). It is never that of the dump itself, whatever that is called, and a dump with another name
//! is not taken for what a killed saver of this one has left.
//!
//! Whoever opens the path at any moment finds the old dump or the new, whole; after a crash or a power cut, too. If a
//! step fails, the temporary file is removed, the old dump stays, and the error names the step. A failed fsync is not
//! tried again: Linux may have dropped the pages that it could not write, and would report success about the rest. The
//! next save begins with an empty file.
//!
//! The last step is the exception. When it fails, the new dump is in place and readers find it; only what a power cut
//! leaves is open, and that is the old dump or the new one, whole either way. It is an error all the same, because the
//! promise of a save is not kept, and there is no way back: the old file is gone with the rename.
//!
//! What is read back usually comes from the memory in which the system caches files. So it shows what went wrong on the
//! way to the system (memory, our own code), not what a disk does to the bytes later; the checksum tells that at the
//! next start.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{self, Path, PathBuf};
use std::process;
use std::thread;

use super::disk::{Disk, RealDisk};
use super::verify::verify;
use crate::util::system_message;

/// How many keys there are, and how many of them have a time to expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// All keys.
    pub keys: u64,
    /// Those with a time to expire.
    pub expires: u64,
}

/// Replaces `path` by the dump that `write` writes, and returns its size in bytes. With `reads_back`, the new dump must
/// be whole and hold as many keys as `write` says.
///
/// `write` should hand over large pieces, as `Writer` does: nothing is buffered here. One thread of a process at a time
/// may replace files in a directory, since they share the temporary name.
///
/// # Errors
/// The step that failed, its path, and what the system or the reader says: `fsync temp-12.dump.my_rdb: No space left on
/// device`. Errors of `write` itself come as they are. See the head of this file for what then is true.
pub fn replace(
    path: &Path,
    reads_back: bool,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<KeyCounts>,
) -> io::Result<u64> {
    // What a relative path leads to may change until the end of a save, by CONFIG SET dir.
    let path = path::absolute(path).map_err(|error| failed("resolve", path, error))?;
    replace_on(&RealDisk, &path, reads_back, write)
}

/// As `replace`, on any disk.
pub(super) fn replace_on(
    disk: &dyn Disk,
    path: &Path,
    reads_back: bool,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<KeyCounts>,
) -> io::Result<u64> {
    let directory_path = path.parent().unwrap_or(path);
    let directory = disk
        .open(directory_path)
        .map_err(|error| failed("open", directory_path, error))?;
    let temporary = Temporary {
        disk,
        path: directory_path.join(temporary_name(process::id(), path)),
        is_renamed: false,
    };
    let mut output = Output::create(disk, &temporary.path)?;
    let counts = write(&mut output)?;
    match reads_back {
        true => sync_and_read_back(&output, counts)?,
        false => output.sync()?,
    }
    let size = output.written;
    temporary.rename(path)?;
    disk.sync_directory(&directory)
        .map_err(|error| failed("fsync", directory_path, error))?;
    Ok(size)
}

/// Both at the same time: the one waits for the disk, the other needs the processor.
fn sync_and_read_back(output: &Output<'_>, counts: KeyCounts) -> io::Result<()> {
    thread::scope(|scope| {
        let syncing = thread::Builder::new().spawn_scoped(scope, || output.sync());
        let read = read_back(output, counts);
        let synced = match syncing {
            Ok(thread) => {
                let panicked = |_| {
                    Err(io::Error::other(
                        "the thread that waits for the disk panicked",
                    ))
                };
                thread.join().unwrap_or_else(panicked)
            }
            // The system has no thread to give.
            Err(_) => output.sync(),
        };
        synced.and(read)
    })
}

/// Reads a file that was just written, which must hold what it was meant to.
fn read_back(output: &Output<'_>, counts: KeyCounts) -> io::Result<()> {
    let Output {
        disk,
        path,
        written: size,
        ..
    } = *output;
    let input = Input::open(disk, path)?;
    let wrong = |what: String| failed("read back", path, io::Error::other(what));
    let found = verify(input).map_err(|error| wrong(error.to_string()))?;
    let KeyCounts { keys, expires } = counts;
    if (found.bytes, found.keys, found.expires) != (size, keys, expires) {
        return Err(wrong(format!(
            "{keys} keys, {expires} of them with an expiry, were to be written in {size} bytes; found {}, {} and {}",
            found.keys, found.expires, found.bytes
        )));
    }
    Ok(())
}

/// An error with the step and the path before it, for the log: "rename /data/temp-12.dump.my_rdb: Is a directory".
fn failed(step: &str, path: &Path, error: io::Error) -> io::Error {
    let words = system_message(&error);
    io::Error::new(error.kind(), format!("{step} {}: {words}", path.display()))
}

/// The temporary file while it is written.
struct Output<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    file: fs::File,
    written: u64,
}

impl<'a> Output<'a> {
    fn create(disk: &'a dyn Disk, path: &'a Path) -> io::Result<Output<'a>> {
        let file = disk
            .create(path)
            .map_err(|error| failed("create", path, error))?;
        Ok(Output {
            disk,
            path,
            file,
            written: 0,
        })
    }

    /// Makes the content durable.
    fn sync(&self) -> io::Result<()> {
        self.disk
            .sync(&self.file)
            .map_err(|error| failed("fsync", self.path, error))
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.disk.write(&self.file, bytes) {
            Ok(0) if !bytes.is_empty() => {
                Err(failed("write", self.path, io::ErrorKind::WriteZero.into()))
            }
            Ok(len) => {
                self.written += len as u64;
                Ok(len)
            }
            Err(error) => Err(failed("write", self.path, error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The temporary file while it is read back.
struct Input<'a> {
    disk: &'a dyn Disk,
    file: fs::File,
}

impl<'a> Input<'a> {
    fn open(disk: &'a dyn Disk, path: &Path) -> io::Result<Input<'a>> {
        let file = disk
            .open(path)
            .map_err(|error| failed("open", path, error))?;
        Ok(Input { disk, file })
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A client whose request has come need not wait for the rest of the file.
        thread::yield_now();
        self.disk.read(&self.file, buffer)
    }
}

/// Removes the temporary files that killed processes have left when they replaced `path`, and returns how many.
///
/// Call it at start, before the first `replace`: a file with our own process number is then an old one too (in a
/// container every start has the same number).
pub fn remove_stale_temporaries(path: &Path) -> io::Result<usize> {
    let directory = match path.parent() {
        None => return Ok(0),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(pid) = pid_of_temporary_name(&entry.file_name(), path) else {
            continue;
        };
        let is_stale = pid == process::id() || has_ended(pid);
        if is_stale && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes the temporary file of a `replace` of `path` under way, because the process is about to end.
pub fn abandon(path: &Path) {
    // Mostly there is none.
    let _ = fs::remove_file(path.with_file_name(temporary_name(process::id(), path)));
}

/// What the file that is to become `path` is called until then.
pub(super) fn temporary_name(pid: u32, path: &Path) -> OsString {
    // File systems take 255 bytes. What is left of a name that is nearly as long makes a name that is shorter than it.
    const LONGEST: usize = 236;
    const LEFT: usize = 128;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut start = match name.len() {
        ..=LONGEST => 0,
        len => len - LEFT,
    };
    while !name.is_char_boundary(start) {
        start += 1;
    }
    format!("temp-{pid}.{}", &name[start..]).into()
}

fn pid_of_temporary_name(name: &OsStr, path: &Path) -> Option<u32> {
    let bytes = name.as_encoded_bytes().strip_prefix(b"temp-")?;
    let digits = bytes.split(|byte| *byte == b'.').next()?;
    let pid = str::from_utf8(digits).ok()?.parse().ok()?;
    // Only names that we could have given: `parse` would also take "+7" and "007".
    (temporary_name(pid, path) == name).then_some(pid)
}

/// Whether no process has this number. Where there is no /proc, nothing is known, and the answer is no.
fn has_ended(pid: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new("/proc").join(pid.to_string()).exists()
}

/// Removes the file when it goes out of scope, unless it has got its name.
struct Temporary<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    is_renamed: bool,
}

impl Temporary<'_> {
    fn rename(mut self, to: &Path) -> io::Result<()> {
        self.disk
            .rename(&self.path, to)
            .map_err(|error| failed("rename", &self.path, error))?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            // Nobody can be told here, and a file that stays is removed at the next start.
            let _ = self.disk.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ValueRef, Writer, WriterOptions};
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

    /// Writes a dump of one key.
    fn write_key(output: &mut (dyn Write + Send), value: &[u8]) -> io::Result<KeyCounts> {
        let options = WriterOptions {
            compression: false,
            checksum: true,
        };
        let mut writer = Writer::new(output, options)?;
        writer.key(b"key", None, ValueRef::String(value))?;
        writer.finish()?;
        Ok(KeyCounts {
            keys: 1,
            expires: 0,
        })
    }

    #[test]
    fn the_new_content_takes_the_place_of_the_old() -> io::Result<()> {
        let directory = directory("replace");
        let path = directory.join("dump.my_rdb");
        // Header, type, key, value, EOF, checksum: 9 + 1 + 4 + 6 + 1 + 8 bytes, and one more.
        for (value, size) in [(&b"first"[..], 29), (b"second", 30)] {
            assert_eq!(
                replace(&path, true, |output| write_key(output, value))?,
                size
            );
            let dump = fs::read(&path)?;
            assert_eq!(dump.len() as u64, size);
            assert!(dump.windows(value.len()).any(|part| part == value));
        }
        assert_eq!(names(&directory), ["dump.my_rdb"]);
        fs::remove_dir_all(directory)
    }

    #[test]
    fn after_an_error_the_old_content_stands() -> io::Result<()> {
        let directory = directory("error");
        let path = directory.join("dump.my_rdb");
        fs::write(&path, b"old")?;
        let result = replace(&path, true, |output| {
            output.write_all(&[b'x'; 1000])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(
            result.expect_err("the writer failed").to_string(),
            "no more"
        );
        assert_eq!(fs::read(&path)?, b"old");
        assert_eq!(names(&directory), ["dump.my_rdb"]);
        // A name that cannot be taken: the path is a directory.
        let taken = directory.join("taken");
        fs::create_dir(&taken)?;
        let error =
            replace(&taken, true, |output| write_key(output, b"x")).expect_err("a directory stays");
        let temporary = directory.join(temporary_name(process::id(), &taken));
        assert_eq!(
            error.to_string(),
            format!("rename {}: Is a directory", temporary.display())
        );
        assert_eq!(names(&directory), ["dump.my_rdb", "taken"]);
        fs::remove_dir_all(directory)
    }

    /// What is wrong with a file that was written, and how the error about it begins.
    #[test]
    fn a_dump_that_is_not_what_it_was_meant_to_be_is_not_taken() -> io::Result<()> {
        type Wrong = fn(&mut (dyn Write + Send)) -> io::Result<KeyCounts>;
        let cases: [(Wrong, &str); 4] = [
            (
                |output| {
                    let mut dump = Vec::new();
                    let counts = write_key(&mut dump, b"value")?;
                    dump[15] ^= 1;
                    output.write_all(&dump).map(|()| counts)
                },
                "[offset 21] Wrong RDB checksum expected",
            ),
            (
                |output| {
                    output
                        .write_all(b"REDIS0009\x00\x03key")
                        .map(|()| KeyCounts::default())
                },
                "[offset 14] Unexpected EOF reading RDB file: expected a string value",
            ),
            (
                |output| {
                    write_key(output, b"value").map(|_| KeyCounts {
                        keys: 2,
                        expires: 0,
                    })
                },
                "2 keys, 0 of them with an expiry, were to be written in 29 bytes; found 1, 0 and 29",
            ),
            (
                |output| {
                    write_key(output, b"value").map(|_| KeyCounts {
                        keys: 1,
                        expires: 1,
                    })
                },
                "1 keys, 1 of them with an expiry, were to be written in 29 bytes; found 1, 0 and 29",
            ),
        ];
        let directory = directory("wrong");
        let path = directory.join("dump.my_rdb");
        let temporary = directory.join(temporary_name(process::id(), &path));
        for (write, expected) in cases {
            fs::write(&path, b"old")?;
            let error = replace(&path, true, write).expect_err("it is wrong");
            let expected = format!("read back {}: {expected}", temporary.display());
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert_eq!(fs::read(&path)?, b"old");
            assert_eq!(names(&directory), ["dump.my_rdb"]);
            // Whoever does not want it read back gets what was written.
            replace(&path, false, write)?;
            assert_ne!(fs::read(&path)?, b"old");
        }
        fs::remove_dir_all(directory)
    }

    #[test]
    fn files_of_ended_processes_are_removed() -> io::Result<()> {
        let directory = directory("stale");
        let path = directory.join("dump.my_rdb");
        // Linux numbers processes up to 2^22, and process 1 always runs.
        let stale = "temp-4194305.dump.my_rdb".to_string();
        let of_earlier_start = format!("temp-{}.dump.my_rdb", process::id());
        let others = [
            "dump.my_rdb",
            "temp-+7.dump.my_rdb",
            "temp-1.dump.my_rdb",
            "temp-4194305.my_rdb",
            "temp-4194305.other.my_rdb",
            "temp-4194305.temp-4194305.dump.my_rdb",
        ];
        let removed = [&stale[..], &of_earlier_start];
        for name in others.iter().chain(&removed) {
            fs::write(directory.join(name), b"x")?;
        }
        // No saver makes a directory.
        fs::create_dir(directory.join("temp-4194306.dump.my_rdb"))?;
        assert_eq!(remove_stale_temporaries(&path)?, 2);
        let mut expected = [&others[..], &["temp-4194306.dump.my_rdb"]].concat();
        expected.sort_unstable();
        assert_eq!(names(&directory), expected);
        fs::remove_dir_all(directory)
    }

    /// Names that look like temporary ones are names of dumps as any other.
    #[test]
    fn a_dump_may_be_called_as_a_temporary_file() -> io::Result<()> {
        let directory = directory("called");
        let own = format!("temp-{}.my_rdb", process::id());
        // The longest name that file systems take, made of what a temporary name begins with.
        let longest = "temp-7.".repeat(36) + "ö.";
        assert_eq!(longest.len(), 255);
        let names_of_dumps = ["temp-4194305.my_rdb", &own, "temp-", "temp-7.", &longest];
        for name in names_of_dumps {
            let path = directory.join(name);
            replace(&path, true, |output| write_key(output, b"value"))?;
            assert_eq!(remove_stale_temporaries(&path)?, 0);
            // The old dump is there until the new one takes its place, so that a failure leaves it.
            let failure = |output: &mut (dyn Write + Send)| {
                output.write_all(b"x")?;
                assert_eq!(fs::metadata(&path)?.len(), 29);
                Err(io::Error::other("no more"))
            };
            assert!(replace(&path, true, failure).is_err());
            assert_eq!(fs::metadata(&path)?.len(), 29, "{name}");
        }
        let mut expected = names_of_dumps;
        expected.sort_unstable();
        assert_eq!(names(&directory), expected);
        fs::remove_dir_all(directory)
    }
}
