//! What the types of streams before Redis 7.2 cannot hold, beside the stream: a private AUX field before its key, which
//! all other readers skip.
//!
//! ```text
//! type 15 lacks   the first ID, the largest deleted ID, the number of entries ever added; of each group the number of
//!                 entries read; of each consumer when it was last active
//! type 19 lacks   the last of these
//! ```
//!
//! A reader assumes for them what Redis assumes. If that is wrong, the field has the facts, as text with blanks
//! between:
//!
//! ```text
//! my-redis-stream   "1-0 3-0 7  2 1700000000000 -1  ?"
//!                    |   |   |  | |             |   |
//!                    |   |   |  | |             |   second group: entries read, not known; no consumer
//!                    |   |   |  | |             its second consumer: never active
//!                    |   |   |  | its first consumer, in the order of names: active then
//!                    |   |   |  first group, in the order of names: entries read
//!                    |   |   entries ever added
//!                    |   the largest deleted ID
//!                    the first ID
//! ```

use crate::rdb::error::RdbError;
use crate::rdb::format::value_type;
use crate::types::stream::{ConsumerGroup, History, Name, Stream, StreamId};

/// The name of the field.
pub(in crate::rdb) const NAME: &[u8] = b"my-redis-stream";

/// A number that is not known.
const UNKNOWN: &str = "?";

/// The field for a stream that is written as this type, if it needs one.
pub(in crate::rdb) fn of(stream: &Stream, type_code: u8) -> Option<Vec<u8>> {
    let is_needed = match type_code {
        value_type::STREAM_LISTPACKS => !has_default_history(stream) || !has_default_times(stream),
        value_type::STREAM_LISTPACKS_2 => !has_default_times(stream),
        _ => false,
    };
    is_needed.then(|| text(stream).into_bytes())
}

/// Whether history and positions of groups are what a reader assumes.
fn has_default_history(stream: &Stream) -> bool {
    let history = stream.entries.history();
    let read_of = |group: &ConsumerGroup| stream.entries.entries_up_to(group.last_id);
    let first_id = stream.entries.first().map(|first| first.id);
    history.first_id == first_id.unwrap_or(StreamId::MAX)
        && history.max_deleted_id == StreamId::MIN
        && history.entries_added == stream.entries.len()
        && groups(stream).all(|(_, group)| group.entries_read == read_of(group))
}

/// Whether the consumers were last active when they were last seen.
fn has_default_times(stream: &Stream) -> bool {
    let mut consumers = groups(stream).flat_map(|(_, group)| group.consumers().iter());
    consumers.all(|(_, consumer)| consumer.active_at_ms == consumer.seen_at_ms)
}

fn groups(stream: &Stream) -> impl Iterator<Item = (&Name, &ConsumerGroup)> {
    stream.groups.iter()
}

fn text(stream: &Stream) -> String {
    let history = stream.entries.history();
    let mut text = format!(
        "{} {} {}",
        history.first_id, history.max_deleted_id, history.entries_added
    );
    for (_, group) in groups(stream) {
        let read = group.entries_read.map(|read| read.to_string());
        text += &format!("  {}", read.as_deref().unwrap_or(UNKNOWN));
        for (_, consumer) in group.consumers().iter() {
            text += &format!(" {}", consumer.active_at_ms);
        }
    }
    text
}

/// What a field says.
pub(in crate::rdb) struct Supplement {
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    /// In the order of their names.
    groups: Vec<GroupSupplement>,
}

/// What a field says of a group.
struct GroupSupplement {
    entries_read: Option<u64>,
    /// When its consumers were active, in the order of their names.
    active_at_ms: Vec<i64>,
}

impl Supplement {
    /// Reads the field of a stream whose groups have these numbers of consumers, in the order of the groups' names.
    /// `None` if it is not a field of such a stream.
    pub(in crate::rdb) fn parse(
        text: &[u8],
        consumers: impl Iterator<Item = usize>,
    ) -> Option<Supplement> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split_ascii_whitespace();
        let mut id = || {
            let (ms, seq) = words.next()?.split_once('-')?;
            Some(StreamId::new(ms.parse().ok()?, seq.parse().ok()?))
        };
        let (first_id, max_deleted_id) = (id()?, id()?);
        let entries_added = words.next()?.parse().ok()?;
        let group = |consumers| {
            let entries_read = match words.next()? {
                UNKNOWN => None,
                // A number that stands for "not known" elsewhere in files is none.
                read => Some(read.parse().ok().filter(|read| *read != u64::MAX)?),
            };
            let times = (0..consumers).map(|_| words.next()?.parse().ok());
            Some(GroupSupplement {
                entries_read,
                active_at_ms: times.collect::<Option<_>>()?,
            })
        };
        let groups = consumers.map(group).collect::<Option<_>>()?;
        words.next().is_none().then_some(Supplement {
            first_id,
            max_deleted_id,
            entries_added,
            groups,
        })
    }

    fn add_to(self, stream: &mut Stream) {
        stream.entries.set_history(History {
            first_id: self.first_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
            ..*stream.entries.history()
        });
        let names: Vec<Name> = groups(stream).map(|(name, _)| name.clone()).collect();
        for (name, supplement) in names.iter().zip(self.groups) {
            if let Some(group) = stream.groups.get_mut(&name[..]) {
                supplement.add_to(group);
            }
        }
    }
}

