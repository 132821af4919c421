//! The rules of a user, as ACL SETUSER and files have them: <https://redis.io/docs/management/security/acl/#acl-rules>.
//!
//! ```text
//! on off nopass >password <password #digest !digest resetpass     who can log in
//! +get -get +config|get +select|0 +@read -@all allcommands        commands
//! ~cached:* %R~report:* allkeys resetkeys                         keys
//! &news.* allchannels resetchannels                               channels
//! (+set ~mine:*) clearselectors                                   what may be used together beside the above
//! reset                                                           back to nothing
//! ```

use crate::command::registry::{Command, Registry};
use crate::command::spec::find_category;
use crate::state::acl::{Digest, KeyRights, Patterns, Selector, User};
use crate::util::quoting::c_string;
use std::fmt;

/// Why a rule cannot be applied. `Display` gives Redis' text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It is no rule.
    Syntax,
    /// It names a command or category that does not exist.
    UnknownCommand,
    /// A pattern of keys after all keys.
    AfterAllKeys,
    /// A pattern of channels after all channels.
    AfterAllChannels,
    /// The password to be removed is none.
    NoSuchPassword,
    /// It is no digest.
    InvalidDigest,
    /// A first argument is permitted of commands alone, not of subcommands.
    ArgumentOfSubcommand,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuleError::Syntax => "Syntax error",
            RuleError::UnknownCommand => "Unknown command or category name in ACL",
            RuleError::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::InvalidDigest => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::ArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        })
    }
}

/// Reads rules.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The commands that rules name.
    pub commands: &'a Registry,
    /// Whether new users and selectors may use all channels: `acl-pubsub-default`.
    pub permits_new_all_channels: bool,
}

impl Rules<'_> {
    /// A user that has just been created.
    pub fn new_user(&self) -> User {
        let mut user = User::default();
        user.root = self.new_selector();
        user
    }

    fn new_selector(&self) -> Selector {
        let mut selector = Selector::default();
        if self.permits_new_all_channels {
            selector.channels = Patterns::All;
        }
        selector
    }

    /// Changes a user by one rule.
    pub fn apply(&self, user: &mut User, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"on" => user.is_on = true,
            b"off" => user.is_on = false,
            b"nopass" => {
                user.forget_passwords();
                user.needs_no_password = true;
            }
            b"resetpass" => user.forget_passwords(),
            b"sanitize-payload" => user.sanitizes_payload = true,
            b"skip-sanitize-payload" => user.sanitizes_payload = false,
            b"clearselectors" => user.selectors.clear(),
            b"reset" => *user = self.new_user(),
            _ => match rule {
                [b'>', password @ ..] => user.add_password(Digest::of(password)),
                [b'#', digest @ ..] => user.add_password(read_digest(digest)?),
                [b'<', password @ ..] => remove_password(user, &Digest::of(password))?,
                [b'!', digest @ ..] => remove_password(user, &read_digest(digest)?)?,
                [b'(', rules @ .., b')'] => user.selectors.push(self.read_selector(rules)?),
                rule => self.apply_to_selector(&mut user.root, rule)?,
            },
        }
        Ok(())
    }

    /// A selector of what stands between parentheses.
    fn read_selector(&self, rules: &[u8]) -> Result<Selector, RuleError> {
        let mut selector = self.new_selector();
        for rule in rules.split(|byte| *byte == b' ') {
            self.apply_to_selector(&mut selector, rule)?;
        }
        Ok(selector)
    }

    fn apply_to_selector(&self, selector: &mut Selector, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"allkeys" | b"~*" => selector.keys = Patterns::All,
            b"resetkeys" => selector.keys = Patterns::default(),
            b"allchannels" | b"&*" => selector.channels = Patterns::All,
            b"resetchannels" => selector.channels = Patterns::default(),
            b"allcommands" | b"+@all" => selector.set_all_commands(true),
            b"nocommands" | b"-@all" => selector.set_all_commands(false),
            _ => match rule {
                [b'~' | b'%', ..] if selector.keys.is_all() => return Err(RuleError::AfterAllKeys),
                [b'~', pattern @ ..] => add_keys(selector, pattern, KeyRights::FULL)?,
                [b'%', rest @ ..] => add_keys_with_rights(selector, rest)?,
                [b'&', pattern @ ..] => add_channels(selector, pattern)?,
                [b'+', name @ ..] => self.permit(selector, c_string(name))?,
                [b'-', name @ ..] => self.set_commands(selector, c_string(name), false)?,
                _ => return Err(RuleError::Syntax),
            },
        }
        Ok(())
    }

    /// `+get`, `+config|get`, `+select|0`, `+@read`.
    fn permit(&self, selector: &mut Selector, name: &[u8]) -> Result<(), RuleError> {
        let bar = name.iter().rposition(|byte| *byte == b'|');
        let Some(bar) = bar.filter(|_| !name.starts_with(b"@")) else {
            return self.set_commands(selector, name, true);
        };
        let argument = &name[bar + 1..];
        let command = self.commands.find_full_name(&name[..bar]);
        let command = command.ok_or(RuleError::UnknownCommand)?;
        if command.container.is_some() {
            return Err(RuleError::ArgumentOfSubcommand);
        }
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if command.spec.subcommands().is_empty() {
            selector.permit_first_argument(name, command.number, argument);
            return Ok(());
        }
        self.set_commands(selector, name, true)
    }

    /// Permits or refuses a category, a command with its subcommands, or a subcommand.
    fn set_commands(
        &self,
        selector: &mut Selector,
        name: &[u8],
        are_permitted: bool,
    ) -> Result<(), RuleError> {
        if let Some(category) = name.strip_prefix(b"@") {
            let category = find_category(category).ok_or(RuleError::UnknownCommand)?;
            let all = self.commands.all().iter();
            let members = all.filter(|command| command.spec.is_in(category));
            let numbers = members.flat_map(|command| self.with_subcommands(command));
            selector.set_commands(name, numbers, are_permitted);
            return Ok(());
        }
        let command = self.commands.find_full_name(name);
        let command = command.ok_or(RuleError::UnknownCommand)?;
        selector.set_commands(name, self.with_subcommands(command), are_permitted);
        Ok(())
    }

    /// The numbers of a command and its subcommands.
    fn with_subcommands(&self, command: &Command) -> impl Iterator<Item = usize> {
        let subcommands = self.commands.subcommands(command.spec).into_iter();
        let numbers: Vec<usize> = subcommands.map(|subcommand| subcommand.number).collect();
        numbers.into_iter().chain([command.number])
    }
}

