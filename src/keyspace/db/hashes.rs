//! The part of a [`Db`] that changes hashes. They are read as any other value (`lookup.rs`).

use super::Db;
use crate::keyspace::entry::WrongType;
use crate::keyspace::hash_mut::HashMut;
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::types::hash::Hash;

impl Db<'_> {
    /// Changes the hash of a key, an empty one if there is none; the deadline stays. One that is still empty is not put
    /// in; a command that empties one removes the key.
    pub fn change_hash<T>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(&mut HashMut<'_>) -> T,
    ) -> Result<T, WrongType> {
        let position = self.shard(key).position(key.hash, key.bytes);
        if let Some(position) = position
            && !self.is_expired(key)
        {
            let entry = self.shard(key).entry(position);
            entry.clock().touch(self.changing_access(key));
            // Before anything is kept for a snapshot, or copied.
            entry.collection::<Hash>()?;
            let shard = self.shard_mut(key);
            return shard.change_hash(position, key.hash, key.bytes, change);
        }
        let mut hash = Hash::default();
        let result = change(&mut HashMut::Own(&mut hash));
        if !hash.view().is_empty() {
            self.put_object_at(position, key, Object::Hash(hash), None);
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::locks::Locks;
    use crate::keyspace::string_form::StringForm;
    use crate::keyspace::view::{Expired, View};
    use crate::types::hash::HashRef;
    use crate::types::limits::CompactLimits;

    const LIMITS: CompactLimits = CompactLimits {
        entries: 128,
        value_bytes: 64,
    };

    /// Sets a field of the hash `k`.
    fn insert(db: &mut Db, field: &[u8]) -> Result<bool, WrongType> {
        db.change_hash(&Key::new(0, b"k"), |hash| hash.insert(field, b"v", LIMITS))
    }

    fn fields(db: &Db) -> Vec<Vec<u8>> {
        let hash = db.collection::<Hash>(&Key::new(0, b"k")).unwrap();
        let fields = hash.into_iter().flat_map(HashRef::iter);
        fields.map(|(field, _)| field.to_vec()).collect()
    }

    #[test]
    fn a_hash_that_stays_empty_is_not_put_in() {
        let keyspace = Locks::new(1);
        let key = Key::new(0, b"k");
        let mut db = keyspace.write(View::from(0), &[key]);
        assert_eq!(db.change_hash(&key, |hash| hash.remove(b"a")), Ok(false));
        assert!(db.look_silently(&key).is_none());
        assert_eq!(insert(&mut db, b"a"), Ok(true));
        assert_eq!(insert(&mut db, b"a"), Ok(false));
        assert_eq!(db.change_hash(&key, |hash| hash.remove(b"a")), Ok(true));
        // To remove the key is up to the command.
        assert!(db.look_silently(&key).is_some());
    }

    #[test]
    fn the_deadline_stays_and_one_that_has_passed_counts() {
        let keyspace = Locks::new(1);
        let key = Key::new(0, b"k");
        let mut db = keyspace.write(View::from(0), &[key]);
        assert_eq!(insert(&mut db, b"a"), Ok(true));
        db.set_expires_at_ms(&key, Some(100));
        assert_eq!(insert(&mut db, b"b"), Ok(true));
        assert_eq!(fields(&db), [b"a", b"b"]);
        assert_eq!(db.look_silently(&key).unwrap().expires_at_ms(), Some(100));
        drop(db);
        // It has expired, and is still there.
        let hiding = View {
            expired: Expired::Hide,
            ..View::from(100)
        };
        let mut db = keyspace.write(hiding, &[key]);
        assert_eq!(insert(&mut db, b"c"), Ok(true));
        assert_eq!(fields(&db), [b"c"]);
        assert_eq!(db.look_silently(&key).unwrap().expires_at_ms(), None);
        assert_eq!(db.len(), 1);
    }

    #[test]
    fn another_type_is_refused() {
        let keyspace = Locks::new(1);
        let key = Key::new(0, b"k");
        let mut db = keyspace.write(View::from(0), &[key]);
        db.put_string(&key, b"v", StringForm::Natural, None);
        assert_eq!(insert(&mut db, b"a"), Err(WrongType));
        assert_eq!(db.string(&key), Ok(Some(&b"v"[..])));
    }

    /// With this factor, each access is counted.
    #[test]
    fn to_change_a_hash_is_one_access() {
        let keyspace = Locks::new(1);
        keyspace.keyspace().access_rules.set(true, 0, 0);
        let key = Key::new(0, b"k");
        let mut db = keyspace.write(View::from(0), &[key]);
        let frequency = |db: &Db| {
            let entry = db.look_silently(&key).expect("it is there");
            entry.clock().frequency(db.access())
        };
        assert_eq!(insert(&mut db, b"a"), Ok(true));
        let before = frequency(&db);
        for fields in [1, 100] {
            db.commit(&[]);
            assert!(db.turn_to(View::from(0), &[key]));
            // 100 of them are too many for the table.
            for field in 0..fields {
                assert_eq!(
                    insert(&mut db, format!("{fields} {field}").as_bytes()),
                    Ok(true)
                );
            }
        }
        assert!(db.look_silently(&key).unwrap().object().is_some());
        assert_eq!(frequency(&db), before + 2);
    }
}
