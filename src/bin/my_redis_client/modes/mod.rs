//! What the client does beside commands: it scans, measures and transfers.
//!
//! A mode prints what redis-cli prints. Where redis-cli writes escape sequences into a pipe, this client does not.

mod big_keys;
mod hot_keys;
mod info;
mod intrinsic_latency;
mod latency;
mod latency_spectrum;
mod pipe;
pub mod replica;
mod save_snapshot;
mod scan;
mod snapshot;
mod snapshot_sink;
mod stat;
mod survey;

use crate::options::Mode;
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::util::system_message;
use save_snapshot::Content;
use std::fs;

/// Runs a mode to its end.
pub fn run(mode: Mode, session: &mut Session) -> Result<(), Failed> {
    if mode == Mode::IntrinsicLatency {
        intrinsic_latency::measure(&session.options);
        return Ok(());
    }
    // What went wrong has been told.
    session.connect().map_err(|_| Failed)?;
    match mode {
        Mode::Replica => replica::follow(session),
        Mode::Snapshot => save_snapshot::fetch(session, Content::Everything),
        Mode::FunctionsSnapshot => save_snapshot::fetch(session, Content::Functions),
        Mode::Pipe => pipe::transfer(session),
        Mode::Eval => eval(session),
        Mode::Scan => scan::print_keys(session),
        Mode::BigKeys => big_keys::find(session, big_keys::Measure::Elements),
        Mode::MemoryKeys => big_keys::find(session, big_keys::Measure::Memory),
        Mode::HotKeys => hot_keys::find(session),
        Mode::Stat => stat::print(session),
        Mode::Latency => latency::measure(session),
        Mode::LatencySpectrum => latency_spectrum::measure(session),
        Mode::IntrinsicLatency | Mode::Command => {
            unreachable!("these are run elsewhere")
        }
    }
}

/// Runs the script of a file: `--eval FILE key key , argument argument`.
fn eval(session: &mut Session) -> Result<(), Failed> {
    let path = &session.options.script;
    let script = fs::read(path).map_err(|error| {
        let reason = system_message(&error);
        complain!("Can't open file '{}': {reason}", path.display());
        Failed
    })?;
    let mut words = session.options.command.clone();
    // The first comma parts keys from arguments; another one is an argument.
    let comma = words.iter().position(|word| word == b",");
    let keys = comma.unwrap_or(words.len());
    if let Some(comma) = comma {
        words.remove(comma);
    }
    let mut command = vec![b"EVAL".to_vec(), script, keys.to_string().into_bytes()];
    command.extend(words);
    let repeat = session.options.repeat;
    session.run(&command, repeat)
}
