//! A selector: commands, keys and channels that may be used together. A request is permitted if one selector of the
//! user permits all of it.
//!
//! Commands are numbers of the table of commands. Beside the set of those that are permitted, a selector keeps the
//! rules that led to it, because ACL LIST shows these.

use crate::util::glob;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// What may be used together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The commands that are permitted, with all arguments.
    commands: Commands,
    /// Of commands that are not permitted otherwise: the first arguments with which they are (`+select|0`).
    first_arguments: BTreeMap<usize, BTreeSet<Box<[u8]>>>,
    /// The rules of commands since `+@all` or `-@all`.
    rules: Vec<Rule>,
    /// The keys that may be used.
    pub keys: Patterns<KeyPattern>,
    /// The channels that may be used.
    pub channels: Patterns<Box<[u8]>>,
}

/// A set of commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Commands {
    /// Whether `numbers` are those that are refused.
    is_all_but: bool,
    numbers: BTreeSet<usize>,
}

impl Commands {
    fn has(&self, number: usize) -> bool {
        self.is_all_but != self.numbers.contains(&number)
    }

    fn set(&mut self, number: usize, is_permitted: bool) {
        match is_permitted == self.is_all_but {
            true => self.numbers.remove(&number),
            false => self.numbers.insert(number),
        };
    }
}

/// A rule of commands: `+get`, `-@admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    permits: bool,
    /// A command, a subcommand (`config|get`), or a category (`@admin`), in lower case.
    name: Vec<u8>,
}

/// All names, or those that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patterns<P> {
    /// `*`, which is also known as allkeys or allchannels.
    All,
    /// In the order in which they were added.
    Matching(Vec<P>),
}

impl<P> Default for Patterns<P> {
    /// None.
    fn default() -> Patterns<P> {
        Patterns::Matching(Vec::new())
    }
}

impl<P> Patterns<P> {
    /// The patterns; none if there are no limits.
    pub fn listed(&self) -> &[P] {
        match self {
            Patterns::All => &[],
            Patterns::Matching(patterns) => patterns,
        }
    }

    /// Whether there are no limits.
    pub fn is_all(&self) -> bool {
        matches!(self, Patterns::All)
    }

    /// The patterns, to be added to; any until now are all.
    fn list(&mut self) -> &mut Vec<P> {
        if self.is_all() {
            *self = Patterns::default();
        }
        match self {
            Patterns::Matching(patterns) => patterns,
            Patterns::All => unreachable!("it has just been replaced"),
        }
    }
}

/// What may be done with a key, or what a command does with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRights {
    /// Its value is returned, or copied to where it can be read.
    pub reads: bool,
    /// It is changed.
    pub writes: bool,
}

impl KeyRights {
    /// To read alone.
    pub const READ: KeyRights = KeyRights {
        reads: true,
        writes: false,
    };
    /// Both.
    pub const FULL: KeyRights = KeyRights {
        reads: true,
        writes: true,
    };

    fn includes(self, needed: KeyRights) -> bool {
        (self.reads || !needed.reads) && (self.writes || !needed.writes)
    }

    fn or(self, other: KeyRights) -> KeyRights {
        KeyRights {
            reads: self.reads || other.reads,
            writes: self.writes || other.writes,
        }
    }
}

/// Keys, and what may be done with them: `~x*`, `%R~x*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// The pattern.
    pub pattern: Box<[u8]>,
    /// What may be done with keys that match it.
    pub rights: KeyRights,
}

/// What can be done to the rights to commands.
impl Selector {
    /// Everything is permitted.
    pub fn unrestricted() -> Selector {
        let mut selector = Selector {
            keys: Patterns::All,
            channels: Patterns::All,
            ..Selector::default()
        };
        selector.set_all_commands(true);
        selector
    }

    /// `+@all` or `-@all`: earlier rules have no meaning any more.
    pub fn set_all_commands(&mut self, are_permitted: bool) {
        self.commands = Commands {
            is_all_but: are_permitted,
            numbers: BTreeSet::new(),
        };
        self.first_arguments.clear();
        self.rules.clear();
    }

