//! What there is to know about a command: its entry in the table.
//!
//! Look-up, arity check, the choice of locks, COMMAND INFO, DOCS, LIST and GETKEYS, and ACL categories all read it.
//! Nothing about a command is said a second time anywhere. Each family's file opens with its entries; the
//! [`registry`](super::registry) holds them all.

use super::call::Call;
use super::error::{CommandError, CommandResult};
use super::invocation::Invocation;
use crate::keyspace::db::Db;
use crate::keyspace::survey;
use crate::lua::flags::ScriptFlags;
use crate::state::Server;
use crate::state::waiting::Wish;
use std::ops::BitOr;

/// So that an entry can say `handler: Read(get)`.
pub use Handler::*;

/// What there is to know about a command.
#[derive(Debug)]
pub struct CommandSpec {
    /// In lower case; of a subcommand, its own word alone.
    pub name: &'static str,
    /// How many arguments there must be, the name (of a subcommand: both words) included; negative: that many or more.
    pub arity: i32,
    /// What runs it, and under which locks.
    pub handler: Handler,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Which arguments are channels, for the rights to them; those of commands that end subscriptions need no right.
    pub channels: Option<Channels>,
    /// What kind of command it is.
    pub flags: CommandFlags,
    /// The group it is documented in.
    pub group: Group,
    /// The version of Redis that brought it.
    pub since: &'static str,
    /// Its arguments: `[optional]`, `<this | that>`, `repeated [repeated ...]`, TOKENS in capitals;
    /// [`admin::syntax`](super::admin::syntax) says how the line is read.
    pub syntax: &'static str,
    /// What it does, in one sentence of <https://redis.io/commands/>.
    pub summary: &'static str,
    /// The time that it takes, as documented there.
    pub complexity: &'static str,
    /// The versions that changed it, and how.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients and proxies: <https://redis.io/docs/reference/command-tips/>.
    pub tips: &'static [&'static str],
    /// The version that deprecated it, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether it is there for servers and their developers, not for users.
    pub is_internal: bool,
    /// Whether the argument at an index is a password or the like, which MONITOR and the slow log must not show.
    pub is_secret: fn(&[&[u8]], usize) -> bool,
    /// Of a command that runs a script: what the script of a request says of itself; `None` if it says nothing, or if
    /// there is no such script.
    pub script_flags: Option<FlagsOfScript>,
}

/// See [`CommandSpec::script_flags`].
pub type FlagsOfScript = fn(&Server, &[&[u8]]) -> Option<ScriptFlags>;

/// The rest of an entry, for `..BASE`.
pub const BASE: CommandSpec = CommandSpec {
    name: "",
    arity: 0,
    handler: Container(&[]),
    keys: &[],
    channels: None,
    flags: flags(&[]),
    group: Group::Generic,
    since: "",
    syntax: "",
    summary: "",
    complexity: "O(1)",
    history: &[],
    tips: &[],
    deprecated: None,
    is_internal: false,
    is_secret: |_, _| false,
    script_flags: None,
};

/// What runs a command. The signature says which locks the executor takes for it: a handler cannot lock, and one that
/// changes data needs `&mut Db`, which only exclusive locks give.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// Needs no data: PING, CLIENT, CONFIG.
    NoLock(fn(&mut Call) -> CommandResult),
    /// Shared locks on the shards of its keys.
    Read(fn(&mut Call, &Db) -> CommandResult),
    /// Exclusive locks on the shards of its keys.
    Write(fn(&mut Call, &mut Db) -> CommandResult),
    /// Exclusive locks on the shards of its keys; it says what it waits for, and
    /// [`execute::wait`](super::execute::wait) serves it: BLPOP.
    Wait(fn(&mut Call) -> Result<Wish, CommandError>),
    /// Shared locks on all shards of the client's database: RANDOMKEY, DBSIZE.
    ReadAll(fn(&mut Call, &Db) -> CommandResult),
    /// Exclusive locks on all shards of all databases: FLUSHALL, SWAPDB.
    WriteAll(fn(&mut Call, &mut Db) -> CommandResult),
    /// Looks at one shard after the other: INFO, KEYS.
    Survey(fn(&mut Call, &survey::Survey) -> CommandResult),
    /// Returns the script that is to run; the executor takes its locks: EVAL, FCALL.
    Script(fn(&mut Call) -> Result<Invocation, CommandError>),
    /// Exclusive locks on the shards of all keys of all commands that were queued, and of the watched keys: EXEC.
    Exec,
    /// The arguments say which of the others it is: SORT.
    ByArguments(fn(&[&[u8]]) -> Handler),
    /// The second word says which command it is: CONFIG GET.
    Container(&'static [CommandSpec]),
    /// A container that does something without a second word too, and needs no data for that: COMMAND.
    CallableContainer(fn(&mut Call) -> CommandResult, &'static [CommandSpec]),
}

/// Which of a command's arguments are channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// The first argument: PUBLISH.
    First,
    /// All arguments: SUBSCRIBE.
    All,
    /// All arguments, and each is a pattern of channels: PSUBSCRIBE.
    AllPatterns,
}

