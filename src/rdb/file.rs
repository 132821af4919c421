//! Replaces a dump as a whole or not at all.
//!
//! The new dump is written to a temporary file in the directory of the old one. It takes the name of the old dump when
//! its content is on the disk:
//!
//! ```text
//! open the directory           first, so that after the rename only one step can fail: the last
//! create temp-12.dump.my_rdb
//! write, write, ...
//! fsync temp-12.dump.my_rdb    else the rename could reach the disk before the content: a power cut would leave an
//! empty dump
//!  and read it back meanwhile  a dump that cannot be loaded must not replace one that can
//! rename to dump.my_rdb        from here on, a program that opens the dump finds the new one
//! fsync the directory          else a power cut could bring the old dump back after the save was acknowledged
//! ```
//!
//! The temporary name begins with `temp-` and a process number. It ends with the name of the dump, or with the end of
//! that name if it is very long. It is never equal to the name of the dump. Temporary files of dumps with other names
//! are not removed.
//!
//! # Invariants
//! 1. A program that opens the path at any time finds a whole dump, old or new; also after a crash or a power cut.
//! 2. If a step before the rename fails, the temporary file is removed, the old dump stays, and the error names the
//!    step. A failed fsync is not repeated: Linux may have dropped the pages that it could not write, and would report
//!    success for the others. The next save begins with an empty file.
//! 3. If the last step fails, the new dump is in place, but a power cut may leave the old one. That is an error, too,
//!    because the save cannot be acknowledged as durable. It cannot be undone: the rename has removed the old file.
//! 4. One thread of a process at a time replaces files in a directory, because the temporary name is fixed.
//!    [`replace`] spawns a second thread, which waits for fsync while the first one reads the file back; it has ended
//!    when `replace` returns.
//!
//! The file is usually read back from the system's page cache. That finds errors made on the way there (in memory, in
//! our code), but not damage done by a disk later. The checksum finds that at the next start.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{self, Path, PathBuf};
use std::process;
use std::thread;

use super::verify::verify;
use crate::util::disk::{Disk, RealDisk, failed};

/// How much a dump holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All keys.
    pub keys: u64,
    /// The keys with a time to expire.
    pub expires: u64,
    /// Function libraries.
    pub libraries: u64,
}

/// Replaces `path` by the dump that `write` writes, and returns its size in bytes. With `reads_back`, the new dump must
/// be whole and hold as many keys and libraries as `write` says.
///
/// `write` should hand over large pieces, as `Writer` does: nothing is buffered here. One thread of a process at a time
/// may replace files in a directory, since they share the temporary name.
///
/// # Errors
/// The step that failed, its path, and what the system or the reader says:
/// `fsync temp-12.dump.my_rdb: No space left on device`. Errors of `write` itself are returned unchanged. The head of
/// this file says what holds after an error.
pub fn replace(
    path: &Path,
    reads_back: bool,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<Counts>,
) -> io::Result<u64> {
    // The path is made absolute: CONFIG SET dir may change the working directory during a save.
    let path = path::absolute(path).map_err(|error| failed("resolve", path, error))?;
    replace_on(&RealDisk, &path, reads_back, write)
}

/// [`replace`] on any disk.
pub fn replace_on(
    disk: &dyn Disk,
    path: &Path,
    reads_back: bool,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<Counts>,
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

/// Calls fsync and reads the file back at the same time: the former waits for the disk, the latter needs the processor.
fn sync_and_read_back(output: &Output<'_>, counts: Counts) -> io::Result<()> {
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
            // If the system has no thread to give, this thread calls fsync.
            Err(_) => output.sync(),
        };
        synced.and(read)
    })
}

/// Reads a file that was just written, and checks that it is whole and has the right number of keys and libraries.
fn read_back(output: &Output<'_>, counts: Counts) -> io::Result<()> {
    let Output {
        disk,
        path,
        written: size,
        ..
    } = *output;
    let input = Input::open(disk, path)?;
    let wrong = |what: String| failed("read back", path, io::Error::other(what));
    let found = verify(input).map_err(|error| wrong(error.to_string()))?;
    let Counts {
        keys,
        expires,
        libraries,
    } = counts;
    let expected = (size, keys, expires, libraries);
    if (found.bytes, found.keys, found.expires, found.libraries) == expected {
        return Ok(());
    }
    let found = format!(
        "{}, {}, {} and {}",
        found.keys, found.expires, found.libraries, found.bytes
    );
    Err(wrong(format!(
        "{keys} keys ({expires} with an expiry) and {libraries} libraries were to be written in {size} bytes; found \
         {found}"
    )))
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
        // Offers the processor to the thread of a client whose request has come.
        thread::yield_now();
        self.disk.read(&self.file, buffer)
    }
}

