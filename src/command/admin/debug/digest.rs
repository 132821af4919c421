//! A number of 160 bits that stands for a value, or for all of the data: Redis' own, so that two servers can be
//! compared by one line whatever they are.
//!
//! It is made of SHA-1 hashes. Where order matters, the next part is mixed in: combined by exclusive or with the
//! digest, which then is hashed itself. Where it does not, as between the members of a set, hashes are only combined.

use crate::keyspace::entry::Entry;
use crate::keyspace::object::Value;
use crate::util::number;
use sha1::Sha1;
use std::fmt;

/// A digest so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest([u8; 20]);

impl Digest {
    /// Of parts in their order.
    fn of(parts: &[&[u8]]) -> Digest {
        let mut digest = Digest::default();
        parts.iter().for_each(|part| digest.mix(part));
        digest
    }

    /// Adds something that comes in no order.
    pub(super) fn combine(&mut self, bytes: &[u8]) {
        let hash = <Sha1 as sha1::Digest>::digest(bytes);
        self.0
            .iter_mut()
            .zip(hash)
            .for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds what comes next.
    pub(super) fn mix(&mut self, bytes: &[u8]) {
        self.combine(bytes);
        self.0 = <Sha1 as sha1::Digest>::digest(self.0).into();
    }

    /// Adds a value, and whether it has a deadline.
    pub(super) fn mix_entry(&mut self, entry: Entry<'_>) {
        self.mix_value(entry.value());
        if entry.expires_at_ms().is_some() {
            self.combine(b"!!expire!!");
        }
    }

    /// Adds a key with all that [`mix_entry`](Self::mix_entry) adds, in no order.
    pub(super) fn combine_key(&mut self, entry: Entry<'_>) {
        let mut digest = Digest::of(&[entry.key()]);
        digest.mix_entry(entry);
        self.combine(&digest.0);
    }

    fn mix_value(&mut self, value: Value<'_>) {
        // The numbers that Redis has for its types.
        let kind: u32 = match value {
            Value::String(_) => 0,
            Value::List(_) => 1,
            Value::Set(_) => 2,
            Value::SortedSet(_) => 3,
            Value::Hash(_) => 4,
            Value::Stream(_) => 6,
        };
        self.mix(&kind.to_be_bytes());
        match value {
            Value::String(string) => self.mix(string),
            Value::List(list) => list.iter().for_each(|element| self.mix(element)),
            Value::Set(set) => {
                let mut buffer = itoa::Buffer::new();
                set.iter()
                    .for_each(|member| self.combine(member.text(&mut buffer)));
            }
            Value::SortedSet(set) => {
                let mut text = Vec::new();
                for (member, score) in set.iter() {
                    text.clear();
                    number::format_f64_by_digits(score, &mut text);
                    self.combine(&Digest::of(&[member, &text]).0);
                }
            }
            Value::Hash(hash) => hash
                .iter()
                .for_each(|(field, value)| self.combine(&Digest::of(&[field, value]).0)),
            // As in Redis, consumer groups do not count.
            Value::Stream(stream) => {
                let mut buffer = itoa::Buffer::new();
                for entry in stream.entries.iter() {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    for (field, value) in entry.fields() {
                        self.mix(field.text(&mut buffer));
                        self.mix(value.text(&mut buffer));
                    }
                }
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
