//! The table of directives: the only place with their names, accepted values and defaults. Reading files, CONFIG GET,
//! CONFIG SET and CONFIG REWRITE use it.
//!
//! It lists every directive of Redis 7.2, so that any redis.conf can be read and any tool gets its answers. The
//! [`Standing`] of a directive says whether it works in this server, is a promise that is refused, or has no effect.
//!
//! To give a directive an effect: add a field to [`Fields`], name it in the directive's row with
//! `.number(|fields| &fields.name)` or the like, and read it with `config.name.get()`. Remove `.refused(..)` or
//! `.no_effect(..)` from the row. If it is not simply read when it is needed, `Server::apply` puts it into effect.

pub(super) mod memory;
mod network;
mod persistence;
mod replication;
mod server;

use crate::state::config::fields::{Fields, Flag, Number, Text};
use crate::state::config::value::{Kind, Word};

const INT_MAX: i64 = i32::MAX as i64;
const LONG_MAX: i64 = i64::MAX;

/// All directives, in the order in which CONFIG GET lists them and CONFIG REWRITE appends them.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    [
        network::TABLE,
        persistence::TABLE,
        memory::TABLE,
        replication::TABLE,
        server::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The directive called `name`, in any case of letters, and which of its names (name or alias) that is.
pub fn find(name: &str) -> Option<(&'static Directive, &'static str)> {
    directives().find_map(|directive| {
        let own_name = directive
            .names()
            .find(|own_name| own_name.eq_ignore_ascii_case(name))?;
        Some((directive, own_name))
    })
}

/// One row of the table.
pub struct Directive {
    /// The name that CONFIG REWRITE uses.
    pub name: &'static str,
    /// An older name of the directive.
    pub alias: Option<&'static str>,
    /// The values that it accepts.
    pub kind: Kind,
    /// The default, in the words that would set it.
    pub default: &'static str,
    /// When it can be set.
    pub mutability: Mutability,
    /// CONFIG GET shows it only for its exact name, not for a pattern: it exists for tests.
    pub hidden: bool,
    /// Its value must not appear in MONITOR or the slow log.
    pub sensitive: bool,
    /// The effect of setting it in this server.
    pub standing: Standing,
    /// Where its value is kept.
    pub slot: Slot,
    /// A check of values that `kind` cannot express; the error is Redis' text.
    pub check: fn(&str) -> Result<(), &'static str>,
}

/// The effect that a directive has in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The server does what the directive says.
    Works,
    /// The directive is a promise that the server cannot keep, and why, so only its default is accepted. A server that
    /// accepted a password, or a log on the disk, and then ignored it, would harm a user who relies on it.
    Refused(&'static str),
    /// The directive concerns something that this server does in another way, or need not do, and why. It is accepted;
    /// at the start a warning is logged.
    NoEffect(&'static str),
    /// The row says nothing. No directive has this; a test fails if one does.
    Undecided,
}

/// When a directive can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// At any time.
    Modifiable,
    /// At the start only.
    Immutable,
    /// At any time, but by CONFIG SET only if `enable-protected-configs` permits it: a client that can set it can write
    /// files anywhere.
    Protected,
}

/// Where a value is kept.
#[derive(Clone, Copy)]
pub enum Slot {
    /// In the map of the directives that only CONFIG reads.
    Other,
    /// In this field.
    Number(fn(&Fields) -> &Number),
    /// In this field.
    Flag(fn(&Fields) -> &Flag),
    /// In this field.
    Text(fn(&Fields) -> &Text),
    /// By the operating system.
    WorkingDirectory,
}

