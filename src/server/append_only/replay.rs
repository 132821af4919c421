//! Loads the append-only file when the server starts: its base, then the commands of its increments, one after the
//! other, through the executor.
//!
//! The last file may be cut off within a command or a transaction, because the server was killed or the power was cut:
//! then it is cut off where it is whole (`aof-load-truncated`). Any other fault keeps the server from starting.

use crate::aof::{self, FileInfo, Folder, Item, Kind, ReadError, Reader};
use crate::command::error::CommandError;
use crate::command::execute::Engine;
use crate::command::execute::replay::Replayer;
use crate::server::loader::{Destination, NONE_EXPIRED, Stop, load_into};
use crate::util::system_message;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// Commands between two looks at the clock and at requests to stop.
const COMMANDS_PER_LOOK: u64 = 1024;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// More than a power cut leaves behind what is whole.
const MOST_TORN_BYTES: u64 = 1024 * 1024 * 1024;
/// Commands with errors that the log names.
const NAMED_FAILURES: u64 = 10;

/// How the files are loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Ends before the first command that came later than this, in seconds of Unix time.
    pub until_s: Option<i64>,
    /// Changes no file: a file that is cut off stays as it is.
    pub reads_only: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Commands in them.
    pub commands: u64,
    /// Commands that gave an error.
    pub failures: u64,
    /// The file that was cut off, and the bytes up to where it is whole.
    pub cut: Option<(PathBuf, u64)>,
    /// The last annotation with a time, in seconds of Unix time.
    pub last_time_s: Option<i64>,
    /// Whether a command came later than was wanted.
    pub is_later_left_out: bool,
}

/// Loads all files; `None` if the server was requested to stop meanwhile.
///
/// # Errors
/// The lines for the log.
pub fn load(engine: &Engine, folder: &Folder, manner: Manner) -> Result<Option<Found>, String> {
    engine.loading.total_bytes.store(folder.bytes(), Relaxed);
    let mut replay = Replay {
        engine,
        replayer: Replayer::new(engine, 0),
        manner,
        found: Found::default(),
        bytes_before: 0,
    };
    let files: Vec<&FileInfo> = folder.manifest().files().collect();
    // Files after the last one that holds anything are of no importance.
    let last = files
        .iter()
        .rposition(|file| folder.bytes_of(file) > 0)
        .unwrap_or(0);
    for (number, file) in files.iter().enumerate() {
        let began = Instant::now();
        let path = folder.path_of(file);
        match replay.load(&path, number >= last) {
            Ok(()) => {}
            Err(Stop::Fault(line)) => return Err(line),
            Err(Stop::Shutdown | Stop::InserterEnded) => return Ok(None),
        }
        let kind = match file.kind {
            Kind::Base => "base",
            Kind::Increment | Kind::History => "incr",
        };
        engine.log.notice(format_args!(
            "DB loaded from {kind} file {}: {:.3} seconds",
            file.path().display(),
            began.elapsed().as_secs_f64()
        ));
        if replay.found.is_later_left_out {
            break;
        }
    }
    if replay.found.failures > NAMED_FAILURES {
        let (failures, commands) = (replay.found.failures, replay.found.commands);
        engine.log.warning(format_args!(
            "{failures} of {commands} commands gave errors when they were replayed"
        ));
    }
    Ok(Some(replay.found))
}

struct Replay<'a> {
    engine: &'a Engine,
    replayer: Replayer<'a>,
    manner: Manner,
    found: Found,
    /// Bytes of the files that have been loaded.
    bytes_before: u64,
}

