//! What a replica says to its primary before the primary sends anything.
//!
//! ```text
//! replica   PING, AUTH, REPLCONF listening-port …, REPLCONF capa eof capa psync2, PSYNC <id> <offset>
//! primary   +CONTINUE <id>                    what the replica lacks is in the backlog
//! primary   +FULLRESYNC <id> <offset>         else: a snapshot follows
//! ```

use super::follower::PrimaryConnection;
use crate::state::replication::{MOST_OFFSET, is_id};
use std::io;

/// The answer to PSYNC.
#[derive(Debug)]
pub enum Answer {
    /// The stream follows. It may have another id from now on.
    Continue(Option<String>),
    /// A snapshot follows, and then the stream from this offset on.
    Full {
        /// The id of the stream.
        id: String,
        /// Its offset at the snapshot.
        offset: u64,
    },
}

/// Says who this server is, and asks for what it lacks.
///
/// # Errors
/// The connection is lost, or the primary refuses: the line for the log.
pub fn ask(connection: &mut PrimaryConnection<'_>) -> io::Result<Answer> {
    connection.say(&["PING"])?;
    let answer = connection.line()?;
    // A primary that wants a password first says so.
    let is_alive = [
        "+PONG",
        "-NOAUTH",
        "-NOPERM",
        "-ERR operation not permitted",
    ];
    if !is_alive.iter().any(|start| answer.starts_with(start)) {
        return Err(refused("Error reply to PING from master", &answer));
    }
    let notice = "Master replied to PING, replication can continue...";
    connection.engine.log.notice(notice);
    authenticate(connection)?;
    introduce(connection)?;
    let (id, offset) = wanted(connection);
    let replication = &connection.engine.replication;
    if !replication.link.is_handing_over() {
        connection.say(&["PSYNC", &id, &offset])?;
        return read_answer(&connection.line()?);
    }
    connection.say(&["PSYNC", &id, &offset, "FAILOVER"])?;
    let answer = connection.line()?;
    match answer.starts_with('-') {
        true => drop(replication.failover.abort()),
        false => replication.link.set_handing_over(false),
    }
    read_answer(&answer)
}

fn authenticate(connection: &mut PrimaryConnection<'_>) -> io::Result<()> {
    let config = &connection.engine.config;
    let (user, password) = (config.masteruser.get(), config.masterauth.get());
    if password.is_empty() {
        return Ok(());
    }
    match user.is_empty() {
        true => connection.say(&["AUTH", &password])?,
        false => connection.say(&["AUTH", &user, &password])?,
    }
    match connection.line()? {
        answer if answer.starts_with('-') => Err(refused("Unable to AUTH to MASTER", &answer)),
        _ => Ok(()),
    }
}

fn introduce(connection: &mut PrimaryConnection<'_>) -> io::Result<()> {
    let config = &connection.engine.config;
    let port = match config.replica_announce_port.get() {
        0 => config.port.get(),
        port => port,
    };
    let address = config.replica_announce_ip.get();
    connection.say(&["REPLCONF", "listening-port", &port.to_string()])?;
    let mut answers = 2;
    if !address.is_empty() {
        connection.say(&["REPLCONF", "ip-address", &address])?;
        answers += 1;
    }
    connection.say(&["REPLCONF", "capa", "eof", "capa", "psync2"])?;
    for _ in 0..answers {
        let answer = connection.line()?;
        if answer.starts_with('-') {
            // As in Redis: a primary that does not know the word serves replicas all the same.
            connection.engine.log.notice(format_args!(
                "(Non critical) Master does not understand REPLCONF: {answer}"
            ));
        }
    }
    Ok(())
}

/// The stream that this server has, and the offset of the next byte, counted from 1.
fn wanted(connection: &PrimaryConnection<'_>) -> (String, String) {
    let (replication, log) = (&connection.engine.replication, &connection.engine.log);
    let offset = replication.backlog.end() + 1;
    let id = replication.identity().id;
    match replication.backlog.is_active() {
        true => {
            log.notice(format_args!(
                "Trying a partial resynchronization (request {id}:{offset})."
            ));
            (id, offset.to_string())
        }
        false => {
            log.notice("Partial resynchronization not possible (no cached master)");
            ("?".to_string(), "-1".to_string())
        }
    }
}

fn read_answer(answer: &str) -> io::Result<Answer> {
    let mut words = answer.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("+CONTINUE"), None, None) => Ok(Answer::Continue(None)),
        (Some("+CONTINUE"), Some(id), None) if is_id(id) => {
            Ok(Answer::Continue(Some(id.to_string())))
        }
        (Some("+FULLRESYNC"), Some(id), Some(offset)) => match offset.parse() {
            Ok(offset) if is_id(id) && offset <= MOST_OFFSET => Ok(Answer::Full {
                id: id.to_string(),
                offset,
            }),
            _ => Err(refused(
                "Master replied with wrong +FULLRESYNC syntax",
                answer,
            )),
        },
        _ => Err(refused("Unexpected reply to PSYNC from master", answer)),
    }
}

fn refused(what: &str, answer: &str) -> io::Error {
    io::Error::other(format!("{what}: {answer}"))
}
