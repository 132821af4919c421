//! The configuration: the directives that the command line, the file and CONFIG SET have set.
//!
//! ```text
//! config.port.get()                       a field: one atomic load
//! config.get_matching(&[b"max*"])         CONFIG GET
//! config.set(&[("port", "6380")], ..)     CONFIG SET
//! config.set_initial("port", &["6380"])   --port 6380, or a line of the file
//! ```
//!
//! # Thread safety
//! Any thread reads at any time: numbers and flags are atomics, texts and the remaining directives have a `RwLock`
//! each. CONFIG SET changes directives under the mutex `changing`; it takes those `RwLock`s one after the other under
//! it, and may change the working directory (a system call). CONFIG REWRITE holds `changing` while it replaces the
//! file, which waits for the disk. Readers do not take `changing`. No other lock is taken under these.
//!
//! # Invariants
//! 1. Names, accepted values and defaults of directives stand in [`table`] and nowhere else.
//! 2. A stored value has passed the checks of its row.
//! 3. One thread at a time changes directives. A reader may see some directives of a CONFIG SET changed and others not
//!    yet.

pub mod fields;
pub mod file;
pub mod rewrite;
pub mod special;
pub mod table;
#[cfg(test)]
mod tests;
pub mod value;

pub use fields::Fields;
pub use special::OutputBufferLimit;

use crate::keyspace::evict::{Order, Policy};
use crate::state::append_only::FsyncPolicy;
use crate::state::replication::link::DisklessLoad;
use crate::types::limits::{CompactLimits, Limits, SetLimits};
use crate::types::list::BlockLimit;
use crate::types::stream::BlockLimits;
use crate::util::{glob, quoting, system_message};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};
use table::{Directive, Mutability, Slot, Standing};
use value::{Kind, Value};

/// Whether the value of the directive with this name must not appear in MONITOR or the slow log.
pub fn is_sensitive(name: &str) -> bool {
    table::find(name).is_some_and(|(directive, _)| directive.sensitive)
}

/// The configuration of a server.
#[derive(Debug)]
pub struct Config {
    fields: Fields,
    /// The directives without a field of their own.
    others: RwLock<HashMap<&'static str, Value>>,
    /// A file may give the points of `save` in several lines; the first of them replaces the default.
    save_was_set: AtomicBool,
    /// Held while directives change.
    changing: Mutex<()>,
}

/// Gives `config.port.get()` its short form.
impl Deref for Config {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl Default for Config {
    /// Every directive with its default.
    fn default() -> Config {
        let config = Config {
            fields: Fields::default(),
            others: RwLock::default(),
            save_was_set: AtomicBool::new(false),
            changing: Mutex::new(()),
        };
        for directive in table::directives() {
            // The working directory is the one in which the process was started.
            if !matches!(directive.slot, Slot::WorkingDirectory) {
                let stored = config.store(directive, &default_value(directive));
                stored.expect("only the working directory can fail");
            }
        }
        config
    }
}

/// The value that the table gives the directive.
pub(super) fn default_value(directive: &Directive) -> Value {
    let words = words_of(directive.kind, directive.default);
    let nothing = Value::Text(String::new());
    directive
        .kind
        .parse(&words, &nothing)
        .unwrap_or_else(|error| panic!("{}: {error}", directive.name))
}

/// The words that CONFIG SET makes of one argument: Redis splits at every single blank.
fn words_of(kind: Kind, text: &str) -> Vec<&str> {
    match text {
        "" if kind.takes_several_words() => vec![],
        _ if kind.takes_several_words() => text.split(' ').collect(),
        _ => vec![text],
    }
}

impl Config {
    /// Sets a directive from the command line or the file, which may set immutable ones, too. Returns a warning if the
    /// directive has no effect in this server.
    pub fn set_initial(
        &self,
        name: &str,
        arguments: &[&str],
    ) -> Result<Option<String>, ConfigError> {
        let (directive, _) =
            table::find(name).ok_or("Bad directive or wrong number of arguments")?;
        let several = directive.kind.takes_several_words();
        if !several && arguments.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        // `save "300 1"` is equivalent to `save 300 1`.
        let split = match arguments {
            [all] if several => split_quoted(all)?,
            _ => vec![],
        };
        let mut words: Vec<&str> = arguments.to_vec();
        if several && arguments.len() == 1 {
            words = split.iter().map(String::as_str).collect();
        }

        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value = if matches!(directive.kind, Kind::Save) {
            self.parse_initial_save(&words)?
        } else {
            self.parse(directive, &words)?
        };
        self.store(directive, &value)?;
        let warning = no_effect(directive);
        Ok(warning.filter(|_| value != default_value(directive)))
    }

