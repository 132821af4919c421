//! Sends the dump to a client that has asked for it, in the client's own thread. Of SYNC, this is the part that
//! `redis-cli --rdb` needs.
//!
//! Clients that ask at the same time share a [round](crate::state::transfers) and its snapshot. A client that does not
//! read is disconnected after `repl-timeout`; until then the round keeps the old state of everything that changes
//! (copy-on-write).

use super::dump::{self, Form, Image};
use super::socket::{Socket, WithPatience};
use crate::command::execute::Engine;
use crate::command::session::Session;
use crate::state::Server;
use crate::state::transfers::{End, Membership, Next, RoundOutput, Turn, new_end_mark};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The time after which a client that waits for its dump gets an empty line, so that it knows that the connection
/// works.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// Bytes that are read from a file at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Sends the dump. Nothing may be sent after it: redis-cli recognizes the end mark only if it is the last thing it
/// reads.
pub fn send_dump(server: &Arc<Engine>, socket: &Socket, session: &Session) -> io::Result<()> {
    let address = &session.client.address;
    let mut output = WithPatience {
        socket,
        patience: Duration::from_secs(server.config.repl_timeout.get() as u64),
    };
    server
        .log
        .notice_of_clients(format_args!("Sending a dump to {address}"));
    server.statistics.full_syncs.fetch_add(1, Relaxed);
    session.client.modes.is_replica.store(true, Relaxed);
    let began = Instant::now();
    let needs_length = !session.sync.knows_eof_mark;
    let sent = match session.sync.without_keys {
        true => send_without_keys(server, &mut output, needs_length),
        false => send_round(server, &mut output, needs_length),
    };
    let seconds = began.elapsed().as_secs_f64();
    match &sent {
        Ok(()) => server.log.notice_of_clients(format_args!(
            "The dump for {address} is sent, in {seconds:.3} seconds"
        )),
        Err(error) => server
            .log
            .warning_of_clients(format_args!("Sending a dump to {address}: {error}")),
    }
    sent
}

/// A dump without keys is small: it needs no round.
fn send_without_keys(
    server: &Server,
    output: &mut impl Write,
    needs_length: bool,
) -> io::Result<()> {
    let dump = dump::write_without_keys(server, Vec::new())?;
    if needs_length {
        write!(output, "${}\r\n", dump.len())?;
        return output.write_all(&dump);
    }
    let mark = new_end_mark();
    write!(output, "$EOF:{mark}\r\n")?;
    output.write_all(&dump)?;
    output.write_all(mark.as_bytes())
}

fn send_round(server: &Arc<Engine>, output: &mut impl Write, needs_length: bool) -> io::Result<()> {
    let mut member = server.transfers.join(needs_length);
    loop {
        match member.wait_for_turn(SIGN_OF_LIFE) {
            Turn::Wait => sign_of_life(output)?,
            Turn::Send => break,
            Turn::Begin(writer) => {
                begin(server, writer)?;
                break;
            }
        }
    }
    match needs_length {
        true => send_file(output, &mut member),
        false => send_blocks(output, &mut member),
    }
}

/// An empty line, as from Redis.
fn sign_of_life(output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"\n")
}

/// Spawns the thread that writes the dump for all clients of the round.
fn begin(server: &Arc<Engine>, writer: Membership) -> io::Result<()> {
    let round = writer.round.clone();
    let for_thread = server.clone();
    let write = move || {
        let end = match write_round(&for_thread, &writer) {
            Ok(file) => End::Whole(file.map(Arc::new)),
            Err(error) => {
                let text = format_args!("Writing a dump for clients: {error}");
                for_thread.log.warning_of_clients(text);
                End::Failed
            }
        };
        writer.round.finish(end);
    };
    let spawned = thread::Builder::new()
        .name("transfer".to_string())
        .spawn(write);
    spawned.map(drop).inspect_err(|_| round.finish(End::Failed))
}

fn write_round(engine: &Engine, writer: &Membership) -> io::Result<Option<File>> {
    let round = &writer.round;
    let file = match round.needs_file() {
        // Without a name, so that a crash does not leave it behind.
        true => Some(tempfile::tempfile_in(Path::new("."))?),
        false => None,
    };
    let image = Image::take(engine, |_, _| {});
    let output = RoundOutput::new(round.clone(), file);
    let output = dump::write(
        engine,
        &image,
        Form::of_dump(engine),
        output,
        &AtomicU64::new(0),
    )?;
    let file = output.into_file();
    Ok(file.unwrap_or_else(|error| {
        // The clients that wait for the file will get an error; the others have sent the blocks.
        let text = format_args!("Writing a dump for clients: {error}");
        engine.log.warning_of_clients(text);
        None
    }))
}

fn send_blocks(output: &mut impl Write, member: &mut Membership) -> io::Result<()> {
    write!(output, "$EOF:{}\r\n", member.round.end_mark)?;
    loop {
        match member.next(SIGN_OF_LIFE) {
            Next::Block(block) => output.write_all(&block)?,
            // The writer waits for another client.
            Next::Nothing => {}
            Next::End(End::Whole(_)) => return output.write_all(member.round.end_mark.as_bytes()),
            Next::End(End::Failed) => return Err(failed()),
        }
    }
}

/// For a client that must know the length first.
fn send_file(output: &mut impl Write, member: &mut Membership) -> io::Result<()> {
    loop {
        match member.next(SIGN_OF_LIFE) {
            Next::Block(_) | Next::Nothing => sign_of_life(output)?,
            Next::End(End::Whole(Some(file))) => return send_whole_file(output, &file),
            Next::End(_) => {
                output.write_all(b"-ERR BGSAVE failed, replication can't continue\r\n")?;
                return Err(failed());
            }
        }
    }
}

fn send_whole_file(output: &mut impl Write, file: &File) -> io::Result<()> {
    write!(output, "${}\r\n", file.metadata()?.len())?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset)? {
            0 => return Ok(()),
            len => {
                output.write_all(&piece[..len])?;
                offset += len as u64;
            }
        }
    }
}

fn failed() -> io::Error {
    io::Error::other("the dump could not be written")
}