fn read_digest(text: &[u8]) -> Result<Digest, RuleError> {
    Digest::from_hex(text).ok_or(RuleError::InvalidDigest)
}

fn remove_password(user: &mut User, digest: &Digest) -> Result<(), RuleError> {
    match user.remove_password(digest) {
        true => Ok(()),
        false => Err(RuleError::NoSuchPassword),
    }
}

/// `R~x*`, `W~x*`, `RW~x*`.
fn add_keys_with_rights(selector: &mut Selector, rest: &[u8]) -> Result<(), RuleError> {
    let end = rest.iter().position(|byte| *byte == b'~');
    // As in Redis, what has no `~` has an empty pattern behind it.
    let (letters, pattern) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, &[][..]),
    };
    let mut rights = KeyRights::default();
    for letter in letters {
        let permission = match letter.to_ascii_uppercase() {
            b'R' => &mut rights.reads,
            b'W' => &mut rights.writes,
            _ => return Err(RuleError::Syntax),
        };
        // Each letter once.
        if std::mem::replace(permission, true) {
            return Err(RuleError::Syntax);
        }
    }
    if rights == KeyRights::default() {
        return Err(RuleError::Syntax);
    }
    add_keys(selector, pattern, rights)
}

fn add_keys(selector: &mut Selector, pattern: &[u8], rights: KeyRights) -> Result<(), RuleError> {
    check_pattern(pattern)?;
    selector.add_keys(pattern, rights);
    Ok(())
}

fn add_channels(selector: &mut Selector, pattern: &[u8]) -> Result<(), RuleError> {
    if selector.channels.is_all() {
        return Err(RuleError::AfterAllChannels);
    }
    check_pattern(pattern)?;
    selector.add_channels(pattern);
    Ok(())
}

fn check_pattern(pattern: &[u8]) -> Result<(), RuleError> {
    match fits_in_file(pattern) {
        true => Ok(()),
        false => Err(RuleError::Syntax),
    }
}

/// Whether a name or a pattern can stand in a file of users: it holds no blanks and no zero byte.
pub fn fits_in_file(text: &[u8]) -> bool {
    !text
        .iter()
        .any(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | 0))
}

/// A `(` without its `)`: the index of the word that begins with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unmatched(pub usize);

/// Puts the words of each selector together, which a client sends as several: `(+get`, `~x)`.
pub fn merge_selectors(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, Unmatched> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, word) in words.iter().enumerate() {
        let whole = match open.take() {
            Some((first, begun)) => (first, [&begun[..], b" ", word].concat()),
            None => (index, word.to_vec()),
        };
        let is_begun = whole.1.starts_with(b"(");
        match is_begun && !whole.1.ends_with(b")") {
            true => open = Some(whole),
            false => merged.push(whole.1),
        }
    }
    match open {
        Some((first, _)) => Err(Unmatched(first)),
        None => Ok(merged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;

    #[test]
    fn selectors_are_put_together() {
        let merge = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let merged = merge_selectors(&words)?;
            let texts = merged.iter().map(|word| String::from_utf8_lossy(word));
            Ok(texts.collect::<Vec<_>>().join("/"))
        };
        assert_eq!(
            merge(&["on", "(+get", "~a", "~b)", "off"]),
            Ok("on/(+get ~a ~b)/off".to_string())
        );
        assert_eq!(merge(&["(+get)", "+set)"]), Ok("(+get)/+set)".to_string()));
        assert_eq!(merge(&["on", "(+get", "~a"]), Err(Unmatched(1)));
    }

    /// A category permits the subcommands of its containers, and a command its own.
    #[test]
    fn subcommands_follow_their_container() {
        let rules = Rules {
            commands: &COMMANDS,
            permits_new_all_channels: false,
        };
        let mut user = User::default();
        let mut apply = |rule: &[u8]| {
            rules.apply(&mut user, rule).expect("it is a rule");
            ["config|get", "config|set"].map(|name| {
                let command = COMMANDS.find_full_name(name.as_bytes());
                let number = command.expect("it exists").number;
                user.root.permits_command(number, None)
            })
        };
        assert_eq!(apply(b"+config"), [true, true]);
        assert_eq!(apply(b"-config|set"), [true, false]);
        assert_eq!(apply(b"-@admin"), [false, false]);
    }
}
