//! Commands of the client itself, which begin with a colon: `:wire`, `:time`, `:explain`, `:watch`, `:set`.

use super::preferences::Preferences;
use crate::c_number;
use crate::output;
use crate::session::Session;
use crate::wire::Wire;
use std::time::Duration;

/// The shortest pause of `:watch`: a server is not asked more often than a person can see.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Carries out a line that begins with a colon.
pub fn carry_out(words: &[Vec<u8>], session: &mut Session, preferences: &mut Preferences) {
    let name = words[0].to_ascii_lowercase();
    match (name.as_slice(), &words[1..]) {
        (b":wire", arguments) => match only(arguments) {
            Some(b"on") => session.show_wire(Some(Wire::on_standard_error(false))),
            Some(b"both") => session.show_wire(Some(Wire::on_standard_error(true))),
            Some(b"off") => session.show_wire(None),
            _ => output::line("Use ':wire on', ':wire both' or ':wire off'."),
        },
        (b":time", arguments) => match only(arguments) {
            Some(b"on") => session.tells_times = true,
            Some(b"off") => session.tells_times = false,
            _ => output::line("Use ':time on' or ':time off'."),
        },
        (b":explain", []) => output::line("Use ':explain command'."),
        (b":explain", command) => session.explain(command),
        (b":watch", arguments) => match watched(arguments) {
            // What goes wrong is told there.
            Some((pause, command)) => drop(session.watch(pause, command)),
            None => output::line("Use ':watch seconds command', with a positive number."),
        },
        _ => {
            if let Err(fault) = preferences.obey(words) {
                session.output.bytes(format!("{fault}\n").as_bytes());
            }
        }
    }
}

/// The argument, if it is the only one.
fn only(arguments: &[Vec<u8>]) -> Option<&[u8]> {
    match arguments {
        [argument] => Some(argument),
        _ => None,
    }
}

/// The pause and the command of `:watch`.
fn watched(arguments: &[Vec<u8>]) -> Option<(Duration, &[Vec<u8>])> {
    let (seconds, command) = arguments.split_first()?;
    let pause = pause(seconds)?;
    (!command.is_empty()).then_some((pause, command))
}

/// The pause of `:watch`; `None` if the word is no positive number.
fn pause(seconds: &[u8]) -> Option<Duration> {
    let seconds = Some(c_number::float(seconds)).filter(|seconds| *seconds > 0.0)?;
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    Some(pause.max(MIN_PAUSE))
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
