//! How long PING takes: `--latency`, and `--latency-history` for one span of time after the other. In milliseconds.

use crate::format::Kind;
use crate::output;
use crate::session::{Failed, Session};
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two PINGs.
pub const PAUSE: Duration = Duration::from_millis(10);

/// How long a span of the history is, if the user does not say it.
const SPAN: Duration = Duration::from_secs(15);

/// How long PING is measured for another program, if the user does not say it.
const ONE_RESULT: Duration = Duration::from_secs(1);

/// How long PINGs took in a span of time.
#[derive(Default)]
struct Samples {
    count: u128,
    min_ms: u128,
    max_ms: u128,
    total_ms: u128,
}

/// Measures until the program is ended. In a format for other programs it ends with a single line, unless a history is
/// wanted.
pub fn measure(session: &mut Session) -> Result<(), Failed> {
    let has_history = session.options.latency_history;
    let wanted = Some(session.options.interval).filter(|interval| !interval.is_zero());
    let span = wanted.unwrap_or(SPAN);
    let kind = session.output.format.kind;
    let is_live = kind == Kind::Pretty;
    let mut samples = Samples::default();
    let mut began = Instant::now();
    loop {
        samples.add(ping(session)?);
        if is_live {
            if io::stdout().is_terminal() {
                // To the begin of the line, which is cleared.
                output::write_unguarded(b"\x1b[0G\x1b[2K");
            }
            session.output.bytes(samples.text(kind).as_bytes());
        } else if has_history {
            session.output.bytes(samples.text(kind).as_bytes());
        } else if began.elapsed() > wanted.unwrap_or(ONE_RESULT) {
            session.output.bytes(samples.text(kind).as_bytes());
            return Ok(());
        }
        if has_history && began.elapsed() > span {
            let line = format!(" -- {:.2} seconds range\n", began.elapsed().as_secs_f32());
            session.output.bytes(line.as_bytes());
            began = Instant::now();
            samples = Samples::default();
        }
        thread::sleep(PAUSE);
    }
}

/// How long PING takes now.
pub fn ping(session: &mut Session) -> Result<Duration, Failed> {
    let began = Instant::now();
    session.call_patiently(&[b"PING".to_vec()])?;
    Ok(began.elapsed())
}

impl Samples {
    fn add(&mut self, latency: Duration) {
        let ms = latency.as_millis();
        self.min_ms = match self.count {
            0 => ms,
            _ => self.min_ms.min(ms),
        };
        self.max_ms = self.max_ms.max(ms);
        self.total_ms += ms;
        self.count += 1;
    }

    fn text(&self, kind: Kind) -> String {
        let Samples {
            count,
            min_ms: min,
            max_ms: max,
            ..
        } = self;
        let average = self.total_ms as f64 / self.count as f64;
        match kind {
            Kind::Pretty => format!("min: {min}, max: {max}, avg: {average:.2} ({count} samples)"),
            Kind::Csv => format!("{min},{max},{average:.2},{count}\n"),
            Kind::Raw => format!("{min} {max} {average:.2} {count}\n"),
            Kind::Json | Kind::QuotedJson => {
                format!(
                    "{{\"min\": {min}, \"max\": {max}, \"avg\": {average:.2}, \"count\": {count}}}\n"
                )
            }
        }
    }
}