/// Removes the temporary files that killed processes have left when they replaced `path`, and returns their number.
///
/// It must be called before the first `replace`: then a file with our own process number is an old one, too (in a
/// container every process may have the number 1).
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
    // Usually no such file exists.
    let _ = fs::remove_file(path.with_file_name(temporary_name(process::id(), path)));
}

/// The temporary name of the file that is to become `path`.
pub(super) fn temporary_name(pid: u32, path: &Path) -> OsString {
    // File systems take names of 255 bytes. A longer temporary name keeps the end of the dump's name only.
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
    // Only names that a saver could have given: `parse` would also accept "+7" and "007".
    (temporary_name(pid, path) == name).then_some(pid)
}

/// Whether no process has this number. On a system without /proc the answer is `false`.
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
            // An error cannot be reported here. A file that stays is removed at the next start.
            let _ = self.disk.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ValueRef, Writer, WriterOptions};
    use super::*;
    use crate::rdb::format::VERSION_FOR_ALL;

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
    fn write_key(output: &mut (dyn Write + Send), value: &[u8]) -> io::Result<Counts> {
        let options = WriterOptions {
            version: VERSION_FOR_ALL,
            compression: false,
            checksum: true,
        };
        let mut writer = Writer::new(output, options)?;
        writer.key(b"key", None, ValueRef::String(value))?;
        writer.finish()?;
        Ok(Counts {
            keys: 1,
            ..Counts::default()
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

    /// Faults of a file that was written, and the beginning of the error about each.
    #[test]
    fn a_dump_that_is_not_what_it_was_meant_to_be_is_not_taken() -> io::Result<()> {
        type Wrong = fn(&mut (dyn Write + Send)) -> io::Result<Counts>;
        let cases: [(Wrong, &str); 5] = [
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
                        .map(|()| Counts::default())
                },
                "[offset 14] Unexpected EOF reading RDB file: expected a string value",
            ),
            (
                |output| {
                    write_key(output, b"value").map(|_| Counts {
                        keys: 2,
                        ..Counts::default()
                    })
                },
                "2 keys (0 with an expiry) and 0 libraries were to be written in 29 bytes; found 1, 0, 0 and 29",
            ),
            (
                |output| {
                    write_key(output, b"value").map(|counts| Counts {
                        libraries: 1,
                        ..counts
                    })
                },
                "1 keys (0 with an expiry) and 1 libraries were to be written in 29 bytes; found 1, 0, 0 and 29",
            ),
            (
                |output| {
                    write_key(output, b"value").map(|_| Counts {
                        keys: 1,
                        expires: 1,
                        libraries: 0,
                    })
                },
                "1 keys (1 with an expiry) and 0 libraries were to be written in 29 bytes; found 1, 0, 0 and 29",
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
            // Without reading back, the file is accepted.
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
        // A directory is not a file of a saver.
        fs::create_dir(directory.join("temp-4194306.dump.my_rdb"))?;
        assert_eq!(remove_stale_temporaries(&path)?, 2);
        let mut expected = [&others[..], &["temp-4194306.dump.my_rdb"]].concat();
        expected.sort_unstable();
        assert_eq!(names(&directory), expected);
        fs::remove_dir_all(directory)
    }

    /// A dump may have a name that looks like a temporary one.
    #[test]
    fn a_dump_may_be_called_as_a_temporary_file() -> io::Result<()> {
        let directory = directory("called");
        let own = format!("temp-{}.my_rdb", process::id());
        // The longest name that file systems take, with the beginning of a temporary name.
        let longest = "temp-7.".repeat(36) + "ö.";
        assert_eq!(longest.len(), 255);
        let names_of_dumps = ["temp-4194305.my_rdb", &own, "temp-", "temp-7.", &longest];
        for name in names_of_dumps {
            let path = directory.join(name);
            replace(&path, true, |output| write_key(output, b"value"))?;
            assert_eq!(remove_stale_temporaries(&path)?, 0);
            // The old dump exists until the new one replaces it, so a failure leaves it.
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
