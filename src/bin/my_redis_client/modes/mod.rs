//! What the client does beside commands: it scans and measures.
//!
//! A mode prints what redis-cli prints. Where redis-cli writes escape sequences into a pipe, this client does not.

mod big_keys;
mod hot_keys;
mod info;
mod intrinsic_latency;
mod latency;
mod latency_spectrum;
mod scan;
mod stat;

use crate::options::Mode;
use crate::session::{Failed, Session};

/// Runs a mode to its end.
pub fn run(mode: Mode, mut session: Session) -> Result<(), Failed> {
    if mode == Mode::IntrinsicLatency {
        intrinsic_latency::measure(&session.options);
        return Ok(());
    }
    // What went wrong has been told.
    session.connect().map_err(|_| Failed)?;
    match mode {
        Mode::Scan => scan::print_keys(&mut session),
        Mode::BigKeys => big_keys::find(&mut session, big_keys::Measure::Elements),
        Mode::MemoryKeys => big_keys::find(&mut session, big_keys::Measure::Memory),
        Mode::HotKeys => hot_keys::find(&mut session),
        Mode::Stat => stat::print(&mut session),
        Mode::Latency => latency::measure(&mut session),
        Mode::LatencySpectrum => latency_spectrum::measure(&mut session),
        Mode::IntrinsicLatency | Mode::Eval | Mode::Command => {
            unreachable!("these are run elsewhere")
        }
    }
}
