//! Writes the base of the append-only file: the data of one moment, as an RDB file or as commands.

use crate::aof::commands;
use crate::command::execute::Engine;
use crate::rdb::file;
use crate::server::dump::{self, Form, Image};
use crate::state::values;
use crate::util::clock;
use crate::util::disk::{Disk, failed};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Writes the base as a whole, or not at all; returns its size in bytes.
///
/// # Errors
/// What failed; or the rewrite was cancelled.
pub fn write(
    engine: &Engine,
    image: &Image<'_>,
    disk: &dyn Disk,
    path: &Path,
    is_rdb: bool,
) -> io::Result<u64> {
    let expected = image.counts();
    let reads_back = is_rdb && engine.config.rdb_read_back.get();
    let written = file::replace_on(disk, path, reads_back, |output| {
        let output = Cancellable { engine, output };
        match is_rdb {
            true => {
                dump::write(
                    engine,
                    image,
                    Form::of_base(engine),
                    output,
                    &AtomicU64::new(0),
                )?;
            }
            false => write_commands(engine, image, BufWriter::new(output))?,
        }
        Ok(expected)
    });
    written.map_err(|error| match engine.append_only.rewrites.is_cancelled() {
        true => failed("write", path, io::ErrorKind::Interrupted.into()),
        false => error,
    })
}

fn write_commands(engine: &Engine, image: &Image<'_>, mut output: impl Write) -> io::Result<()> {
    if engine.config.aof_timestamp_enabled.get() {
        write!(output, "#TS:{}\r\n", clock::unix_ms() / 1000)?;
    }
    for library in image.libraries() {
        commands::write_library(&mut output, &library.text)?;
    }
    let snapshot = &image.snapshot;
    for (database, size) in snapshot.sizes.iter().enumerate() {
        if size.keys > 0 {
            commands::write_select(&mut output, database as u64)?;
        }
        while let Some(shard) = snapshot.next_shard(database) {
            for entry in shard.iter() {
                values::with_value_ref(entry.value(), |value| {
                    commands::write_key(&mut output, entry.key(), entry.expires_at_ms(), value)
                })?;
            }
        }
    }
    output.flush()
}

/// An output that fails when the rewrite is cancelled.
struct Cancellable<'a, W> {
    engine: &'a Engine,
    output: W,
}

impl<W: Write> Write for Cancellable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.engine.append_only.rewrites.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
