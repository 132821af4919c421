//! A look at every key, for `--bigkeys`, `--memkeys` and `--hotkeys`: SCAN finds keys, the mode asks about them, and
//! lines tell what was found and how far the survey is.

use super::scan::Scan;
use crate::connection::Failure;
use crate::output::Output;
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::decoder::Value;

/// A line tells how far the survey is after each of this number of keys.
const KEYS_PER_REPORT: u64 = 1_000_000;

/// How far a survey is.
pub struct Survey {
    /// Keys that were counted.
    pub keys: u64,
    /// The number of keys in the database at the begin.
    expected: i64,
    /// The part of the expected keys that was looked at before the last call of SCAN. It exceeds 100 if keys come
    /// meanwhile.
    percent: f64,
    is_interrupted: bool,
}

/// Looks at all keys, some at a time, until Ctrl-C. `sought` is what the heading says that the survey finds.
pub fn run(
    session: &mut Session,
    sought: &str,
    mut look_at: impl FnMut(&[Vec<u8>], &mut Survey, &mut Session) -> Result<(), Failed>,
) -> Result<Survey, Failed> {
    let mut survey = Survey {
        keys: 0,
        expected: count_keys(session)?,
        percent: 0.0,
        is_interrupted: false,
    };
    let heading = format!(
        "\n# Scanning the entire keyspace to find {sought} keys as well as\n\
         # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
         # per 100 SCAN commands (not usually needed).\n\n"
    );
    session.output.bytes(heading.as_bytes());
    let mut scan = Scan::new();
    loop {
        if survey.keys > 0 {
            survey.percent = 100.0 * survey.keys as f64 / survey.expected as f64;
        }
        let Some(keys) = scan.next(session)? else {
            break;
        };
        look_at(&keys, &mut survey, session)?;
        scan.pause(session);
    }
    survey.is_interrupted = scan.is_cancelled();
    Ok(survey)
}

impl Survey {
    /// Counts a key, and reports from time to time.
    pub fn count(&mut self, output: &Output) {
        self.keys += 1;
        if self.keys.is_multiple_of(KEYS_PER_REPORT) {
            self.tell(&format!("Sampled {} keys so far", self.keys), output);
        }
    }

    /// Prints a line behind how far the survey is.
    pub fn tell(&self, line: &str, output: &Output) {
        output.bytes(format!("[{:05.2}%] {line}\n", self.percent).as_bytes());
    }

    /// How the summary begins. It tells how far the survey came if it was interrupted.
    pub fn summary(&self) -> String {
        let percent = match self.is_interrupted {
            true => format!("[{:05.2}%] ", self.percent),
            false => String::new(),
        };
        let keys = self.keys;
        format!("\n-------- summary -------\n\n{percent}Sampled {keys} keys in the keyspace!\n")
    }
}

/// The number of keys in the database.
fn count_keys(session: &mut Session) -> Result<i64, Failed> {
    match session.call(&[b"DBSIZE".to_vec()])? {
        Value::Integer(count) => Ok(count),
        Value::Error(text) => {
            complain!(
                "Couldn't determine DBSIZE: {}",
                String::from_utf8_lossy(&text)
            );
            Err(Failed)
        }
        _ => {
            complain!("Non INTEGER response from DBSIZE!");
            Err(Failed)
        }
    }
}

/// Sends a command for each key at once, and returns the replies.
pub fn ask_for_each(
    session: &mut Session,
    requests: &[Vec<Vec<u8>>],
) -> Result<Vec<Value>, Failed> {
    let replies = session.send_all(requests).and_then(|()| {
        let replies = requests.iter().map(|_| session.reply());
        replies.collect::<Result<Vec<Value>, Failure>>()
    });
    replies.map_err(|_| {
        complain!("\nI/O error");
        Failed
    })
}