/// Where a command's keys are among its arguments, and what happens to them. One entry for keys of one kind.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// See [`KeyPlaces`].
    pub places: KeyPlaces,
    /// What happens to the keys.
    pub flags: KeyFlags,
    /// What happens to the keys of a certain request, where that depends on its other arguments.
    pub flags_in_request: Option<FlagsInRequest>,
    /// What flags cannot say; usually nothing.
    pub notes: &'static str,
}

/// What happens to the keys of a request with these arguments.
pub type FlagsInRequest = fn(&[&[u8]]) -> KeyFlags;

/// Where keys are. Indexes count the command's name as 0.
#[derive(Clone, Copy, Debug)]
pub enum KeyPlaces {
    /// From `first` to `last` in steps of `step`; a negative `last` counts from the end, -1 being the last argument.
    Range {
        /// Index of the first key.
        first: usize,
        /// Index of the last key.
        last: i32,
        /// From one key to the next.
        step: usize,
    },
    /// The argument at `count` says how many keys follow it.
    Counted {
        /// Index of the number.
        count: usize,
    },
    /// The argument behind a word, if the word is there. What looks like the word may be something else: the executor
    /// locks whatever stands behind one, and COMMAND GETKEYS answers, as Redis does, the first.
    AfterWord {
        /// In capitals.
        word: &'static str,
        /// Index of the first argument that may be the word.
        from: usize,
    },
    /// The first half of what stands behind a word: `XREAD STREAMS k1 k2 id1 id2`. A consumer group may have the word
    /// as its name, so the command itself finds it among all its arguments, if it is there.
    HalfAfterWord {
        /// In capitals.
        word: &'static str,
        /// Index of the first argument that may be the word.
        from: usize,
        /// Finds the index of the word.
        find: fn(&[&[u8]]) -> Option<usize>,
    },
    /// Nowhere: the names of the keys follow from data, by a pattern. They are unknown before the command runs.
    Patterns,
    /// At the index that the command finds by reading all its arguments, if it finds one.
    Sought(fn(&[&[u8]]) -> Option<usize>),
}

/// One key at this index.
pub const fn key(index: usize, flags: &[KeyFlags]) -> KeySpec {
    keys(index, index as i32, 1, flags)
}

/// Keys at several indexes, see [`KeyPlaces::Range`].
pub const fn keys(first: usize, last: i32, step: usize, flags: &[KeyFlags]) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Range { first, last, step },
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

/// As many keys as the argument at `count` says.
pub const fn counted_keys(count: usize, flags: &[KeyFlags]) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Counted { count },
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

