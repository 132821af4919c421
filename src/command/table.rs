//! The table of commands: one entry a command, and in it everything there is to know about the command.
//!
//! Look-up, arity check, the choice of locks, COMMAND INFO, DOCS, LIST and GETKEYS, and ACL categories all read it.
//! Nothing about a command is said a second time anywhere. Each family's file opens with its part of the table.

use super::call::Call;
use super::error::{CommandError, CommandResult};
use super::{
    acl, bitmap, blocking, client, cluster, config, connection, debug, dump, expiry, generic, geo,
    hash, hyperloglog, info, introspection, latency, lcs, list, memory, module, monitor,
    persistence, pubsub, replication, server, set, slowlog, sort, sorted_set, string, transaction,
};
use crate::keyspace::db::Db;
use crate::keyspace::survey::Survey;
use crate::state::waiting::Wish;
use std::collections::HashMap;
use std::sync::LazyLock;

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
    /// The flags below.
    pub flags: u32,
    /// The group it is documented in.
    pub group: Group,
    /// The version of Redis that brought it.
    pub since: &'static str,
    /// Its arguments: `[optional]`, `<this | that>`, `repeated [repeated ...]`, TOKENS in capitals.
    pub syntax: &'static str,
    /// What it does, in one sentence of <https://redis.io/commands/>.
    pub summary: &'static str,
    /// Hints for clients and proxies: <https://redis.io/docs/reference/command-tips/>.
    pub tips: &'static [&'static str],
    /// The version that deprecated it, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether the argument at an index is a password or the like, which MONITOR and the slow log must not show.
    pub is_secret: fn(&[&[u8]], usize) -> bool,
}

/// The rest of an entry, for `..BASE`.
pub const BASE: CommandSpec = CommandSpec {
    name: "",
    arity: 0,
    handler: Handler::Container(&[]),
    keys: &[],
    flags: 0,
    group: Group::Generic,
    since: "",
    syntax: "",
    summary: "",
    tips: &[],
    deprecated: None,
    is_secret: |_, _| false,
};

/// What runs a command. The signature says which locks dispatch takes for it: a handler cannot see a lock, and one that
/// changes data needs `&mut Db`, which only exclusive locks give.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// Needs no data: PING, CLIENT, CONFIG.
    NoLock(fn(&mut Call) -> CommandResult),
    /// Shared locks on the shards of its keys.
    Read(fn(&mut Call, &Db) -> CommandResult),
    /// Exclusive locks on the shards of its keys.
    Write(fn(&mut Call, &mut Db) -> CommandResult),
    /// The same locks; it says what it waits for, and is served by [`waiting`](super::waiting): BLPOP.
    Wait(fn(&mut Call) -> Result<Wish, CommandError>),
    /// Shared locks on all shards of the client's database: RANDOMKEY, DBSIZE.
    ReadAll(fn(&mut Call, &Db) -> CommandResult),
    /// Exclusive locks on all shards of all databases: FLUSHALL, SWAPDB.
    WriteAll(fn(&mut Call, &mut Db) -> CommandResult),
    /// Looks at one shard after the other: INFO, KEYS.
    Survey(fn(&mut Call, &Survey) -> CommandResult),
    /// Exclusive locks on the shards of all keys of all commands that were queued, and of the watched keys: EXEC.
    Exec,
    /// The arguments say which of the others it is: SORT.
    ByArguments(fn(&[&[u8]]) -> Handler),
    /// The second word says which command it is: CONFIG GET.
    Container(&'static [CommandSpec]),
    /// The same, but it does something without a second word too, and needs no data for it: COMMAND.
    CallableContainer(fn(&mut Call) -> CommandResult, &'static [CommandSpec]),
}

/// Where a command's keys are among its arguments, and what happens to them. One entry for keys of one kind.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// See [`KeyPlaces`].
    pub places: KeyPlaces,
    /// What happens to the keys: the flags `RO` to `VARIABLE`.
    pub flags: u32,
    /// What flags cannot say; usually nothing.
    pub notes: &'static str,
}

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
    /// The argument behind a word, if the word is there. What looks like the word may be something else: dispatch locks
    /// whatever stands behind one, and COMMAND GETKEYS tells, as Redis does, the first.
    AfterWord {
        /// In capitals.
        word: &'static str,
        /// Index of the first argument that may be the word.
        from: usize,
    },
    /// Nowhere: the names of the keys follow from data, by a pattern. Nobody can tell them before the command runs.
    Patterns,
    /// At the index that the command finds by reading all its arguments, if it finds one.
    Sought(fn(&[&[u8]]) -> Option<usize>),
}

/// One key at this index.
pub const fn key(index: usize, flags: u32) -> KeySpec {
    keys(index, index as i32, 1, flags)
}