    /// Permits or refuses commands by a rule: `name` is that of a command or a category.
    pub fn set_commands(
        &mut self,
        name: &[u8],
        numbers: impl Iterator<Item = usize>,
        are_permitted: bool,
    ) {
        for number in numbers {
            self.commands.set(number, are_permitted);
            self.first_arguments.remove(&number);
        }
        self.note_rule(name, are_permitted);
    }

    /// Permits a command with this first argument: `name` is that of the command with the argument, `select|0`.
    pub fn permit_first_argument(&mut self, name: &[u8], number: usize, argument: &[u8]) {
        let arguments = self.first_arguments.entry(number).or_default();
        arguments.insert(argument.to_ascii_lowercase().into());
        self.note_rule(name, true);
    }

    /// A rule replaces an earlier one of the same name, and those of subcommands.
    fn note_rule(&mut self, name: &[u8], permits: bool) {
        let name = name.to_ascii_lowercase();
        let is_replaced = |rule: &Rule| {
            let rest = rule.name.strip_prefix(&name[..]);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"|"))
        };
        self.rules.retain(|rule| !is_replaced(rule));
        self.rules.push(Rule { permits, name });
    }

    /// Adds a pattern of keys; one that is known may do more from now on.
    pub fn add_keys(&mut self, pattern: &[u8], rights: KeyRights) {
        let patterns = self.keys.list();
        match patterns.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => known.rights = known.rights.or(rights),
            None => patterns.push(KeyPattern {
                pattern: pattern.into(),
                rights,
            }),
        }
    }

    /// Adds a pattern of channels.
    pub fn add_channels(&mut self, pattern: &[u8]) {
        let patterns = self.channels.list();
        if !patterns.iter().any(|known| **known == *pattern) {
            patterns.push(pattern.into());
        }
    }
}

/// What a request is compared with.
impl Selector {
    /// Whether it permits everything.
    pub fn may_do_all(&self) -> bool {
        self.commands.is_all_but
            && self.commands.numbers.is_empty()
            && self.keys.is_all()
            && self.channels.is_all()
    }

    /// Whether a command is permitted. `argument` is its first, that of a subcommand its own first.
    pub fn permits_command(&self, number: usize, argument: Option<&[u8]>) -> bool {
        self.commands.has(number)
            || argument.is_some_and(|argument| {
                let known = self.first_arguments.get(&number);
                known.is_some_and(|known| known.contains(&*argument.to_ascii_lowercase()))
            })
    }

    /// Whether this may be done with a key.
    pub fn permits_key(&self, key: &[u8], rights: KeyRights) -> bool {
        let permits = |known: &KeyPattern| {
            known.rights.includes(rights) && glob::matches(&known.pattern, key)
        };
        self.keys.is_all() || self.keys.listed().iter().any(permits)
    }

    /// Whether this may be done with any key there is.
    pub fn permits_every_key(&self, rights: KeyRights) -> bool {
        let permits = |known: &KeyPattern| known.rights.includes(rights) && *known.pattern == *b"*";
        self.keys.is_all() || self.keys.listed().iter().any(permits)
    }

    /// Whether a channel may be used, or a pattern of channels be subscribed to.
    pub fn permits_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        // A pattern must be one of those that are permitted: whether one includes another cannot be told in general.
        let permits = |known: &[u8]| match is_pattern {
            true => known == name,
            false => glob::matches(known, name),
        };
        let mut listed = self.channels.listed().iter();
        self.channels.is_all() || listed.any(|known| permits(known))
    }
}

/// How ACL LIST and ACL GETUSER show it.
impl Selector {
    /// The rules of commands: `-@all +get`.
    pub fn command_rules(&self) -> Vec<u8> {
        let mut text = match self.commands.is_all_but {
            true => b"+@all".to_vec(),
            false => b"-@all".to_vec(),
        };
        for rule in &self.rules {
            text.extend_from_slice(if rule.permits { b" +" } else { b" -" });
            text.extend_from_slice(&rule.name);
        }
        text
    }

    /// The patterns of keys: `~x* %R~y*`.
    pub fn key_rules(&self) -> Vec<u8> {
        let each =
            |known: &KeyPattern| [known.rights.to_string().as_bytes(), &known.pattern].concat();
        rules(&self.keys, b"~*", each)
    }

