//! All keys, by SCAN: `--scan`, and what other modes look through.

use crate::format::Kind;
use crate::interrupt;
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::quoting;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many calls of SCAN come between two pauses of the modes that look at each key.
const CALLS_PER_PAUSE: u64 = 100;

/// How long a sleep goes on before it hears Ctrl-C.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The output that is collected for another program.
const MANY_BYTES: usize = 16 * 1024;

/// A walk through all keys. Ctrl-C ends it early.
pub struct Scan {
    /// What the next call begins with; `None` at the end.
    cursor: Option<Vec<u8>>,
    calls: u64,
    cancelled: Arc<AtomicBool>,
}

impl Scan {
    /// A walk that has not begun.
    pub fn new() -> Scan {
        Scan {
            cursor: Some(b"0".to_vec()),
            calls: 0,
            cancelled: interrupt::flag(),
        }
    }

    /// Whether Ctrl-C has ended the walk.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The next keys, perhaps none; `None` at the end.
    pub fn next(&mut self, session: &mut Session) -> Result<Option<Vec<Vec<u8>>>, Failed> {
        let Some(cursor) = self.cursor.take().filter(|_| !self.is_cancelled()) else {
            return Ok(None);
        };
        let mut request = vec![b"SCAN".to_vec(), cursor];
        if let Some(pattern) = &session.options.pattern {
            request.extend([b"MATCH".to_vec(), pattern.clone()]);
        }
        self.calls += 1;
        let (cursor, keys) = cursor_and_keys(session.call(&request)?)?;
        if cursor != b"0" {
            self.cursor = Some(cursor);
        }
        Ok(Some(keys))
    }

    /// Pauses after each hundredth call, if the user wants pauses.
    pub fn pause(&self, session: &Session) {
        if self.calls.is_multiple_of(CALLS_PER_PAUSE) {
            self.sleep(session.options.interval);
        }
    }

    /// Waits for a time, or until Ctrl-C.
    fn sleep(&self, duration: Duration) {
        let began = Instant::now();
        while let Some(left) = duration.checked_sub(began.elapsed())
            && !left.is_zero()
            && !self.is_cancelled()
        {
            thread::sleep(left.min(LOOK_PAUSE));
        }
    }
}

/// The cursor and the keys of a reply to SCAN.
fn cursor_and_keys(reply: Value) -> Result<(Vec<u8>, Vec<Vec<u8>>), Failed> {
    let complaint = match &reply {
        Value::Error(text) => format!("SCAN error: {}", String::from_utf8_lossy(text)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::Bulk(cursor), keys @ Value::Array(_)] => {
                let keys = keys.elements().iter().filter_map(|key| match key {
                    Value::Bulk(key) => Some(key.clone()),
                    _ => None,
                });
                return Ok((cursor.clone(), keys.collect()));
            }
            _ => "Invalid element count from SCAN!".into(),
        },
        _ => "Non ARRAY response from SCAN!".into(),
    };
    complain!("{complaint}");
    Err(Failed)
}

/// Prints all keys, a line for each. redis-cli ends a raw key at a zero byte; here it is whole.
pub fn print_keys(session: &mut Session) -> Result<(), Failed> {
    // Another program is not woken for each few keys.
    let is_live = io::stdout().is_terminal() || !session.options.interval.is_zero();
    let mut scan = Scan::new();
    let mut lines = Vec::new();
    let ended = loop {
        let keys = match scan.next(session) {
            Ok(Some(keys)) => keys,
            Ok(None) => break Ok(()),
            Err(failed) => break Err(failed),
        };
        for key in keys {
            match session.output.format.kind {
                Kind::Pretty => quoting::quote(&key, &mut lines),
                _ => lines.extend(key),
            }
            lines.push(b'\n');
        }
        if is_live || lines.len() > MANY_BYTES {
            session.output.bytes(&lines);
            lines.clear();
        }
        scan.sleep(session.options.interval);
    };
    session.output.bytes(&lines);
    ended
}
