//! The file `~/.my_redisclirc`: lines that set [preferences](super::preferences) when the prompt starts.
//!
//! The variable `REDISCLI_RCFILE` names another file. It is not redis-cli's `~/.redisclirc`, because lines that only
//! one of the two programs knows would be errors for the other.

use super::preferences::Preferences;
use super::user_file;
use crate::output::Output;
use my_redis_server::util::quoting;
use std::fs;

/// The name of the file, in the home folder and in what is said of it.
const NAME: &str = ".my_redisclirc";

/// Obeys the lines of the user's file, if there is one, and prints what is wrong with it.
pub fn load(preferences: &mut Preferences, output: &Output) {
    let Some(path) = user_file::path("REDISCLI_RCFILE", NAME) else {
        return;
    };
    let text = fs::read(path).unwrap_or_default();
    for line in text.split(|byte| *byte == b'\n') {
        let words = quoting::split_arguments(line).unwrap_or_default();
        if !words.is_empty()
            && let Err(fault) = preferences.obey(&words)
        {
            output.bytes(format!("{NAME}: {fault}\n").as_bytes());
        }
    }
}
