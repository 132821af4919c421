//! The prompt: lines that are read from the terminal, or from a pipe or file, and carried out one after another.
//!
//! Some words are commands of the client itself: `help`, `quit`, `exit`, `clear`, `connect HOST PORT`, and those that
//! begin with a colon.

mod assistant;
mod history;
mod line_reader;
mod paste;
mod preferences;

use crate::c_number;
use crate::output;
use crate::session::{Failed, Session};
use crate::terminal;
use crate::wire::Wire;
use line_reader::LineReader;
use my_redis_server::util::quoting;
use preferences::Preferences;
use std::time::{Duration, Instant};

/// A command that takes longer is told how long it took.
const WORTH_TELLING: Duration = Duration::from_millis(500);

/// The shortest pause of `:watch`: a server is not asked more often than a person can see.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// What is to be done after a line.
#[derive(PartialEq)]
enum Next {
    Line,
    End,
}

/// Reads and carries out lines until there are no more, or one says so.
pub fn run(mut session: Session) -> Result<(), Failed> {
    let mut preferences = Preferences::default();
    let mut reader = LineReader::new();
    if reader.is_terminal() {
        preferences.load(&session.output);
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
            if carry_out(line, &mut session, &mut preferences, &mut reader) == Next::End {
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
        ([b':', ..], _) => colon_command(&words, session, preferences),
        (b"restart", _) => output::line("Use 'restart' only in Lua debugging mode."),
        (b"connect", [_, host, port]) => session.go_to_server(host, port),
        (b"clear", [_]) => output::write_unguarded(terminal::CLEAR),
        _ => run_command(session, command, repeat),
    }
    Next::Line
}

/// Carries out a command of the client that begins with a colon.
fn colon_command(words: &[Vec<u8>], session: &mut Session, preferences: &mut Preferences) {
    let name = words[0].to_ascii_lowercase();
    match (name.as_slice(), &words[1..]) {
        (b":wire", [mode]) => match mode.as_slice() {
            b"on" => session.show_wire(Some(Wire::on_standard_error(false))),
            b"both" => session.show_wire(Some(Wire::on_standard_error(true))),
            b"off" => session.show_wire(None),
            _ => output::line("Use ':wire on', ':wire both' or ':wire off'."),
        },
        (b":time", [mode]) => match mode.as_slice() {
            b"on" => session.tells_times = true,
            b"off" => session.tells_times = false,
            _ => output::line("Use ':time on' or ':time off'."),
        },
        (b":explain", command @ [_, ..]) => session.explain(command),
        (b":watch", arguments) => match arguments {
            [seconds, command @ ..] if !command.is_empty() && pause(seconds).is_some() => {
                // What went wrong has been told.
                let _ = session.watch(pause(seconds).unwrap_or(MIN_PAUSE), command);
            }
            _ => output::line("Use ':watch seconds command', with a positive number."),
        },
        _ => session.output.bytes(preferences.obey(words, "").as_bytes()),
    }
}

/// The pause of `:watch`; `None` if the word is no positive number.
fn pause(seconds: &[u8]) -> Option<Duration> {
    let seconds = Some(c_number::float(seconds)).filter(|seconds| *seconds > 0.0)?;
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    Some(pause.max(MIN_PAUSE))
}

/// How often the command is to be run, and the command: `5 PING` is five times `PING`. `None` if the number makes no
/// sense.
fn repeated(words: &[Vec<u8>]) -> Option<(i64, &[Vec<u8>])> {
    let digits = words[0].strip_prefix(b"-").unwrap_or(&words[0]);
    let is_number = digits.iter().all(u8::is_ascii_digit) && !digits.is_empty();
    if words.len() == 1 || !is_number {
        return Some((1, words));
    }
    let repeat = c_number::integer(&words[0]);
    (0 < repeat && repeat < i64::MAX).then_some((repeat, &words[1..]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_has_a_lower_bound() {
        for (seconds, ms) in [
            ("1", Some(1000)),
            ("0.011", Some(11)),
            ("0.01", Some(10)),
            ("0.009", Some(10)),
            ("1e-300", Some(10)),
            ("0", None),
            ("-1", None),
            ("ping", None),
            ("1e999", None),
        ] {
            let expected = ms.map(Duration::from_millis);
            assert_eq!(pause(seconds.as_bytes()), expected, "{seconds}");
        }
    }
}