/// Keys at several indexes, see [`KeyPlaces::Range`].
pub const fn keys(first: usize, last: i32, step: usize, flags: u32) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Range { first, last, step },
        flags,
        notes: "",
    }
}

/// As many keys as the argument at `count` says.
pub const fn counted_keys(count: usize, flags: u32) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Counted { count },
        flags,
        notes: "",
    }
}

/// A key behind this word, at the index `from` or later.
pub const fn key_after(word: &'static str, from: usize, flags: u32) -> KeySpec {
    KeySpec {
        places: KeyPlaces::AfterWord { word, from },
        flags,
        notes: "",
    }
}

/// Keys that follow from data, see [`KeyPlaces::Patterns`].
pub const fn keys_by_pattern(flags: u32) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Patterns,
        flags,
        notes: "",
    }
}

/// A key that the command itself finds, see [`KeyPlaces::Sought`].
pub const fn sought_key(find: fn(&[&[u8]]) -> Option<usize>, flags: u32) -> KeySpec {
    KeySpec {
        places: KeyPlaces::Sought(find),
        flags,
        notes: "",
    }
}

impl KeySpec {
    /// With something that flags cannot say.
    pub const fn noting(self, notes: &'static str) -> KeySpec {
        KeySpec { notes, ..self }
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

/// Names and bits of flags, in the order in which Redis lists them.
pub type FlagNames = &'static [(u32, &'static str)];

macro_rules! flags {
    ($names:ident, $comment:literal: $($flag:ident $bit:literal $text:literal),* $(,)?) => {
        $(#[allow(missing_docs)] pub const $flag: u32 = 1 << $bit;)*
        #[doc = $comment]
        pub const $names: FlagNames = &[$(($flag, $text)),*];
    };
}

flags! { COMMAND_FLAGS, "Flags of commands: <https://redis.io/commands/command/#flags>.":
    WRITE 0 "write", READONLY 1 "readonly", DENYOOM 2 "denyoom", ADMIN 3 "admin", PUBSUB 4 "pubsub",
    NOSCRIPT 5 "noscript", BLOCKING 6 "blocking", LOADING 7 "loading", STALE 8 "stale",
    SKIP_MONITOR 9 "skip_monitor", SKIP_SLOWLOG 10 "skip_slowlog", ASKING 11 "asking", FAST 12 "fast",
    NO_AUTH 13 "no_auth", NO_MANDATORY_KEYS 15 "no_mandatory_keys",
    NO_ASYNC_LOADING 16 "no_async_loading", NO_MULTI 17 "no_multi", MOVABLE_KEYS 18 "movablekeys",
    ALLOW_BUSY 19 "allow_busy",
}

flags! { KEY_FLAGS, "What happens to a key: <https://redis.io/docs/reference/key-specs/#flags>.":
    RO 0 "RO", RW 1 "RW", OW 2 "OW", RM 3 "RM", ACCESS 4 "access", UPDATE 5 "update", INSERT 6 "insert",
    DELETE 7 "delete", NOT_KEY 8 "not_key", INCOMPLETE 9 "incomplete", VARIABLE 10 "variable_flags",
}

/// Changes no data, and yet replicas have to hear of it, so CLIENT PAUSE WRITE makes it wait. COMMAND does not tell it, as in
/// Redis.
pub const MAY_REPLICATE: u32 = 1 << 14;
/// Only for clients that `enable-module-command` names; a flag that COMMAND does not tell.
pub const MODULES: u32 = 1 << 23;
/// Only for clients that `enable-debug-command` names; COMMAND does not tell it either.
pub const PROTECTED: u32 = 1 << 26;
/// Carried out at once between MULTI and EXEC too, instead of being queued; COMMAND does not tell it either.
pub const UNQUEUED: u32 = 1 << 24;

/// Also for clients that have subscribed to something and speak RESP2; a flag that COMMAND does not tell.
pub const WHILE_SUBSCRIBED: u32 = 1 << 25;

/// ACL categories that follow neither from the flags nor from the group, among the flags of commands.
#[allow(missing_docs)]
pub const CAT_KEYSPACE: u32 = 1 << 28;
/// The category of connections, instead of that of the group.
pub const CAT_CONNECTION: u32 = 1 << 29;
#[allow(missing_docs)]
pub const CAT_ADMIN: u32 = 1 << 30;
#[allow(missing_docs)]
pub const CAT_DANGEROUS: u32 = 1 << 31;
/// The categories of sets, sorted sets and lists, instead of that of the group.
pub const CAT_COLLECTIONS: u32 = 1 << 27;

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
    Server,
    Set,
    SortedSet,
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
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
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
            Group::Set => Some("@set"),
            Group::SortedSet => Some("@sortedset"),
            Group::String => Some("@string"),
            Group::Transactions => Some("@transaction"),
        }
    }
}

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
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
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
    pub fn all_flags(&self) -> u32 {
        let is_movable = |spec: &KeySpec| !matches!(spec.places, KeyPlaces::Range { .. });
        match self.keys.iter().any(is_movable) {
            true => self.flags | MOVABLE_KEYS,
            false => self.flags,
        }
    }

    /// Its ACL categories: <https://redis.io/docs/management/security/acl/#command-categories>.
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
            is("@read", self.has(READONLY)),
            is("@write", self.has(WRITE)),
            group.filter(|group| !matches!(*group, "@keyspace" | "@connection" | "@transaction")),
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
            is("@transaction", group == Some("@transaction")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A command with its place in the table.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Counts commands and subcommands from 0.
    pub number: usize,
    /// The entry.
    pub spec: &'static CommandSpec,
    /// The container it belongs to.
    pub container: Option<&'static CommandSpec>,
}