    /// The patterns of channels: `&news.*`.
    pub fn channel_rules(&self) -> Vec<u8> {
        rules(&self.channels, b"&*", |known| [b"&", &**known].concat())
    }

    /// All rules, as they would be written to a file.
    pub fn rules(&self) -> Vec<u8> {
        let mut parts = vec![self.key_rules()];
        if !self.channels.is_all() {
            parts.push(b"resetchannels".to_vec());
        }
        parts.extend([self.channel_rules(), self.command_rules()]);
        parts.retain(|part| !part.is_empty());
        parts.join(&b' ')
    }
}

fn rules<P>(patterns: &Patterns<P>, all: &[u8], each: impl Fn(&P) -> Vec<u8>) -> Vec<u8> {
    match patterns {
        Patterns::All => all.to_vec(),
        Patterns::Matching(patterns) => {
            let rules: Vec<Vec<u8>> = patterns.iter().map(each).collect();
            rules.join(&b' ')
        }
    }
}

/// What stands before the pattern: `~`, `%R~`, `%W~`.
impl fmt::Display for KeyRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reads, self.writes) {
            (true, false) => f.write_str("%R~"),
            (false, true) => f.write_str("%W~"),
            _ => f.write_char('~'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: KeyRights = KeyRights::READ;
    const WRITE: KeyRights = KeyRights {
        reads: false,
        writes: true,
    };

    #[test]
    fn a_pattern_permits_what_it_says() {
        let mut selector = Selector::default();
        selector.add_keys(b"a*", READ);
        selector.add_keys(b"b*", KeyRights::FULL);
        let permits = |key: &[u8], rights| selector.permits_key(key, rights);
        assert!(permits(b"a1", READ) && !permits(b"a1", WRITE) && !permits(b"a1", KeyRights::FULL));
        assert!(permits(b"b1", READ) && permits(b"b1", KeyRights::FULL));
        assert!(permits(b"a1", KeyRights::default()) && !permits(b"c", KeyRights::default()));
        assert_eq!(selector.key_rules(), b"%R~a* ~b*");
        selector.add_keys(b"a*", WRITE);
        assert!(selector.permits_key(b"a1", KeyRights::FULL));
        assert!(!selector.permits_every_key(READ));
        selector.add_keys(b"*", READ);
        assert!(selector.permits_every_key(READ) && !selector.permits_every_key(WRITE));
    }

    #[test]
    fn a_pattern_of_channels_must_be_known_to_the_letter() {
        let mut selector = Selector::default();
        selector.add_channels(b"news.*");
        assert!(selector.permits_channel(b"news.it", false));
        assert!(!selector.permits_channel(b"news.it*", true));
        assert!(selector.permits_channel(b"news.*", true));
        assert_eq!(selector.rules(), b"resetchannels &news.* -@all");
    }

    /// The text is what ACL LIST of redis-server 7.2.4 shows after the same rules.
    #[test]
    fn a_rule_replaces_those_that_it_makes_void() {
        const CONFIG: [usize; 3] = [10, 11, 12];
        let mut selector = Selector::unrestricted();
        let mut set = |name: &[u8], numbers: &[usize], is_permitted| {
            selector.set_commands(name, numbers.iter().copied(), is_permitted);
            selector.command_rules()
        };
        assert_eq!(set(b"config|set", &[12], false), b"+@all -config|set");
        assert_eq!(set(b"CONFIG", &CONFIG, true), b"+@all +config");
        assert_eq!(
            set(b"config|set", &[12], false),
            b"+@all +config -config|set"
        );
        assert!(!selector.permits_command(12, None) && selector.permits_command(11, None));
    }

    #[test]
    fn a_first_argument_is_permitted_until_the_command_is_refused() {
        let mut selector = Selector::default();
        selector.permit_first_argument(b"select|0", 7, b"0");
        assert!(selector.permits_command(7, Some(b"0")));
        assert!(!selector.permits_command(7, Some(b"1")) && !selector.permits_command(7, None));
        assert_eq!(selector.command_rules(), b"-@all +select|0");
        selector.set_commands(b"select", [7].into_iter(), false);
        assert!(!selector.permits_command(7, Some(b"0")));
        assert_eq!(selector.command_rules(), b"-@all -select");
    }
}
