//! The values a key can hold.

use super::string_form::StringForm;
use crate::types::blocks::{shared_bytes, vec_bytes};
use crate::types::hash::{Hash, HashRef};
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;
use triomphe::Arc;

/// A value with a life of its own: a collection, or a large string. Small strings and hashes lie in the table instead.
#[derive(Clone, Debug)]
pub enum Object {
    /// A string, shared with the replies that are on their way to clients.
    String(Arc<Vec<u8>>, StringForm),
    /// A list.
    List(List),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A stream.
    Stream(Box<Stream>),
}

/// A value as a reader sees it, wherever its bytes lie.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A string.
    String(&'a [u8]),
    /// A list.
    List(&'a List),
    /// A hash.
    Hash(HashRef<'a>),
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    SortedSet(&'a SortedSet),
    /// A stream.
    Stream(&'a Stream),
}

impl Object {
    /// The value as a reader sees it.
    pub fn value(&self) -> Value<'_> {
        match self {
            Object::String(string, _) => Value::String(string),
            Object::List(list) => Value::List(list),
            Object::Hash(hash) => Value::Hash(hash.view()),
            Object::Set(set) => Value::Set(set),
            Object::SortedSet(set) => Value::SortedSet(set),
            Object::Stream(stream) => Value::Stream(stream),
        }
    }

    /// Bytes of its blocks of memory; those of a large collection are estimated from this many samples.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match self {
            Object::String(string, _) => shared_bytes::<Vec<u8>>() + vec_bytes(string),
            Object::List(list) => list.memory_bytes(samples),
            Object::Hash(hash) => hash.memory_bytes(samples),
            Object::Set(set) => set.memory_bytes(samples),
            Object::SortedSet(set) => set.memory_bytes(samples),
            Object::Stream(stream) => stream.memory_bytes(samples),
        }
    }
}

impl Value<'_> {
    /// The type's name, as TYPE and `SCAN ... TYPE` have it.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }
}

/// The collections, so that [`Db`](super::db::Db) can look each up by its Rust type.
pub trait Collection {
    /// The collection as a reader sees it.
    type View<'a>;

    /// The collection that is this value, if it is of this type.
    fn of(value: Value<'_>) -> Option<Self::View<'_>>;
}

/// The collections that always are objects, however small, and are changed where they lie. A hash is not: see
/// [`Db::change_hash`](super::db::Db::change_hash).
pub trait ObjectCollection: Collection + Default {
    /// The collection in an object, to be changed, if it is of this type.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;

    /// The collection as an object.
    fn into_object(self) -> Object;
}

impl Collection for Hash {
    type View<'a> = HashRef<'a>;

    fn of(value: Value<'_>) -> Option<HashRef<'_>> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }
}

macro_rules! object_collections {
    ($($name:ident: $wrap:expr;)*) => {
        $(impl Collection for $name {
            type View<'a> = &'a $name;

            fn of(value: Value<'_>) -> Option<&$name> {
                match value {
                    Value::$name(collection) => Some(collection),
                    _ => None,
                }
            }
        }

        impl ObjectCollection for $name {
            fn of_mut(object: &mut Object) -> Option<&mut $name> {
                match object {
                    Object::$name(collection) => Some(collection),
                    _ => None,
                }
            }

            fn into_object(self) -> Object {
                Object::$name($wrap(self))
            }
        })*
    };
}

object_collections! {
    List: std::convert::identity;
    Set: std::convert::identity;
    SortedSet: std::convert::identity;
    Stream: Box::new;
}
