//! Sends a replica what it lacks: a snapshot if it must be, then the stream. One thread for each replica.
//!
//! The replica's acknowledgements are read by the worker that serves its connection.
//!
//! # Invariants
//! 1. This thread alone writes to the socket: the worker disconnects a replica whose request has a reply.
//! 2. The stream behind a snapshot that ends with a mark waits for the first acknowledgement. A replica finds the mark
//!    only if it is the last thing that it reads.

use super::snapshot;
use crate::command::call::SyncStart;
use crate::command::execute::Engine;
use crate::server::socket::{Socket, WithPatience, WithoutWaiting};
use crate::state::replication::backlog::BacklogReader;
use crate::state::replication::replicas::{Replica, Stage};
use crate::util::clock;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// The longest that the thread waits before it looks whether the replica is still there.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Starts the thread of a replica.
///
/// # Errors
/// The system has no thread.
pub fn begin(
    engine: &Arc<Engine>,
    socket: &Arc<Socket>,
    replica: &Arc<Replica>,
    start: SyncStart,
) -> io::Result<()> {
    let sender = Sender {
        engine: engine.clone(),
        socket: socket.clone(),
        replica: replica.clone(),
    };
    let spawned = thread::Builder::new().name("sender".to_string());
    spawned.spawn(move || sender.run(start)).map(drop)
}

struct Sender {
    engine: Arc<Engine>,
    socket: Arc<Socket>,
    replica: Arc<Replica>,
}

impl Sender {
    fn run(self, start: SyncStart) {
        if let Err(error) = self.send(start)
            && !self.replica.client.is_disconnected()
        {
            self.engine.log.warning_of_clients(format_args!(
                "Connection with replica {} lost: {error}",
                self.replica.name()
            ));
        }
        self.replica.client.disconnect();
    }

    fn send(&self, start: SyncStart) -> io::Result<()> {
        let reader = match start {
            SyncStart::Partial { reader, reply } => {
                self.output().write_all(reply.as_bytes())?;
                self.replica.note_ack_time(clock::unix_ms());
                reader
            }
            SyncStart::Full(manner) => {
                let reader = snapshot::send_to_replica(
                    &self.engine,
                    &mut self.output(),
                    &self.replica,
                    manner,
                )?;
                let name = self.replica.name();
                let line = format_args!("Synchronization with replica {name} succeeded");
                self.engine.log.notice_of_clients(line);
                self.replica.note_ack_time(clock::unix_ms());
                reader
            }
        };
        self.replica.set_stage(Stage::Online);
        super::keeper::count_good(&self.engine);
        self.note_sent(&reader);
        self.send_stream(&reader)
    }

    fn note_sent(&self, reader: &BacklogReader) {
        if let Some(offset) = reader.offset() {
            self.replica.note_sent(offset);
        }
    }

    fn send_stream(&self, reader: &BacklogReader) -> io::Result<()> {
        let client = &self.replica.client;
        let mut piece = Vec::new();
        while !client.is_disconnected() {
            let awaits_ack = || self.replica.awaits_ack.load(Relaxed);
            if awaits_ack() {
                reader.wait_while(LOOK_PERIOD, || awaits_ack() && !client.is_disconnected());
                continue;
            }
            if !reader.read(LOOK_PERIOD, &mut piece) {
                return Err(io::Error::other("the stream has ended"));
            }
            if !piece.is_empty() {
                self.send_piece(&piece)?;
                self.note_sent(reader);
                self.engine.progress.look();
            }
        }
        Ok(())
    }

    fn send_piece(&self, piece: &[u8]) -> io::Result<()> {
        let client = &self.replica.client;
        let sent = match WithoutWaiting(&self.socket).write(piece) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            sent => sent?,
        };
        if sent < piece.len() {
            self.replica.set_stalled(true);
            self.engine.progress.look();
            self.output().write_all(&piece[sent..])?;
            self.replica.set_stalled(false);
        }
        let statistics = &self.engine.statistics;
        statistics.count_output(client.id, piece.len());
        Ok(())
    }

    fn output(&self) -> WithPatience<'_> {
        let seconds = self.engine.config.repl_timeout.get() as u64;
        WithPatience {
            socket: &self.socket,
            patience: Duration::from_secs(seconds),
        }
    }
}
