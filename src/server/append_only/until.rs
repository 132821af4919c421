//! `my_redis_server --until TIME`: the data as they were at an earlier moment, to be looked at and not to be changed.
//!
//! The increments say when their commands came, to the second (`aof-timestamp-enabled`). A rewrite removes what came
//! before it, so the base is the earliest moment.

use super::location::found_folder;
use super::replay::{self, Manner};
use crate::command::execute::Engine;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;

/// Loads the files as they were at this moment, in seconds of Unix time. From then on time stands still, and no data
/// change. `false` if the server was requested to stop meanwhile.
///
/// # Errors
/// The lines for the log.
pub fn load_until(engine: &Engine, until_s: i64) -> Result<bool, String> {
    let folder = found_folder(&engine.config)?;
    let folder = folder.ok_or("--until needs an append-only file, and there is none")?;
    let manner = Manner {
        until_s: Some(until_s),
        reads_only: true,
    };
    let Some(found) = replay::load(engine, &folder, manner)? else {
        return Ok(false);
    };
    if found.last_time_s.is_none() && !found.is_later_left_out {
        return Err(
            "--until needs timestamps in the append-only file, which aof-timestamp-enabled puts there"
                .to_string(),
        );
    }
    let base_s = engine.loading.written_at_s.load(Relaxed);
    if base_s > until_s {
        return Err(format!(
            "The append-only file does not go back to {}: its base is of {}",
            clock::log_time(until_s * 1000),
            clock::log_time(base_s * 1000)
        ));
    }
    engine.is_read_only.store(true, Relaxed);
    // The end of that second: what came within it is there.
    clock::stop_at(until_s * 1000 + 999);
    engine.log.notice(format_args!(
        "The data are those of {}. They cannot be changed; what was changed later stays in the files.",
        clock::log_time(until_s * 1000)
    ));
    Ok(true)
}
