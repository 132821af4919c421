//! The part of a [`Db`] that changes strings: SET, INCR, APPEND. Strings are read as any other value (`lookup.rs`).

use super::Db;
use crate::keyspace::entry::{Entry, WrongType};
use crate::keyspace::inline_entry::{INLINE_BYTES, InlineEntry, InlineValue};
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::keyspace::string_form::StringForm;
use smallvec::SmallVec;
use triomphe::Arc;

/// The text of a number.
pub type Text = SmallVec<[u8; 32]>;

impl Db<'_> {
    /// Sets a key to a string; a deadline it had is replaced too. Returns whether the key was there.
    pub fn put_string(
        &mut self,
        key: &Key<'_>,
        value: &[u8],
        form: StringForm,
        expires_at_ms: Option<i64>,
    ) -> bool {
        let position = self.shard(key).position(key.hash, key.bytes);
        let copied = InlineEntry {
            value: InlineValue::String(value, form),
            expires_at_ms,
        };
        self.put_copy_at(position, key, copied, self.changing_access(key))
    }

    /// Sets a key to the text that `compute` appends to an empty one, given the present string, or `None` if there is
    /// no key. A deadline stays. Returns what `compute` returns; if that is an error, nothing changes. The key is
    /// looked up once, unless the text is too long to lie in the table.
    pub fn recompute_string<T, E: From<WrongType>>(
        &mut self,
        key: &Key<'_>,
        form: StringForm,
        compute: impl FnOnce(Option<&[u8]>, &mut Text) -> Result<T, E>,
    ) -> Result<T, E> {
        let shard = self.shard(key);
        let position = shard.position(key.hash, key.bytes);
        let mut access = self.changing_access(key);
        let entry = position
            .map(|position| shard.entry(position))
            .filter(|entry| !entry.is_expired(self.view.expiry_ms()));
        if let Some(entry) = entry {
            // Noted in any case, also if `compute` fails; and once.
            entry.clock().touch(access);
            access.is_silent = true;
        }
        let mut text = Text::new();
        let result = compute(entry.map(Entry::string).transpose()?, &mut text)?;
        let copied = InlineEntry {
            value: InlineValue::String(&text, form),
            expires_at_ms: entry.and_then(Entry::expires_at_ms),
        };
        // An entry that has expired is replaced where it is.
        self.put_copy_at(position, key, copied, access);
        Ok(result)
    }

    /// Changes the string of a key in place, an empty one if there is none; the deadline stays. A large string is not
    /// copied for it.
    pub fn edit_string(
        &mut self,
        key: &Key<'_>,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, WrongType> {
        let (mut string, expires_at_ms) = match self.find_to_change(key) {
            None => (Vec::new(), None),
            Some(entry) if entry.shared_string().is_some() => {
                return self.edit_large_string(key, edit);
            }
            Some(entry) => (entry.string()?.to_vec(), entry.expires_at_ms()),
        };
        edit(&mut string);
        let len = string.len();
        if len > INLINE_BYTES {
            let object = Object::String(Arc::new(string), StringForm::Raw);
            self.put_object(key, object, expires_at_ms);
        } else {
            self.put_string(key, &string, StringForm::Raw, expires_at_ms);
        }
        Ok(len)
    }

    fn edit_large_string(
        &mut self,
        key: &Key<'_>,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, WrongType> {
        let position = self.shard(key).position(key.hash, key.bytes);
        let shard = self.shard_mut(key);
        match position.and_then(|position| shard.object_mut(position)) {
            Some(Object::String(string, form)) => {
                *form = StringForm::Raw;
                let string = Arc::make_mut(string);
                edit(string);
                Ok(string.len())
            }
            _ => Err(WrongType),
        }
    }
}
