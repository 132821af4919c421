//! Keyspace notifications: subscribers of channels get messages about what happens to which key, as
//! <https://redis.io/docs/latest/develop/use/keyspace-notifications/> describes it.
//!
//! Every event belongs to a class, and `notify-keyspace-events` says which classes are sent; usually none is. Events
//! are sent while the key's shard is locked: so those of one key come in the order in which they happened. The
//! audience must therefore neither wait nor do input or output.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The classes of events, and the two ways to tell them. The bits are Redis' own.
pub mod class {
    /// `K`: sent on `__keyspace@<db>__:<key>`, where the message is the event.
    pub const KEYSPACE: u32 = 1 << 0;
    /// `E`: sent on `__keyevent@<db>__:<event>`, where the message is the key.
    pub const KEYEVENT: u32 = 1 << 1;
    /// `g`: commands for any type, like DEL.
    pub const GENERIC: u32 = 1 << 2;
    /// `$`
    pub const STRING: u32 = 1 << 3;
    /// `l`
    pub const LIST: u32 = 1 << 4;
    /// `s`
    pub const SET: u32 = 1 << 5;
    /// `h`
    pub const HASH: u32 = 1 << 6;
    /// `z`
    pub const SORTED_SET: u32 = 1 << 7;
    /// `x`: a key has expired.
    pub const EXPIRED: u32 = 1 << 8;
    /// `e`: a key was evicted for `maxmemory`.
    pub const EVICTED: u32 = 1 << 9;
    /// `t`
    pub const STREAM: u32 = 1 << 10;
    /// `m`: a key was to be read and not there.
    pub const KEY_MISS: u32 = 1 << 11;
    /// `d`
    pub const MODULE: u32 = 1 << 13;
    /// `n`: a key is new.
    pub const NEW: u32 = 1 << 14;
    /// `A`: all but `m` and `n`, which come too often.
    pub const ALL: u32 =
        GENERIC | STRING | LIST | SET | HASH | SORTED_SET | EXPIRED | EVICTED | STREAM | MODULE;
}

/// The receivers of events; in the server, the subscribers of channels.
pub trait Audience: Debug + Send + Sync {
    /// Hands a message to the subscribers of a channel, without waiting for them.
    fn hear(&self, channel: &[u8], message: &[u8]);
}

/// Which events are sent, and to whom.
#[derive(Debug, Default)]
pub struct Events {
    /// Bits of [`class`].
    classes: AtomicU32,
    audience: OnceLock<Arc<dyn Audience>>,
}

impl Events {
    /// From now on, events of these classes are sent.
    pub fn set_classes(&self, classes: u32) {
        self.classes.store(classes, Relaxed);
    }

    /// Says to whom, once and for all.
    pub fn set_audience(&self, audience: Arc<dyn Audience>) {
        let already = self.audience.set(audience);
        debug_assert!(already.is_ok(), "a keyspace has one audience");
    }

    /// Whether events of any class are sent.
    pub(super) fn are_any(&self) -> bool {
        self.classes.load(Relaxed) != 0
    }

    /// Whether an event of this name is sent.
    pub(super) fn are_told(&self, event: &str) -> bool {
        self.classes.load(Relaxed) & class_of(event) != 0
    }

    /// Sends the event of a key, if its class is wanted.
    pub(super) fn tell(&self, database: usize, event: &str, key: &[u8]) {
        let Some(audience) = self.audience.get().filter(|_| self.are_told(event)) else {
            return;
        };
        let classes = self.classes.load(Relaxed);
        if classes & class::KEYSPACE != 0 {
            let prefix = format!("__keyspace@{database}__:");
            audience.hear(&[prefix.as_bytes(), key].concat(), event.as_bytes());
        }
        if classes & class::KEYEVENT != 0 {
            let channel = format!("__keyevent@{database}__:{event}");
            audience.hear(channel.as_bytes(), key);
        }
    }
}

