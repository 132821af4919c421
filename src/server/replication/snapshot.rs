//! Sends a snapshot: to a replica that must be synchronised in full, in its sender thread; or as a dump to a client
//! that wants no more than that (`redis-cli --rdb`), in the client's own thread.
//!
//! Clients that ask at the same time share a [round](crate::state::transfers) and its snapshot. A client that does not
//! read is disconnected after `repl-timeout`; until then the round keeps the old state of everything that changes
//! (copy-on-write).

use crate::command::call::SyncManner;
use crate::command::execute::Engine;
use crate::command::session::Session;
use crate::keyspace::listeners::Recorder;
use crate::server::dump::{self, Form, Image};
use crate::server::socket::{Socket, WithPatience};
use crate::state::Server;
use crate::state::replication::Place;
use crate::state::replication::backlog::BacklogReader;
use crate::state::replication::replicas::{Replica, Stage};
use crate::state::transfers::{
    End, Membership, Next, Patience, RoundOutput, StreamStart, Turn, new_end_mark,
};
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

/// For whom a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Clients that want a dump.
    Dump,
    /// Replicas.
    Sync,
}

/// Sends a replica the snapshot, and returns the stream behind it.
///
/// # Errors
/// The connection is lost, or there is no snapshot.
pub fn send_to_replica(
    engine: &Arc<Engine>,
    output: &mut impl Write,
    replica: &Replica,
    manner: SyncManner,
) -> io::Result<BacklogReader> {
    let config = &engine.config;
    engine.statistics.full_syncs.fetch_add(1, Relaxed);
    let needs_length = !(manner.knows_eof_mark && config.repl_diskless_sync.get());
    let seconds = match config.repl_diskless_sync.get() {
        true => config.repl_diskless_sync_delay.get() as u64,
        false => 0,
    };
    let patience = Patience {
        delay: Duration::from_secs(seconds),
        enough: config.repl_diskless_sync_max_replicas.get() as usize,
    };
    let mut member = engine.replication.rounds.join(needs_length, patience);
    wait_for_turn(engine, output, &mut member, Kind::Sync)?;
    let round = member.round.clone();
    let start = loop {
        match round.wait_for_stream(SIGN_OF_LIFE) {
            Some(start) => break start,
            None if round.has_ended() => return Err(failed()),
            None => sign_of_life(output)?,
        }
    };
    // The stream may have ended since.
    let reader = start.reader.another().ok_or_else(failed)?;
    let offset = reader.offset().ok_or_else(failed)?;
    replica.note_sent(offset);
    replica.set_stage(Stage::Snapshot);
    if manner.knows_psync {
        write!(output, "+FULLRESYNC {} {offset}\r\n", start.id)?;
    }
    if !needs_length {
        replica.awaits_ack.store(true, Relaxed);
    }
    send_member(output, &mut member, needs_length)?;
    Ok(reader)
}

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
        false => {
            let mut member = server.transfers.join(needs_length, Patience::NONE);
            wait_for_turn(server, &mut output, &mut member, Kind::Dump)
                .and_then(|()| send_member(&mut output, &mut member, needs_length))
        }
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

/// Waits for the beginning of the round, or begins it.
fn wait_for_turn(
    server: &Arc<Engine>,
    output: &mut impl Write,
    member: &mut Membership,
    kind: Kind,
) -> io::Result<()> {
    loop {
        match member.wait_for_turn(SIGN_OF_LIFE) {
            Turn::Wait => sign_of_life(output)?,
            Turn::Send => return Ok(()),
            Turn::Begin(writer) => return begin(server, writer, kind),
        }
    }
}

/// Sends what the round writes.
fn send_member(
    output: &mut impl Write,
    member: &mut Membership,
    needs_length: bool,
) -> io::Result<()> {
    match needs_length {
        true => send_file(output, member),
        false => send_blocks(output, member),
    }
}

/// An empty line, as from Redis.
fn sign_of_life(output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"\n")
}

/// Spawns the thread that writes the dump for all clients of the round.
fn begin(server: &Arc<Engine>, writer: Membership, kind: Kind) -> io::Result<()> {
    let round = writer.round.clone();
    let for_thread = server.clone();
    let write = move || {
        let end = match write_round(&for_thread, &writer, kind) {
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

fn write_round(engine: &Engine, writer: &Membership, kind: Kind) -> io::Result<Option<File>> {
    let round = &writer.round;
    let file = match round.needs_file() {
        // Without a name, so that a crash does not leave it behind.
        true => Some(tempfile::tempfile_in(Path::new("."))?),
        false => None,
    };
    let (image, form) = match kind {
        Kind::Dump => (Image::take(engine, |_, _| {}), Form::of_dump(engine)),
        Kind::Sync => (take_with_stream(engine, writer)?, Form::of_sync(engine)),
    };
    let output = RoundOutput::new(round.clone(), file);
    let output = dump::write(engine, &image, form, output, &AtomicU64::new(0))?;
    let file = output.into_file();
    Ok(file.unwrap_or_else(|error| {
        // The clients that wait for the file will get an error; the others have sent the blocks.
        let text = format_args!("Writing a dump for clients: {error}");
        engine.log.warning_of_clients(text);
        None
    }))
}

/// The data as they are now. The round is told where the stream stands then.
fn take_with_stream<'a>(engine: &'a Engine, writer: &Membership) -> io::Result<Image<'a>> {
    let replication = &engine.replication;
    engine.log.notice_of_clients(format_args!(
        "Sending a snapshot to {} replicas",
        writer.round.clients()
    ));
    let feed = replication.feed().ok_or_else(failed)?.clone();
    // The role does not change meanwhile, and a replica carries out no command.
    let _applying = replication.applying();
    let mut image = None;
    let (reader, database) = match replication.is_replica() {
        // The stream is that of the primary.
        true => {
            image = Some(Image::take(engine, |_, _| {}));
            let database = replication.selected.load(Relaxed);
            (replication.backlog.read_from_end(), database)
        }
        // The stream begins with a SELECT.
        false => {
            let reader = feed.divide(&mut |divide| {
                image = Some(Image::take(engine, |keyspace, end| {
                    replication.begin_stream();
                    let listeners = &keyspace.listeners;
                    listeners.set_recorded(Recorder::Replication, true);
                    divide(end);
                }));
            });
            (reader.map_err(io::Error::other)?, 0)
        }
    };
    let id = replication.identity().id;
    let place = Place {
        id: id.clone(),
        offset: reader.offset().ok_or_else(failed)?,
        database,
    };
    writer.round.set_stream(StreamStart { reader, id });
    image
        .map(|image| image.with_place(place))
        .ok_or_else(failed)
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
