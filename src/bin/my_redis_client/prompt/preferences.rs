//! What the user prefers: `:set hints` and `:set nohints`.

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
    /// Obeys the words of a line. The error is a text for the user.
    pub fn obey(&mut self, words: &[Vec<u8>]) -> Result<(), String> {
        let mut words = words.iter().map(|word| String::from_utf8_lossy(word));
        let name = words.next().unwrap_or_default();
        let (":set", Some(preference)) = (name.to_ascii_lowercase().as_str(), words.next()) else {
            return Err(format!("unknown my_redis_client internal command '{name}'"));
        };
        self.hints = match preference.to_ascii_lowercase().as_str() {
            "hints" => true,
            "nohints" => false,
            _ => return Err(format!("unknown my_redis_client preference '{preference}'")),
        };
        Ok(())
    }
}