impl Directive {
    /// The name and, if there is one, the alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Directive {
        Directive {
            name,
            alias: None,
            kind,
            default,
            mutability: Mutability::Modifiable,
            hidden: false,
            sensitive: false,
            standing: Standing::Undecided,
            slot: Slot::Other,
            check: |_| Ok(()),
        }
    }

    const fn alias(mut self, alias: &'static str) -> Directive {
        self.alias = Some(alias);
        self
    }

    const fn immutable(mut self) -> Directive {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn protected(mut self) -> Directive {
        self.mutability = Mutability::Protected;
        self
    }

    const fn hidden(mut self) -> Directive {
        self.hidden = true;
        self
    }

    const fn sensitive(mut self) -> Directive {
        self.sensitive = true;
        self
    }

    const fn check(mut self, check: fn(&str) -> Result<(), &'static str>) -> Directive {
        self.check = check;
        self
    }

    const fn kept_in(mut self, slot: Slot) -> Directive {
        self.slot = slot;
        self.standing = Standing::Works;
        self
    }

    const fn number(self, field: fn(&Fields) -> &Number) -> Directive {
        self.kept_in(Slot::Number(field))
    }

    const fn flag(self, field: fn(&Fields) -> &Flag) -> Directive {
        self.kept_in(Slot::Flag(field))
    }

    const fn text(self, field: fn(&Fields) -> &Text) -> Directive {
        self.kept_in(Slot::Text(field))
    }

    const fn refused(mut self, reason: &'static str) -> Directive {
        self.standing = Standing::Refused(reason);
        self
    }

    const fn no_effect(mut self, reason: &'static str) -> Directive {
        self.standing = Standing::NoEffect(reason);
        self
    }
}

const fn boolean(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::Boolean, default)
}

const fn integer(name: &'static str, min: i64, max: i64, default: &'static str) -> Directive {
    Directive::new(name, Kind::Integer { min, max }, default)
}

const fn memory(name: &'static str, min: u64, max: u64, default: &'static str) -> Directive {
    Directive::new(name, Kind::Memory { min, max }, default)
}

const fn word(name: &'static str, words: &'static [Word], default: &'static str) -> Directive {
    Directive::new(name, Kind::Word(words), default)
}

const fn text(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::Text, default)
}

const fn optional_text(name: &'static str) -> Directive {
    Directive::new(name, Kind::OptionalText, "")
}

const fn special(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    Directive::new(name, kind, default)
}

/// The words for [`Permission`](super::Permission).
const PERMISSION: &[Word] = &[("no", 0), ("yes", 1), ("local", 2)];

fn is_file_name(text: &str) -> bool {
    !text.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_lower_case() {
        let mut seen = HashSet::new();
        for name in directives().flat_map(Directive::names) {
            assert!(seen.insert(name), "{name}");
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }

    /// A directive that the server supports is removed from this list.
    #[test]
    fn promises_that_cannot_be_kept_are_refused() {
        let refused =
            directives().filter(|directive| matches!(directive.standing, Standing::Refused(_)));
        let mut refused: Vec<&str> = refused.map(|directive| directive.name).collect();
        refused.sort();
        let expected = [
            "aof_rewrite_cpulist",
            "bgsave_cpulist",
            "bio_cpulist",
            "cluster-enabled",
            "daemonize",
            "oom-score-adj",
            "server_cpulist",
            "socket-mark-id",
            "syslog-enabled",
            "tls-cluster",
            "tls-port",
            "tls-replication",
        ];
        assert_eq!(refused, expected);
    }

    /// Each directive works, is refused, or says why it has no effect.
    #[test]
    fn every_directive_has_a_standing() {
        let undecided = |directive: &&Directive| directive.standing == Standing::Undecided;
        let names: Vec<&str> = directives().filter(undecided).map(|it| it.name).collect();
        assert!(names.is_empty(), "{names:?}");
        // One that works is kept where the server reads it.
        for directive in directives() {
            let is_read = !matches!(directive.slot, Slot::Other);
            assert!(
                is_read || directive.standing != Standing::Works,
                "{}",
                directive.name
            );
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        let (directive, name) = find("HASH-max-ziplist-entries").unwrap();
        assert_eq!(
            (directive.name, name),
            ("hash-max-listpack-entries", "hash-max-ziplist-entries")
        );
        assert!(find("nope").is_none());
    }
}