/// A key behind this word, at the index `from` or later.
pub const fn key_after(word: &'static str, from: usize, flags: &[KeyFlags]) -> KeySpec {
    KeySpec {
        places: KeyPlaces::AfterWord { word, from },
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

/// Keys that are half of what stands behind a word, see [`KeyPlaces::HalfAfterWord`].
pub const fn half_after(
    word: &'static str,
    from: usize,
    find: fn(&[&[u8]]) -> Option<usize>,
    flags: &[KeyFlags],
) -> KeySpec {
    KeySpec {
        places: KeyPlaces::HalfAfterWord { word, from, find },
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

/// Keys that follow from data, see [`KeyPlaces::Patterns`].
pub const fn keys_by_pattern(flags: &[KeyFlags]) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Patterns,
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

/// A key that the command itself finds, see [`KeyPlaces::Sought`].
pub const fn sought_key(find: fn(&[&[u8]]) -> Option<usize>, flags: &[KeyFlags]) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Sought(find),
        flags: KeyFlags::of(flags),
        flags_in_request: None,
        notes: "",
    }
}

impl KeySpec {
    /// With flags that depend on the other arguments.
    pub const fn varying(self, flags_in_request: FlagsInRequest) -> KeySpec {
        KeySpec {
            flags_in_request: Some(flags_in_request),
            ..self
        }
    }

    /// What happens to the keys of this request.
    pub fn flags_in(&self, request: &[&[u8]]) -> KeyFlags {
        self.flags_in_request
            .map_or(self.flags, |flags| flags(request))
    }

    /// With something that flags cannot say.
    pub const fn noting(self, notes: &'static str) -> KeySpec {
        KeySpec { notes, ..self }
    }

    /// The index of the only key, if every request has one at the same place.
    pub fn only_index(&self) -> Option<usize> {
        match self.places {
            KeyPlaces::Range { first, last, .. } => {
                (usize::try_from(last) == Ok(first)).then_some(first)
            }
            _ => None,
        }
    }

    /// The indexes of the keys among `arguments`; `None` if the arguments contradict the specification.
    pub fn indexes<'a>(&self, arguments: &'a [&'a [u8]]) -> Option<impl Iterator<Item = usize>> {
        let len = arguments.len();
        let (first, end, step) = match self.places {
            KeyPlaces::Range { first, last, step } => {
                let last = if last < 0 {
                    len.checked_sub(last.unsigned_abs() as usize)?
                } else {
                    last as usize
                };
                (first, last + 1, step)
            }
            KeyPlaces::Counted { count } => {
                let number = crate::util::number::parse_u64(arguments.get(count)?)?;
                let number = usize::try_from(number)
                    .ok()
                    .filter(|number| (1..len - count).contains(number))?;
                (count + 1, count + 1 + number, 1)
            }
            KeyPlaces::AfterWord { from, .. } => (from + 1, len, 1),
            KeyPlaces::HalfAfterWord { find, .. } => match find(arguments) {
                Some(word) => (word + 1, word + 1 + (len - word - 1) / 2, 1),
                None => (0, 0, 1),
            },
            KeyPlaces::Patterns => (0, 0, 1),
            KeyPlaces::Sought(find) => match find(arguments) {
                Some(index) => (index, index + 1, 1),
                None => (0, 0, 1),
            },
        };
        let word = match self.places {
            KeyPlaces::AfterWord { word, .. } => Some(word),
            _ => None,
        };
        let is_key = move |index: &usize| match word {
            Some(word) => arguments[index - 1].eq_ignore_ascii_case(word.as_bytes()),
            None => true,
        };
        // There may be none: PFMERGE with its destination alone.
        let is_possible = word.is_some() || (first <= end && end <= len);
        is_possible.then(|| (first..end).step_by(step).filter(is_key))
    }
}

macro_rules! flags {
    ($(#[$comment:meta])* $type:ident:
     $($(#[$flag_comment:meta])* $flag:ident $bit:literal $($text:literal)?),* $(,)?) => {
        $(#[$comment])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $type(u32);

        $($(#[$flag_comment])* #[allow(missing_docs)] pub const $flag: $type = $type(1 << $bit);)*

        impl $type {
            /// The flags that Redis knows, with their names, in the order in which it lists them.
            const NAMED: &[($type, &str)] = &[$($(($flag, $text),)?)*];

            /// All of these flags.
            pub const fn of(flags: &[$type]) -> $type {
                let (mut bits, mut index) = (0, 0);
                while index < flags.len() {
                    bits |= flags[index].0;
                    index += 1;
                }
                $type(bits)
            }

            /// Whether one of these flags is among them.
            pub const fn has(self, flags: $type) -> bool {
                self.0 & flags.0 != 0
            }

            /// All but these.
            pub const fn without(self, flags: $type) -> $type {
                $type(self.0 & !flags.0)
            }

            /// The names of those that Redis knows.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                let named = $type::NAMED.iter();
                named.filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
            }
        }

        impl BitOr for $type {
            type Output = $type;

            fn bitor(self, other: $type) -> $type {
                $type(self.0 | other.0)
            }
        }
    };
}

flags! {
    /// Flags of commands: those of <https://redis.io/commands/command/#flags>, with the names that COMMAND gives them,
    /// and our own, which it does not tell.
    CommandFlags:
    WRITE 0 "write", READONLY 1 "readonly", DENYOOM 2 "denyoom", ADMIN 3 "admin", PUBSUB 4 "pubsub",
    NOSCRIPT 5 "noscript", BLOCKING 6 "blocking", LOADING 7 "loading", STALE 8 "stale",
    SKIP_MONITOR 9 "skip_monitor", SKIP_SLOWLOG 10 "skip_slowlog", ASKING 11 "asking", FAST 12 "fast",
    NO_AUTH 13 "no_auth", NO_MANDATORY_KEYS 15 "no_mandatory_keys",
    NO_ASYNC_LOADING 16 "no_async_loading", NO_MULTI 17 "no_multi", MOVABLE_KEYS 18 "movablekeys",
    ALLOW_BUSY 19 "allow_busy",
    /// Changes no data, and yet it goes to replicas, so CLIENT PAUSE WRITE makes it wait.
    MAY_REPLICATE 14,
    /// Selects the database that its argument names, so that the commands behind it in a transaction are on that.
    SELECTS 20,
    /// Refused where commands that write are, so that health checks notice that no dump can be written; as in Redis.
    HEALTH_CHECK 21,
    /// CLIENT CACHING holds for the command after it, too.
    KEEPS_CACHING 22,
    /// Only for clients that `enable-module-command` names.
    MODULES 23,
    /// Carried out at once between MULTI and EXEC too, instead of being queued.
    UNQUEUED 24,
    /// Also for clients that have subscribed to something and speak RESP2.
    WHILE_SUBSCRIBED 25,
    /// Only for clients that `enable-debug-command` names.
    PROTECTED 26,
    /// In the ACL categories of sets, sorted sets and lists, instead of that of the group.
    CAT_COLLECTIONS 27,
    /// In the ACL category `@keyspace`, which follows neither from the other flags nor from the group.
    CAT_KEYSPACE 28,
    /// In the ACL category `@connection`, instead of that of the group.
    CAT_CONNECTION 29,
    /// In the ACL category `@admin`, without the flag.
    CAT_ADMIN 30,
    /// In the ACL category `@dangerous`, without being in `@admin`.
    CAT_DANGEROUS 31,
}

flags! {
    /// What happens to a key: <https://redis.io/docs/reference/key-specs/#flags>.
    KeyFlags:
    RO 0 "RO", RW 1 "RW", OW 2 "OW", RM 3 "RM", ACCESS 4 "access", UPDATE 5 "update", INSERT 6 "insert",
    DELETE 7 "delete", NOT_KEY 8 "not_key", INCOMPLETE 9 "incomplete", VARIABLE 10 "variable_flags",
}

/// All of these flags: what an entry of the table says of its command.
pub const fn flags(flags: &[CommandFlags]) -> CommandFlags {
    CommandFlags::of(flags)
}

/// The groups of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Scripting => "scripting",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }

    /// The ACL category that commands of the group belong to.
    fn category(self) -> Option<&'static str> {
        match self {
            Group::Bitmap => Some("@bitmap"),
            Group::Connection => Some("@connection"),
            Group::Generic => Some("@keyspace"),
            Group::Geo => Some("@geo"),
            Group::Hash => Some("@hash"),
            Group::HyperLogLog => Some("@hyperloglog"),
            Group::List => Some("@list"),
            Group::Cluster | Group::PubSub | Group::Server => None,
            Group::Scripting => Some("@scripting"),
            Group::Set => Some("@set"),
            Group::SortedSet => Some("@sortedset"),
            Group::Stream => Some("@stream"),
            Group::String => Some("@string"),
            Group::Transactions => Some("@transaction"),
        }
    }
}

/// The ACL categories, in the order in which Redis lists them.
#[rustfmt::skip]
pub const CATEGORIES: &[&str] = &[
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
];

/// The ACL category of this name, in any case.
pub fn find_category(name: &[u8]) -> Option<&'static str> {
    let mut all = CATEGORIES.iter().copied();
    all.find(|category| category.as_bytes().eq_ignore_ascii_case(name))
}

/// The categories of groups that come behind all others.
const LAST_CATEGORIES: [&str; 3] = ["@connection", "@transaction", "@scripting"];

impl CommandSpec {
    /// Whether this many arguments, the name included, are acceptable.
    pub fn accepts(&self, arguments: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 {
            arguments >= arity
        } else {
            arguments == arity
        }
    }

    /// Whether the command has one of these flags.
    #[inline]
    pub fn has(&self, flags: CommandFlags) -> bool {
        self.flags.has(flags)
    }

    /// The flags of a request: those of the command, unless it runs a script that says of itself what it does.
    pub fn flags_in(&self, server: &Server, arguments: &[&[u8]]) -> CommandFlags {
        let declared = self.script_flags.and_then(|flags| flags(server, arguments));
        let Some(declared) = declared else {
            return self.flags;
        };
        // It is known now whether the request writes, so MAY_REPLICATE says nothing more.
        let known = self.flags.without(WRITE | DENYOOM | MAY_REPLICATE);
        if declared.has(ScriptFlags::NO_WRITES) {
            known
        } else if declared.has(ScriptFlags::ALLOW_OOM) {
            known | WRITE
        } else {
            known | WRITE | DENYOOM
        }
    }

    /// Its subcommands.
    pub fn subcommands(&self) -> &'static [CommandSpec] {
        match self.handler {
            Handler::Container(subcommands) | Handler::CallableContainer(_, subcommands) => {
                subcommands
            }
            _ => &[],
        }
    }

    /// Its flags and those that follow from the rest of the entry.
    pub fn all_flags(&self) -> CommandFlags {
        let is_movable = |spec: &KeySpec| !matches!(spec.places, KeyPlaces::Range { .. });
        if self.keys.iter().any(is_movable) {
            self.flags | MOVABLE_KEYS
        } else {
            self.flags
        }
    }

    /// Whether it is in this ACL category, one of [`CATEGORIES`].
    pub fn is_in(&self, category: &str) -> bool {
        self.categories().iter().any(|name| name[1..] == *category)
    }

    /// Its ACL categories, each with `@`: <https://redis.io/docs/management/security/acl/#command-categories>.
    pub fn categories(&self) -> Vec<&'static str> {
        let is_container = matches!(self.handler, Handler::Container(_));
        let is_of_collections = self.has(CAT_COLLECTIONS);
        let group = self.group.category();
        let group =
            group.filter(|_| !is_container && !is_of_collections && !self.has(CAT_CONNECTION));
        let is = |name, condition| Some(name).filter(|_| condition);
        let keyspace = is(
            "@keyspace",
            self.has(CAT_KEYSPACE) || group == Some("@keyspace"),
        );
        [
            keyspace,
            is(
                "@read",
                self.has(READONLY) && self.group != Group::Scripting,
            ),
            is("@write", self.has(WRITE)),
            group.filter(|group| !LAST_CATEGORIES.contains(group) && *group != "@keyspace"),
            is("@pubsub", self.has(PUBSUB)),
            is("@set", is_of_collections),
            is("@sortedset", is_of_collections),
            is("@list", is_of_collections),
            is("@admin", self.has(ADMIN | CAT_ADMIN)),
            is("@fast", self.has(FAST)),
            is("@slow", !self.has(FAST)),
            is("@blocking", self.has(BLOCKING)),
            is("@dangerous", self.has(ADMIN | CAT_DANGEROUS)),
            is(
                "@connection",
                self.has(CAT_CONNECTION) || group == Some("@connection"),
            ),
            group.filter(|group| matches!(*group, "@transaction" | "@scripting")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