impl GroupSupplement {
    fn add_to(self, group: &mut ConsumerGroup) {
        group.entries_read = self.entries_read;
        let consumers = group.consumers().iter();
        let names: Vec<Name> = consumers.map(|(name, _)| name.clone()).collect();
        for (name, active_at_ms) in names.iter().zip(self.active_at_ms) {
            if let Some(consumer) = group.consumer_mut(name) {
                consumer.active_at_ms = active_at_ms;
            }
        }
    }
}

/// Adds to a stream what its field says; `None` if the field is not of this stream.
pub(in crate::rdb) fn add(stream: &mut Stream, text: &[u8]) -> Option<()> {
    let consumers = groups(stream).map(|(_, group)| group.consumers().len());
    let supplement = Supplement::parse(text, consumers)?;
    supplement.add_to(stream);
    Some(())
}

/// The error for a field that is not of the stream behind it, which ends at `offset`.
pub(in crate::rdb) fn misfit(offset: u64) -> RdbError {
    let what = "an AUX field about a stream that does not fit the stream behind it";
    RdbError::bad(offset, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::stream::BlockLimits;

    const LIMITS: BlockLimits = BlockLimits {
        bytes: 4096,
        entries: 100,
    };

    /// Entries 1-0, 2-0 and 4-0, of which 2-0 is deleted.
    fn stream() -> Stream {
        let mut stream = Stream::default();
        for ms in [1, 2, 4] {
            let id = StreamId::new(ms, 0);
            stream.entries.append(id, &[b"f", b"v"], LIMITS);
        }
        stream.entries.delete(StreamId::new(2, 0));
        let mut group = ConsumerGroup::new(StreamId::new(1, 0), Some(1));
        group.create_consumer(b"ann", 1000);
        group.create_consumer(b"bob", 2000);
        if let Some(bob) = group.consumer_mut(b"bob") {
            bob.active_at_ms = 1500;
        }
        stream.groups.insert(Name::from(&b"g"[..]), group);
        let group = ConsumerGroup::new(StreamId::new(2, 0), None);
        stream.groups.insert(Name::from(&b"h"[..]), group);
        stream
    }

    #[test]
    fn what_a_reader_assumes_is_not_written() {
        let mut stream = stream();
        let field = Some(b"1-0 2-0 3  1 -1 1500  ?".to_vec());
        assert_eq!(of(&stream, 15), field);
        assert_eq!(of(&stream, 19), field);
        assert_eq!(of(&stream, 21), None);
        stream.groups.remove(&b"g"[..]);
        assert_eq!(of(&stream, 15), Some(b"1-0 2-0 3  ?".to_vec()));
        assert_eq!(of(&stream, 19), None);
        let mut whole = Stream::default();
        whole
            .entries
            .append(StreamId::new(1, 0), &[b"f", b"v"], LIMITS);
        assert_eq!(of(&whole, 15), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let complete = stream();
        let mut read = complete.clone();
        let history = History {
            max_deleted_id: StreamId::MIN,
            entries_added: 2,
            ..*read.entries.history()
        };
        read.entries.set_history(history);
        for name in [b"g", b"h"] {
            let group = read.groups.get_mut(&name[..]).expect("a group");
            group.entries_read = Some(9);
            for name in [b"ann", b"bob"] {
                if let Some(consumer) = group.consumer_mut(name) {
                    consumer.active_at_ms = consumer.seen_at_ms;
                }
            }
        }
        assert_eq!(add(&mut read, b"1-0 2-0 3  1 -1 1500  ?"), Some(()));
        assert_eq!(read, complete);
        for bad in [
            &b""[..],
            b"1-0 2-0",
            b"1-0 2 3 1 -1 1500 ?",
            b"1-0 2-0 x 1 -1 1500 ?",
            b"1-0 2-0 3 1 -1 1500",
            b"1-0 2-0 3 1 -1 1500 ? ?",
            b"1-0 2-0 3 1 -1 x ?",
            b"1-0 2-0 3 18446744073709551615 -1 1500 ?",
            b"1-0 2-0 3 1 -1 \xff ?",
        ] {
            assert_eq!(add(&mut read, bad), None, "{bad:?}");
            assert_eq!(read, complete, "{bad:?}");
        }
    }
}