    /// Adds save points to those of earlier lines; the first line replaces the default. An empty `save` removes all
    /// points.
    fn parse_initial_save(&self, words: &[&str]) -> Result<Value, ConfigError> {
        let added = special::parse_save(words)?;
        let keeps_earlier = self.save_was_set.swap(true, Relaxed) && !added.text().is_empty();
        let earlier = if keeps_earlier {
            self.save.get()
        } else {
            "".into()
        };
        Ok(Value::Text(
            format!("{earlier} {}", added.text()).trim().to_string(),
        ))
    }

    /// CONFIG SET: sets all of the pairs or none. `is_local` says whether the client is on this machine, for directives
    /// that only such a client may set. An error is the reply without `ERR `.
    ///
    /// To put a changed directive into effect can still fail, for example to listen on a new port. Then the caller
    /// restores the values ([`Config::undo`]) and puts those into effect.
    pub fn set(&self, pairs: &[(&str, &str)], is_local: bool) -> Result<Changes, ConfigError> {
        let found = self.find_all(pairs, is_local)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Changes::default();
        for ((directive, name), (_, argument)) in found.iter().zip(pairs) {
            let before = self.value(directive);
            let stored = self
                .parse(directive, &words_of(directive.kind, argument))
                .and_then(|value| {
                    self.store(directive, &value)?;
                    Ok(())
                });
            if let Err(error) = stored {
                self.restore(&changes);
                return Err(failed(name, &error));
            }
            if self.value(directive) != before {
                changes.0.push((directive, before));
            }
        }
        Ok(changes)
    }

    /// Notes which primary the server follows: an empty text for none.
    pub fn set_replicaof(&self, primary: &str) {
        self.fields.replicaof.set(primary);
    }

    /// Lowers `maxclients` to what the system allows.
    pub fn lower_maxclients(&self, most: i64) {
        self.fields.maxclients.set(most);
    }

    /// Restores what [`Config::set`] has changed, because `directive` could not be put into effect for `reason`. The
    /// result is the reply without `ERR `.
    pub fn undo(&self, changes: &Changes, directive: &str, reason: &str) -> ConfigError {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.restore(changes);
        failed(directive, &reason.into())
    }

    fn restore(&self, changes: &Changes) {
        for (directive, before) in changes.0.iter().rev() {
            // The value was accepted before, so this cannot fail, unless the old working directory was deleted since.
            let _ = self.store(directive, before);
        }
    }

    /// The directives of a CONFIG SET and the names by which it calls them.
    fn find_all(
        &self,
        pairs: &[(&str, &str)],
        is_local: bool,
    ) -> Result<Vec<(&'static Directive, &'static str)>, ConfigError> {
        let mut found: Vec<(&'static Directive, &'static str)> = Vec::new();
        for (name, _) in pairs {
            let Some((directive, own_name)) = table::find(name) else {
                let text =
                    format!("Unknown option or number of arguments for CONFIG SET - '{name}'");
                return Err(text.into());
            };
            let may_set_protected = || self.enable_protected_configs().includes(is_local);
            match directive.mutability {
                Mutability::Immutable => {
                    return Err(failed(name, &"can't set immutable config".into()));
                }
                Mutability::Protected if !may_set_protected() => {
                    return Err(failed(name, &"can't set protected config".into()));
                }
                Mutability::Protected | Mutability::Modifiable => {}
            }
            // A directive and its alias count as two.
            if found.iter().any(|(_, other)| *other == own_name) {
                return Err(failed(name, &"duplicate parameter".into()));
            }
            found.push((directive, own_name));
        }
        Ok(found)
    }

    /// CONFIG GET: names and values of the directives that match one of the patterns, each once. A name without
    /// wildcards comes back as it was spelled.
    pub fn get_matching(&self, patterns: &[&[u8]]) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, directive: &Directive| {
            if !found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                found.push((name.to_string(), self.show(directive)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                let name = String::from_utf8_lossy(pattern);
                if let Some((directive, _)) = table::find(&name) {
                    add(&name, directive);
                }
                continue;
            }
            for directive in table::directives().filter(|directive| !directive.hidden) {
                for name in directive
                    .names()
                    .filter(|name| glob::matches_ignore_case(pattern, name.as_bytes()))
                {
                    add(name, directive);
                }
            }
        }
        found
    }

    /// The value of a directive as CONFIG GET shows it.
    pub fn show(&self, directive: &Directive) -> String {
        directive.kind.show(&self.value(directive))
    }

