//! How XADD and XTRIM say which entries are to go: `MAXLEN ~ 1000 LIMIT 100`.

use super::id;
use crate::command::call::Call;
use crate::command::error::CommandError;
use crate::types::stream::{Entries, StreamId, Trim};

/// Which entries are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trimming {
    to: Trim,
    /// Whether `~` allows to leave some, so that only whole blocks go.
    pub(super) is_approximate: bool,
    /// The most entries that may go.
    limit: Option<u64>,
}

impl Trimming {
    /// Removes the entries; returns their number.
    pub(super) fn run(self, entries: &mut Entries) -> u64 {
        entries.trim(self.to, self.is_approximate, self.limit)
    }

    /// The arguments that trim a copy of the stream exactly as far as these entries have been trimmed.
    pub(super) fn replay(self, entries: &Entries) -> [Vec<u8>; 3] {
        let (word, threshold) = match self.to {
            Trim::MaxLen(_) => ("MAXLEN", entries.len().to_string()),
            // If nothing is left, nothing of the copy may be left either.
            Trim::MinId(_) => {
                let first_id = entries.first().map_or(StreamId::MAX, |first| first.id);
                ("MINID", first_id.to_string())
            }
        };
        [word.into(), "=".into(), threshold.into()]
    }
}

/// The options as they are read, one after the other.
#[derive(Debug, Default)]
pub(super) struct TrimOptions {
    trim: Option<(Trim, bool)>,
    limit: Option<u64>,
}

impl TrimOptions {
    /// Reads the option at `index`; returns the index behind it, or `None` if there is no such option.
    pub(super) fn read(
        &mut self,
        call: &Call,
        index: usize,
    ) -> Result<Option<usize>, CommandError> {
        let last = call.arguments.len() - 1;
        let is_option = |word| index < last && call.is_word(index, word);
        if is_option("LIMIT") {
            let limit = call.integer(index + 1)?;
            let limit = u64::try_from(limit)
                .map_err(|_| CommandError::err("The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
            return Ok(Some(index + 2));
        }
        if !is_option("MAXLEN") && !is_option("MINID") {
            return Ok(None);
        }
        if self.trim.is_some() {
            let text = "syntax error, MAXLEN and MINID options at the same time are not compatible";
            return Err(CommandError::err(text));
        }
        let sign = call.argument(index + 1);
        let has_sign = index + 2 <= last && matches!(sign, b"~" | b"=");
        let threshold_at = index + 1 + usize::from(has_sign);
        let to = match call.is_word(index, "MAXLEN") {
            true => {
                let most = u64::try_from(call.integer(threshold_at)?)
                    .map_err(|_| CommandError::err("The MAXLEN argument must be >= 0."))?;
                Trim::MaxLen(most)
            }
            false => Trim::MinId(id::parse(call.argument(threshold_at), 0)?),
        };
        self.trim = Some((to, has_sign && sign == b"~"));
        Ok(Some(threshold_at + 1))
    }

    /// What the options mean together; `None` if nothing is to go, which XTRIM does not allow. The order of the checks
    /// is Redis'.
    pub(super) fn finish(
        self,
        call: &Call,
        is_xtrim: bool,
    ) -> Result<Option<Trimming>, CommandError> {
        let syntax = |text| Err(CommandError::err(format_args!("syntax error, {text}")));
        let Some((to, is_approximate)) = self.trim else {
            return match self.limit {
                Some(1..) => syntax("LIMIT cannot be used without specifying a trimming strategy"),
                _ if is_xtrim => syntax("XTRIM must be called with a trimming strategy"),
                Some(0) => syntax("LIMIT cannot be used without the special ~ option"),
                None => Ok(None),
            };
        };
        if call.session.is_replaying {
            // Redis replays `MAXLEN ~ 5 LIMIT 9` as `MAXLEN = 7 LIMIT 9`, where 7 is what was left.
            return Ok(Some(Trimming {
                to,
                is_approximate,
                limit: None,
            }));
        }
        if self.limit.is_some() && !is_approximate {
            return syntax("LIMIT cannot be used without the special ~ option");
        }
        let limit = match self.limit {
            Some(limit) => Some(limit).filter(|limit| *limit > 0),
            None if is_approximate => Some(default_limit(call)),
            None => None,
        };
        Ok(Some(Trimming {
            to,
            is_approximate,
            limit,
        }))
    }
}

/// The most entries that go without LIMIT, so that no single command takes long: those of 100 blocks.
fn default_limit(call: &Call) -> u64 {
    const BLOCKS: u64 = 100;
    /// If blocks have no limit.
    const DEFAULT: u64 = 10_000;
    const MOST: u64 = 1_000_000;
    let of_block = call.server.config.stream_limits().entries;
    match of_block.saturating_mul(BLOCKS) {
        0 => DEFAULT,
        limit => limit.min(MOST),
    }
}