impl Replay<'_> {
    /// Loads a file. If `is_last`, it may be cut off.
    fn load(&mut self, path: &Path, is_last: bool) -> Result<(), Stop> {
        let failed = |what: &str, error: &io::Error| {
            let words = system_message(error);
            Stop::Fault(format!(
                "Fatal error: can't {what} the append log file {}: {words}",
                path.display()
            ))
        };
        self.engine.loading.begin_file(self.bytes_before);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Stop::Fault(format!(
                    "The append log file {} doesn't exist: it is listed in the manifest",
                    path.display()
                )));
            }
            Err(error) => return Err(failed("open", &error)),
        };
        let len = file.metadata().map_or(0, |metadata| metadata.len());
        if len == 0 {
            return Ok(());
        }
        let position = match is_rdb(&mut file).map_err(|error| failed("read", &error))? {
            false => 0,
            true => self.load_base(&file, path)?,
        };
        file.seek(SeekFrom::Start(position))
            .map_err(|error| failed("read", &error))?;
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut reader = Reader::new(input, position);
        match self.replay(&mut reader, path)? {
            None => {}
            Some(ReadError::Truncated) if is_last => self.cut(path, reader.whole_bytes())?,
            Some(ReadError::Format) if is_last && ends_torn(path, reader.whole_bytes()) => {
                self.cut(path, reader.whole_bytes())?;
            }
            Some(error) => return Err(Stop::Fault(fault(path, &error, reader.position()))),
        }
        self.bytes_before += len;
        Ok(())
    }

    /// Loads the RDB file that a file begins with; returns the offset after it.
    fn load_base(&mut self, file: &File, path: &Path) -> Result<u64, Stop> {
        let engine = self.engine;
        // The threads that insert the keys need the locks.
        self.replayer.release();
        let copy = file.try_clone();
        let loaded = copy
            .map_err(|error| Stop::Fault(error.to_string()))
            .and_then(|file| load_into(engine, Destination::of(engine), file, NONE_EXPIRED));
        loaded.map_err(|stop| match stop {
            Stop::Fault(reason) => Stop::Fault(format!(
                "Error reading the RDB base file {}, AOF loading aborted: {reason}",
                path.display()
            )),
            stop => stop,
        })
    }

    /// Carries out the commands that a reader gives; returns the fault at which it has ended, if there is one.
    fn replay<R: io::BufRead>(
        &mut self,
        reader: &mut Reader<R>,
        path: &Path,
    ) -> Result<Option<ReadError>, Stop> {
        loop {
            let item = match reader.next_item() {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.replayer.discard_transaction();
                    return Ok(Some(error));
                }
            };
            if let Some(time_s) = item.timestamp_s() {
                if self.manner.until_s.is_some_and(|until_s| time_s > until_s) {
                    self.found.is_later_left_out = true;
                    self.replayer.discard_transaction();
                    return Ok(None);
                }
                self.found.last_time_s = Some(time_s);
            }
            if let Item::Command(arguments) = item {
                self.run(&arguments, path)?;
                self.look_around(reader.position())?;
            }
        }
    }

    fn run(&mut self, arguments: &[Vec<u8>], path: &Path) -> Result<(), Stop> {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        self.found.commands += 1;
        let Err(error) = self.replayer.run(&arguments) else {
            return Ok(());
        };
        let name = String::from_utf8_lossy(arguments[0]);
        match error {
            CommandError::UnknownCommand(_)
            | CommandError::UnknownSubcommand { .. }
            | CommandError::WrongArity(_) => Err(Stop::Fault(format!(
                "Unknown command '{name}' reading the append only file {}",
                path.display()
            ))),
            CommandError::DatabaseOutOfRange => Err(Stop::Fault(format!(
                "There are keys in another database than the {} of this server in the append only file {}: '{}'. \
                 Start with more --databases",
                self.engine.keyspace.databases(),
                path.display(),
                arguments
                    .iter()
                    .map(|argument| String::from_utf8_lossy(argument))
                    .collect::<Vec<_>>()
                    .join(" ")
            ))),
            error => {
                self.found.failures += 1;
                if self.found.failures <= NAMED_FAILURES {
                    self.engine.log.warning(format_args!(
                        "A command of the append only file {} gave an error: {name}: {error}",
                        path.display()
                    ));
                }
                Ok(())
            }
        }
    }

    fn look_around(&mut self, position: u64) -> Result<(), Stop> {
        let engine = self.engine;
        let delay_us = engine.config.key_load_delay.get();
        if delay_us > 0 {
            self.replayer.release();
            thread::sleep(Duration::from_micros(delay_us as u64));
        }
        if self.found.commands.is_multiple_of(COMMANDS_PER_LOOK) || delay_us > 0 {
            self.replayer.release();
            engine.loading.set_position(position);
            if engine.shutdown.is_under_way() {
                return Err(Stop::Shutdown);
            }
        }
        Ok(())
    }

    /// Cuts the last file off where it is whole.
    fn cut(&mut self, path: &Path, whole_bytes: u64) -> Result<(), Stop> {
        self.found.cut = Some((path.to_path_buf(), whole_bytes));
        let log = &self.engine.log;
        let name = path.display();
        if self.manner.reads_only {
            return Ok(());
        }
        if !self.engine.config.aof_load_truncated.get() {
            return Err(Stop::Fault(format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF \
                 file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the \
                 'aof-load-truncated' configuration option to yes and restart the server."
            )));
        }
        log.warning(format_args!(
            "!!! Warning: short read while loading the AOF file {name}!!!"
        ));
        log.warning(format_args!(
            "!!! Truncating the AOF {name} at offset {whole_bytes} !!!"
        ));
        let cut = OpenOptions::new().write(true).open(path);
        let cut = cut.and_then(|file| file.set_len(whole_bytes).and_then(|()| file.sync_all()));
        cut.map_err(|error| {
            let words = system_message(&error);
            Stop::Fault(format!("Error truncating the AOF file {name}: {words}"))
        })?;
        log.warning(format_args!(
            "AOF {name} loaded anyway because aof-load-truncated is enabled"
        ));
        Ok(())
    }
}

/// Whether a file begins with an RDB file.
fn is_rdb(file: &mut File) -> io::Result<bool> {
    let mut magic = Vec::new();
    file.take(5).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(magic == b"REDIS")
}

/// Whether a file, where it is not whole any more, is as a power cut may leave it.
fn ends_torn(path: &Path, whole_bytes: u64) -> bool {
    let mut rest = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(whole_bytes))?;
        file.take(MOST_TORN_BYTES).read_to_end(&mut rest)
    });
    read.is_ok_and(|len| (len as u64) < MOST_TORN_BYTES) && aof::is_torn(&rest)
}

fn fault(path: &Path, error: &ReadError, position: u64) -> String {
    let name = path.display();
    match error {
        ReadError::Truncated => format!(
            "Fatal error: the truncated file is not the last file: {name} ends at {position}, within a command or a \
             transaction, and others follow it"
        ),
        ReadError::Format => format!(
            "Bad file format reading the append only file {name} at offset {position}: make a backup of your AOF file, \
             then use ./redis-check-aof --fix <filename.manifest>"
        ),
        ReadError::Io(error) => format!(
            "Unrecoverable error reading the append only file {name}: {}",
            system_message(error)
        ),
    }
}
