//! Sends a dump to a client, in the client's own thread: as much for `redis-cli --rdb` as SYNC is built.
//!
//! Each client gets a snapshot of its own, so several may be served at once, beside the saver. A client that does not
//! read is given up after `repl-timeout`; until then it costs what changes meanwhile.

use super::dump;
use super::socket::Socket;
use crate::command::call::Session;
use crate::command::replication::SyncOptions;
use crate::state::Server;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of the mark at the end of a dump whose length was not known at its beginning.
const MARK_BYTES: usize = 40;
/// How often a client that waits for a dump to be prepared hears of us.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Sends the dump. Nothing may be sent after it: redis-cli takes the mark for the end only if it is the last it reads.
pub fn send_dump(server: &Server, socket: &Socket, session: &Session) -> io::Result<()> {
    let address = &session.client.address;
    let timeout = Duration::from_secs(server.config.repl_timeout.get() as u64);
    socket.set_write_timeout(timeout)?;
    server
        .log
        .notice_of_clients(format_args!("Sending a dump to {address}"));
    server.statistics.full_syncs.fetch_add(1, Relaxed);
    let began = Instant::now();
    let sent = match session.sync.knows_eof_mark {
        true => send_until_mark(server, socket, session.sync),
        false => send_with_length(server, socket, session.sync),
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

fn send_until_mark(server: &Server, socket: &Socket, options: SyncOptions) -> io::Result<()> {
    let mark: String = (0..MARK_BYTES).map(|_| fastrand::digit(16)).collect();
    let mut stream = socket;
    write!(stream, "$EOF:{mark}\r\n")?;
    write_dump(server, options, stream)?;
    stream.write_all(mark.as_bytes())
}

/// For a client that must know the length first: the dump goes to a file without a name, which no crash can leave behind.
fn send_with_length(server: &Server, socket: &Socket, options: SyncOptions) -> io::Result<()> {
    let mut stream = socket;
    let prepared = tempfile::tempfile_in(Path::new("."))
        .and_then(|file| write_dump(server, options, PreparedFile::new(file, socket)));
    let mut file = match prepared {
        Ok(prepared) => prepared.file,
        Err(error) => {
            stream.write_all(b"-ERR BGSAVE failed, replication can't continue\r\n")?;
            return Err(error);
        }
    };
    write!(stream, "${}\r\n", file.stream_position()?)?;
    file.rewind()?;
    io::copy(&mut file, &mut stream).map(drop)
}

fn write_dump<W: Write + Send>(server: &Server, options: SyncOptions, output: W) -> io::Result<W> {
    match options.without_keys {
        true => dump::write_without_keys(server, output),
        false => {
            let snapshot = server.keyspace.snapshot(false);
            dump::write(server, &snapshot, output, &AtomicU64::new(0))
        }
    }
}

/// A file that is being written while a client waits, and gets an empty line now and then, as from Redis.
struct PreparedFile<'a> {
    file: File,
    client: &'a Socket,
    next_sign: Instant,
}

impl<'a> PreparedFile<'a> {
    fn new(file: File, client: &'a Socket) -> PreparedFile<'a> {
        let next_sign = Instant::now() + SIGN_OF_LIFE;
        PreparedFile {
            file,
            client,
            next_sign,
        }
    }
}

impl Write for PreparedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if Instant::now() >= self.next_sign {
            self.next_sign += SIGN_OF_LIFE;
            self.client.write_all(b"\n")?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
