//! `--replica`: shows the stream of changes as a replica gets it, a command a line, as CSV.

use super::snapshot::{self, CopyError, announce};
use crate::connection::Failure;
use crate::format::Kind;
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::snapshot_end::{MARK_BYTES, SnapshotEnd as End};
use std::io;
use std::time::{Duration, Instant};

/// How often the server hears from this replica: it would take a silent one for dead.
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_secs(1);

/// Asks for a snapshot, drops it, and prints the changes that follow. It ends when the connection does.
pub fn follow(session: &mut Session) -> Result<(), Failed> {
    announce(session, "capa", "eof")?;
    // A snapshot of nothing is the quickest.
    announce(session, "rdb-filter-only", "")?;
    let end = snapshot::request(session)?;
    print_changes(session, end).map_err(|failure| {
        if !matches!(failure, Failure::Told) {
            complain!("Error: {failure}");
        }
        Failed
    })
}

/// Prints the changes after the user's own SYNC or PSYNC.
pub fn follow_typed(session: &mut Session) -> Result<(), Failure> {
    let end = snapshot::read_header(session).map_err(|Failed| Failure::Told)?;
    let kind = session.output.format.kind;
    let ended = print_changes(session, end);
    session.output.format.kind = kind;
    ended
}

fn print_changes(session: &mut Session, end: End) -> Result<(), Failure> {
    let link = session.connection.as_mut().ok_or(Failure::Closed)?;
    match end {
        End::After(length) => {
            complain!("SYNC with master, discarding {length} bytes of bulk transfer...");
        }
        End::Mark(_) => {
            complain!("SYNC with master, discarding bytes of bulk transfer until EOF marker...");
        }
    }
    let dropped = match snapshot::copy(link, end, &mut io::sink()) {
        Ok(dropped) => dropped,
        Err(CopyError::Interrupted) => return Err(Failure::Interrupted),
        Err(_) => {
            complain!("Error reading RDB payload while SYNCing");
            return Err(Failure::Told);
        }
    };
    match end {
        End::After(_) => complain!("SYNC done. Logging commands from master."),
        End::Mark(_) => {
            // As in redis-cli, the mark is counted here.
            let bytes = dropped + MARK_BYTES as u64;
            complain!("SYNC done after {bytes} bytes. Logging commands from master.");
            complain!("sending REPLCONF ACK 0");
        }
    }
    session.output.format.kind = Kind::Csv;
    link.set_read_timeout(ACKNOWLEDGE_PAUSE)?;
    loop {
        // After a snapshot with a mark, the server sends nothing before it hears that it has arrived. There is no reply
        // to this: redis-cli waits for one, and takes the first change for it. The offset is 0, because nothing is
        // kept.
        session.send(&[b"REPLCONF".to_vec(), b"ACK".to_vec(), b"0".to_vec()])?;
        let silence = print_until_silence(session);
        if !matches!(silence, Failure::TimedOut) {
            return Err(silence);
        }
    }
}

/// Prints changes. The result is why there are no more, for the moment or for ever.
fn print_until_silence(session: &mut Session) -> Failure {
    let began = Instant::now();
    while began.elapsed() < ACKNOWLEDGE_PAUSE {
        match session.message() {
            Ok(change) => session.output.reply(&change, false),
            Err(failure) => return failure,
        }
    }
    Failure::TimedOut
}
