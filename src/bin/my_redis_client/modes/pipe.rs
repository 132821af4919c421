//! `--pipe`: sends what the standard input holds, requests in the protocol or lines, as fast as the server takes it,
//! and counts the replies.
//!
//! ```text
//! a thread:   standard input -> socket, then ECHO of a random text
//! main:       socket -> replies, until the random text comes back
//! ```
//! Neither waits for the other, so the server never stops because its replies are not read.

use crate::connection::{Failure, Sender};
use crate::output;
use crate::session::{Failed, Session};
use crate::terminal::{self, PROGRESS_PAUSE, complain};
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::system_message;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The length of the text by which the last reply is known.
const LAST_LEN: usize = 20;

/// How long the reader waits before it looks whether the time is up.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What has come back.
#[derive(Default)]
struct Counts {
    errors: u64,
    replies: u64,
}

/// Sends the standard input and counts the replies.
pub fn transfer(session: &mut Session) -> Result<(), Failed> {
    let seconds = session.options.pipe_timeout_s;
    let timeout = (seconds > 0).then(|| Duration::from_secs(seconds as u64));
    let connection = session.connected()?;
    // Requests and replies cross each other here: there is no order in which they could be shown.
    connection.trace(false);
    let last: Vec<u8> = std::iter::repeat_with(|| fastrand::alphanumeric() as u8)
        .take(LAST_LEN)
        .collect();
    let is_sent = Arc::new(AtomicBool::new(false));
    let prepared = connection
        .sender()
        .and_then(|sender| connection.set_read_timeout(LOOK_PAUSE).map(|()| sender));
    let sender = prepared.map_err(|error| {
        complain!("Error: {}", system_message(&error));
        Failed
    })?;
    let writer = {
        let (last, is_sent) = (last.clone(), is_sent.clone());
        move || {
            send_input(sender, &last);
            is_sent.store(true, Ordering::SeqCst);
        }
    };
    // The thread may still wait for input when the server has gone; it ends with the program.
    thread::spawn(writer);
    let mut counts = Counts::default();
    let mut heard = Instant::now();
    let mut shown = Instant::now();
    loop {
        if shown.elapsed() > PROGRESS_PAUSE {
            terminal::show_progress(&format!("{} replies", counts.replies));
            shown = Instant::now();
        }
        match connection.message() {
            Ok(Value::Bulk(text)) if text == last => {
                output::line("Last reply received from server.");
                break;
            }
            Ok(reply) => {
                counts.add(&reply);
                heard = Instant::now();
            }
            Err(Failure::TimedOut) => {
                let is_late = timeout.is_some_and(|timeout| heard.elapsed() > timeout);
                if is_late && is_sent.load(Ordering::SeqCst) {
                    complain!("No replies for {seconds} seconds: exiting.");
                    counts.errors += 1;
                    break;
                }
            }
            Err(Failure::NoReply(_)) => {
                complain!("Error reading replies from server");
                return Err(Failed);
            }
            // As in redis-cli, the status alone tells that the server has gone. An error may have told the reason.
            Err(_) => return Err(Failed),
        }
    }
    counts.tell()
}

impl Counts {
    fn add(&mut self, reply: &Value) {
        if let Value::Error(text) = reply {
            complain!("{}", String::from_utf8_lossy(text));
            self.errors += 1;
        }
        self.replies += 1;
    }

    fn tell(&self) -> Result<(), Failed> {
        let line = format!("errors: {}, replies: {}\n", self.errors, self.replies);
        output::write_unguarded(line.as_bytes());
        match self.errors {
            0 => Ok(()),
            _ => Err(Failed),
        }
    }
}

/// Sends the standard input to its end, and a last request.
fn send_input(mut sender: Sender, last: &[u8]) {
    let mut piece = vec![0; 64 * 1024];
    let mut input = io::stdin().lock();
    loop {
        let length = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => end("Error reading from stdin", &error),
        };
        if let Err(error) = sender.write_all(&piece[..length]) {
            end("Error writing to the server", &error);
        }
    }
    output::line("All data transferred. Waiting for the last reply...");
    // The line end closes a line that the input has left open.
    let mut request = b"\r\n*2\r\n$4\r\nECHO\r\n$20\r\n".to_vec();
    request.extend(last);
    request.extend(b"\r\n");
    if let Err(error) = sender.write_all(&request) {
        end("Error writing to the server", &error);
    }
}

/// Ends the program, because what was sent cannot be answered completely.
fn end(what: &str, error: &io::Error) -> ! {
    complain!("{what}: {}", system_message(error));
    std::process::exit(1);
}