    /// The value of the directive with this name, which must be in the table, as CONFIG GET shows it.
    pub fn show_named(&self, name: &str) -> String {
        table::find(name).map_or(String::new(), |(directive, _)| self.show(directive))
    }

    /// The value of a directive.
    pub(super) fn value(&self, directive: &Directive) -> Value {
        match directive.slot {
            Slot::Number(field) => Value::Number(field(&self.fields).get()),
            Slot::Flag(field) => Value::Number(field(&self.fields).get().into()),
            Slot::Text(field) => Value::Text(field(&self.fields).get().to_string()),
            Slot::WorkingDirectory => {
                let directory = std::env::current_dir().unwrap_or_default();
                Value::Text(directory.to_string_lossy().into_owned())
            }
            Slot::Other => {
                let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
                others
                    .get(directive.name)
                    .cloned()
                    .unwrap_or_else(|| Value::Text(String::new()))
            }
        }
    }

    fn parse(&self, directive: &Directive, words: &[&str]) -> Result<Value, ConfigError> {
        let value = directive.kind.parse(words, &self.value(directive))?;
        (directive.check)(&directive.kind.show(&value))?;
        if let Standing::Refused(reason) = directive.standing
            && value != default_value(directive)
        {
            return Err(file::not_supported(directive.name, reason));
        }
        Ok(value)
    }

    fn store(&self, directive: &Directive, value: &Value) -> Result<(), ConfigError> {
        match directive.slot {
            Slot::Number(field) => field(&self.fields).set(value.number()),
            Slot::Flag(field) => field(&self.fields).set(value.number() != 0),
            Slot::Text(field) => field(&self.fields).set(value.text()),
            Slot::WorkingDirectory => {
                std::env::set_current_dir(value.text()).map_err(|error| system_message(&error))?;
            }
            Slot::Other => {
                let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
                others.insert(directive.name, value.clone());
            }
        }
        Ok(())
    }
}

/// Values that are computed from one or more fields.
impl Config {
    /// The points of `save`: pairs of (seconds since the last save, changes since the last save).
    pub fn save_points(&self) -> Vec<(u64, u64)> {
        special::save_points(&self.save.get())
    }

    /// The limits of the compact forms of all collections.
    pub fn limits(&self) -> Limits {
        Limits {
            list: self.list_block_limit(),
            hash: self.hash_limits(),
            set: self.set_limits(),
            sorted_set: self.sorted_set_limits(),
        }
    }

    /// The limit of a block of a list.
    pub fn list_block_limit(&self) -> BlockLimit {
        BlockLimit::from_directive(self.list_max_listpack_size.get())
    }

    /// The limits of a compact hash.
    pub fn hash_limits(&self) -> CompactLimits {
        CompactLimits {
            entries: self.hash_max_listpack_entries.get() as usize,
            value_bytes: self.hash_max_listpack_value.get() as usize,
        }
    }

    /// The limits of the compact forms of a set.
    pub fn set_limits(&self) -> SetLimits {
        SetLimits {
            integers: self.set_max_intset_entries.get() as usize,
            compact: CompactLimits {
                entries: self.set_max_listpack_entries.get() as usize,
                value_bytes: self.set_max_listpack_value.get() as usize,
            },
        }
    }

    /// The limits of a compact sorted set.
    pub fn sorted_set_limits(&self) -> CompactLimits {
        CompactLimits {
            entries: self.zset_max_listpack_entries.get() as usize,
            value_bytes: self.zset_max_listpack_value.get() as usize,
        }
    }

    /// The limits of a block of a stream.
    pub fn stream_limits(&self) -> BlockLimits {
        BlockLimits {
            bytes: self.stream_node_max_bytes.get() as u64,
            entries: self.stream_node_max_entries.get() as u64,
        }
    }

    /// The limits of unread output, by class of clients.
    pub fn output_buffer_limits(&self) -> Vec<OutputBufferLimit> {
        special::output_buffer_limits(&self.client_output_buffer_limit.get())
    }

    /// The addresses of `bind`.
    pub fn bind_addresses(&self) -> Vec<String> {
        self.bind
            .get()
            .split_ascii_whitespace()
            .map(str::to_string)
            .collect()
    }

    /// The value of `loglevel`.
    pub fn log_level(&self) -> LogLevel {
        match self.loglevel.get() {
            0 => LogLevel::Debug,
            1 => LogLevel::Verbose,
            2 => LogLevel::Notice,
            3 => LogLevel::Warning,
            _ => LogLevel::Nothing,
        }
    }