impl Command {
    /// The full name: `get`, `config|get`.
    pub fn full_name(&self) -> String {
        match self.container {
            Some(container) => format!("{}|{}", container.name, self.spec.name),
            None => self.spec.name.to_string(),
        }
    }
}

/// The parts of the table, family by family.
const FAMILIES: &[&[CommandSpec]] = &[
    connection::COMMANDS,
    client::COMMANDS,
    acl::COMMANDS,
    cluster::COMMANDS,
    module::COMMANDS,
    introspection::COMMANDS,
    server::COMMANDS,
    slowlog::COMMANDS,
    latency::COMMANDS,
    config::COMMANDS,
    info::COMMANDS,
    memory::COMMANDS,
    debug::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    monitor::COMMANDS,
    replication::COMMANDS,
    generic::COMMANDS,
    expiry::COMMANDS,
    dump::COMMANDS,
    sort::COMMANDS,
    string::COMMANDS,
    lcs::COMMANDS,
    list::COMMANDS,
    blocking::COMMANDS,
    hash::COMMANDS,
    set::COMMANDS,
    sorted_set::add::COMMANDS,
    sorted_set::lookup::COMMANDS,
    sorted_set::range::COMMANDS,
    sorted_set::remove::COMMANDS,
    sorted_set::pop::COMMANDS,
    sorted_set::combine::COMMANDS,
    sorted_set::sample::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    geo::places::COMMANDS,
    geo::search::COMMANDS,
    transaction::COMMANDS,
];

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    commands: Vec<Command>,
    /// Numbers by full name.
    by_name: HashMap<String, usize, foldhash::fast::RandomState>,
}

impl Table {
    fn new() -> Table {
        let mut table = Table {
            commands: Vec::new(),
            by_name: HashMap::default(),
        };
        for spec in FAMILIES.iter().copied().flatten() {
            table.add(spec, None);
            spec.subcommands()
                .iter()
                .for_each(|subcommand| table.add(subcommand, Some(spec)));
        }
        table
    }

    fn add(&mut self, spec: &'static CommandSpec, container: Option<&'static CommandSpec>) {
        let command = Command {
            number: self.commands.len(),
            spec,
            container,
        };
        let replaced = self.by_name.insert(command.full_name(), command.number);
        assert!(
            replaced.is_none(),
            "{} stands in the table twice",
            command.full_name()
        );
        self.commands.push(command);
    }
}

/// All commands and subcommands, by number.
pub fn all() -> &'static [Command] {
    &TABLE.commands
}

/// The commands, without subcommands.
pub fn top_level() -> impl ExactSizeIterator<Item = &'static Command> {
    let commands: Vec<_> = all()
        .iter()
        .filter(|command| command.container.is_none())
        .collect();
    commands.into_iter()
}

/// The command of this name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    find_full(&[name]).filter(|command| command.container.is_none())
}

/// The command or subcommand of this full name, such as `config|get`, in any case.
pub fn find_full_name(name: &[u8]) -> Option<&'static Command> {
    find_full(&[name])
}

/// The subcommand of this name, in any case.
pub fn find_subcommand(container: &CommandSpec, name: &[u8]) -> Option<&'static Command> {
    find_full(&[container.name.as_bytes(), b"|", name])
}

/// The command or subcommand of this full name, in parts.
fn find_full(parts: &[&[u8]]) -> Option<&'static Command> {
    const LONGEST: usize = 40;
    let mut name = [0; LONGEST];
    let mut len = 0;
    for part in parts {
        name.get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    name[..len].make_ascii_lowercase();
    let name = std::str::from_utf8(&name[..len]).ok()?;
    TABLE
        .by_name
        .get(name)
        .map(|number| &TABLE.commands[*number])
}
