//! What the user prefers: `:set hints` and `:set nohints`, typed, or kept in the file `~/.my_redisclirc`.
//!
//! The variable `REDISCLI_RCFILE` names another file. It is not redis-cli's `~/.redisclirc`, because lines that only
//! one of the two programs knows would be errors for the other.

use super::history;
use crate::output::Output;
use my_redis_server::util::quoting;
use std::fs;

/// What the user prefers.
pub struct Preferences {
    /// Whether the arguments of a command are shown while it is typed.
    pub hints: bool,
}

impl Default for Preferences {
    fn default() -> Preferences {
        Preferences { hints: true }
    }
}

impl Preferences {
    /// Obeys the lines of the user's file, if there is one, and prints what is wrong with it.
    pub fn load(&mut self, output: &Output) {
        let Some(path) = history::file_of_user("REDISCLI_RCFILE", ".my_redisclirc") else {
            return;
        };
        for line in fs::read(path)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
        {
            let words = quoting::split_arguments(line).unwrap_or_default();
            if !words.is_empty() {
                output.bytes(self.obey(&words, ".my_redisclirc: ").as_bytes());
            }
        }
    }

    /// Does what a line says that begins with a colon. The result is a text for the user, which begins with `place` if
    /// it is not empty.
    pub fn obey(&mut self, words: &[Vec<u8>], place: &str) -> String {
        let words: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        let name = words[0].to_ascii_lowercase();
        match (name.as_str(), words.get(1)) {
            (":set", Some(preference)) => match preference.to_ascii_lowercase().as_str() {
                "hints" => self.hints = true,
                "nohints" => self.hints = false,
                _ => return format!("{place}unknown my_redis_client preference '{preference}'\n"),
            },
            _ => {
                return format!(
                    "{place}unknown my_redis_client internal command '{}'\n",
                    words[0]
                );
            }
        }
        String::new()
    }
}
