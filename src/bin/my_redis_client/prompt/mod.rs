//! The prompt: lines that are read from the terminal, or from a pipe or file, and carried out one after another.
//!
//! Some words are commands of the client itself: `help`, `quit`, `exit`, `clear`, `connect HOST PORT`, and those that
//! begin with a colon.

mod assistant;
mod colon_command;
mod history;
mod line_reader;
mod paste;
mod preference_file;
mod preferences;
mod user_file;

use crate::c_number;
use crate::output;
use crate::session::{Failed, Session};
use crate::terminal;
use line_reader::LineReader;
use my_redis_server::util::quoting;
use preferences::Preferences;
use std::time::{Duration, Instant};

/// A command that takes longer is told how long it took.
const WORTH_TELLING: Duration = Duration::from_millis(500);

/// What is to be done after a line.
#[derive(PartialEq)]
enum Next {
    Line,
    End,
}

/// Reads and carries out lines until there are no more, or one says so.
pub fn run(session: &mut Session) -> Result<(), Failed> {
    let mut preferences = Preferences::default();
    let mut reader = LineReader::new();
    if reader.is_terminal() {
        preference_file::load(&mut preferences, &session.output);
    }
    // What went wrong has been told, and the prompt shows that there is no connection.
    let _ = session.connect();
    loop {
        if reader.is_terminal() {
            reader.set_assistance(preferences.hints, session.docs());
        }
        session.forget_interrupt();
        let Some(text) = reader.read(&session.prompt()) else {
            return Ok(());
        };
        for line in paste::lines(&text) {
            if carry_out(line, session, &mut preferences, &mut reader) == Next::End {
                return Ok(());
            }
        }
    }
}

fn carry_out(
    line: &[u8],
    session: &mut Session,
    preferences: &mut Preferences,
    reader: &mut LineReader,
) -> Next {
    let Ok(words) = quoting::split_arguments(line) else {
        output::line("Invalid argument(s)");
        // A password is secret also where a quote is missing.
        let words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        reader.remember(line, &words.map(<[u8]>::to_vec).collect::<Vec<_>>());
        return Next::Line;
    };
    if words.is_empty() {
        return Next::Line;
    }
    let Some((repeat, command)) = repeated(&words) else {
        output::line("Invalid my_redis_client repeat command option value.");
        return Next::Line;
    };
    reader.remember(line, command);
    let name = words[0].to_ascii_lowercase();
    match (name.as_slice(), words.as_slice()) {
        (b"quit" | b"exit", _) => return Next::End,
        ([b':', ..], _) => colon_command::carry_out(&words, session, preferences),
        (b"restart", _) => output::line("Use 'restart' only in Lua debugging mode."),
        (b"connect", [_, host, port]) => session.go_to_server(host, port),
        (b"clear", [_]) => output::write_unguarded(terminal::CLEAR),
        _ => run_command(session, command, repeat),
    }
    Next::Line
}

/// How often the command is to be run, and the command: `5 PING` is five times `PING`. `None` if the number is not
/// positive or too large.
fn repeated(words: &[Vec<u8>]) -> Option<(i64, &[Vec<u8>])> {
    let number = c_number::whole(&words[0]).filter(|_| words.len() > 1);
    let Some(number) = number else {
        return Some((1, words));
    };
    let repeat = i64::try_from(number).ok().filter(|repeat| *repeat > 0)?;
    Some((repeat, &words[1..]))
}

fn run_command(session: &mut Session, command: &[Vec<u8>], repeat: i64) {
    let began = Instant::now();
    // What went wrong has been told.
    let _ = session.run(command, repeat);
    let elapsed = began.elapsed();
    if elapsed >= WORTH_TELLING && session.output.is_pretty() {
        output::line(&format!("({:.2}s)", elapsed.as_secs_f64()));
    }
}