    /// The clients that may set protected directives.
    pub fn enable_protected_configs(&self) -> Permission {
        Permission::from(self.fields.enable_protected_configs.get())
    }

    /// Whether a new user may use all channels: `acl-pubsub-default`.
    pub fn permits_new_all_channels(&self) -> bool {
        self.acl_pubsub_default.get() != 0
    }

    /// The supervisor to notify. `supervised` has no effect if no supervisor has started the process.
    pub fn supervision(&self) -> Supervision {
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(_) if self.supervised.get() != 0 => Supervision::Systemd,
            _ => Supervision::No,
        }
    }

    /// The value of `notify-keyspace-events`, as bits of [`class`](crate::keyspace::events::class).
    pub fn event_classes(&self) -> u32 {
        self.notify_keyspace_events.get() as u32
    }

    /// When changes reach the disk: `appendfsync`.
    pub fn fsync_policy(&self) -> FsyncPolicy {
        FsyncPolicy::from_directive(self.appendfsync.get())
    }

    /// Sets `repl-backlog-size` to what is kept: CONFIG GET shows that, as in Redis.
    pub fn set_backlog_size(&self, bytes: u64) {
        self.repl_backlog_size.set(bytes as i64);
    }

    /// Where a replica loads a snapshot: `repl-diskless-load`.
    pub fn diskless_load(&self) -> DisklessLoad {
        DisklessLoad::from_directive(self.repl_diskless_load.get())
    }

    /// Which keys go when memory is short: `maxmemory-policy`; `None` if none do.
    pub fn eviction_policy(&self) -> Option<Policy> {
        table::memory::policy(self.maxmemory_policy.get())
    }

    /// Whether accesses to keys are counted: whether `maxmemory-policy` is one of the two that evict what is used least
    /// frequently.
    pub fn counts_accesses(&self) -> bool {
        let policy = self.eviction_policy();
        policy.is_some_and(|policy| policy.order == Order::LeastFrequent)
    }

    /// The clients that may use DEBUG.
    pub fn enable_debug_command(&self) -> Permission {
        Permission::from(self.fields.enable_debug_command.get())
    }

    /// The clients that may use MODULE LOAD, which then fails for another reason.
    pub fn enable_module_command(&self) -> Permission {
        Permission::from(self.fields.enable_module_command.get())
    }
}

/// The least level of lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

/// The program that has started the server and is to be notified when it is ready or about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// No such program.
    No,
    /// systemd, or another program that sets NOTIFY_SOCKET.
    Systemd,
}

/// The clients that have a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// No client.
    No,
    /// Every client.
    Yes,
    /// Clients on this machine.
    Local,
}

impl Permission {
    /// Whether a client has the permission. `is_local` says that it is on this machine.
    pub fn includes(self, is_local: bool) -> bool {
        self == Permission::Yes || (self == Permission::Local && is_local)
    }

    fn from(number: i64) -> Permission {
        match number {
            1 => Permission::Yes,
            2 => Permission::Local,
            _ => Permission::No,
        }
    }
}

/// The changes of a CONFIG SET, for putting them into effect and for [`Config::undo`].
#[must_use]
#[derive(Default)]
pub struct Changes(Vec<(&'static Directive, Value)>);

impl Changes {
    /// The names (never the aliases) of the directives whose values have changed.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(directive, _)| directive.name)
    }

    /// The warnings for the log about directives that have no effect in this server.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let directives = self.0.iter().map(|(directive, _)| *directive);
        directives.filter_map(no_effect)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Why a directive could not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl From<&str> for ConfigError {
    fn from(text: &str) -> ConfigError {
        ConfigError(text.to_string())
    }
}

impl From<String> for ConfigError {
    fn from(text: String) -> ConfigError {
        ConfigError(text)
    }
}

/// The warning about a directive that has no effect; `None` if it has one.
fn no_effect(directive: &Directive) -> Option<String> {
    let Standing::NoEffect(reason) = directive.standing else {
        return None;
    };
    let name = directive.name;
    Some(format!(
        "The directive '{name}' has no effect in this server: {reason}"
    ))
}

fn failed(name: &str, reason: &ConfigError) -> ConfigError {
    format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}").into()
}

fn split_quoted(text: &str) -> Result<Vec<String>, ConfigError> {
    let words = quoting::split_arguments(text.as_bytes())
        .map_err(|_| "Unbalanced quotes in configuration line")?;
    let utf8 = words
        .into_iter()
        .map(String::from_utf8)
        .collect::<Result<_, _>>();
    utf8.map_err(|_| "argument is not UTF-8".into())
}