/// The class of an event: the one list of all events that there are. 0 for the empty name, that of a change which is no
/// event.
fn class_of(event: &str) -> u32 {
    match event {
        "del" | "expire" | "persist" | "rename_from" | "rename_to" | "move_from" | "move_to"
        | "copy_to" | "restore" => class::GENERIC,
        "set" | "setrange" | "append" | "incrby" | "incrbyfloat" | "setbit" | "pfadd" => {
            class::STRING
        }
        "lpush" | "rpush" | "lpop" | "rpop" | "linsert" | "lset" | "lrem" | "ltrim"
        | "sortstore" => class::LIST,
        "sadd" | "srem" | "spop" | "sinterstore" | "sunionstore" | "sdiffstore" => class::SET,
        "hset" | "hdel" | "hincrby" | "hincrbyfloat" => class::HASH,
        "zadd" | "zincr" | "zrem" | "zpopmin" | "zpopmax" | "zremrangebyscore"
        | "zremrangebyrank" | "zremrangebylex" | "zunionstore" | "zinterstore" | "zdiffstore"
        | "zrangestore" | "georadiusstore" | "geosearchstore" => class::SORTED_SET,
        "xadd"
        | "xtrim"
        | "xdel"
        | "xsetid"
        | "xgroup-create"
        | "xgroup-setid"
        | "xgroup-destroy"
        | "xgroup-createconsumer"
        | "xgroup-delconsumer" => class::STREAM,
        "expired" => class::EXPIRED,
        "evicted" => class::EVICTED,
        "keymiss" => class::KEY_MISS,
        "new" => class::NEW,
        _ => {
            debug_assert!(event.is_empty(), "'{event}' has no class");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::locks::Locks;
    use crate::keyspace::space::Key;
    use crate::keyspace::string_form::StringForm;
    use crate::keyspace::view::View;
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Mutex;

    /// Keeps the messages.
    #[derive(Debug, Default)]
    struct Memory(Mutex<Vec<String>>);

    impl Audience for Memory {
        fn hear(&self, channel: &[u8], message: &[u8]) {
            let line = format!("{} {}", channel.escape_ascii(), message.escape_ascii());
            self.0.lock().unwrap().push(line);
        }
    }

    /// The messages about a key of database 1 that is set, read, and gone, when these classes are wanted.
    fn told(classes: u32) -> String {
        let keyspace = Locks::new(2);
        let memory = Arc::new(Memory::default());
        keyspace.listeners.set_audience(memory.clone());
        keyspace.listeners.set_event_classes(classes);
        let key = Key::new(1, b"k");
        let mut db = keyspace.write(View::from(0).of_database(1), &[key]);
        db.put_string(&key, b"v", StringForm::Natural, Some(100));
        db.changed(&key, "set", 1);
        db.changed(&key, "", 1);
        drop(db);
        keyspace.remove_due(99, || {});
        keyspace.remove_due(100, || {});
        assert!(
            keyspace
                .read(View::from(100).of_database(1), &[key])
                .unwrap()
                .read(&key)
                .is_none()
        );
        let lines = std::mem::take(&mut *memory.0.lock().unwrap());
        lines.join(", ")
    }

    #[test]
    fn events_are_told_of_the_classes_that_are_wanted() {
        use class::*;
        assert_eq!(told(0), "");
        assert_eq!(told(ALL | NEW | KEY_MISS), "");
        assert_eq!(told(KEYSPACE), "");
        assert_eq!(told(KEYSPACE | STRING), "__keyspace@1__:k set");
        assert_eq!(told(KEYEVENT | EXPIRED), "__keyevent@1__:expired k");
        assert_eq!(
            told(KEYEVENT | ALL | NEW | KEY_MISS),
            "__keyevent@1__:new k, __keyevent@1__:set k, __keyevent@1__:expired k, __keyevent@1__:keymiss k"
        );
        assert_eq!(
            told(KEYSPACE | KEYEVENT | NEW),
            "__keyspace@1__:k new, __keyevent@1__:new k"
        );
    }

    /// Reads the commands: a name that stands in a call of `changed` must be one that has a class.
    #[test]
    fn every_event_that_a_command_tells_has_a_class() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command");
        let mut names = BTreeSet::new();
        for entry in walk(&folder) {
            let text = std::fs::read_to_string(&entry).unwrap();
            let text = text.replace("changed_unwatched(", "changed(");
            let text = text.replace("changed_for_waiters(", "changed(");
            for call in text.split("changed(").skip(1) {
                let arguments = &call[..call.find(')').unwrap()];
                names.extend(arguments.split('"').skip(1).step_by(2).map(str::to_string));
            }
        }
        assert!(names.remove(""), "some changes are no events");
        assert!(names.len() > 25, "{names:?}");
        let unknown = names.iter().filter(|name| class_of(name) == 0);
        assert_eq!(unknown.count(), 0);
    }

    fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| {
                if path.is_dir() {
                    walk(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }
}
