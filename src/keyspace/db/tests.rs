//! Tests of what lies between shards and commands.

use super::*;
use crate::keyspace::inline_entry::INLINE_BYTES;
use crate::keyspace::locks::Locks;
use crate::keyspace::string_form::StringForm;
use crate::keyspace::survey::Survey;
use crate::keyspace::waiters::{SharedWaiter, States, Waiter};
use crate::types::list::{BlockLimit, End, List};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn put(keyspace: &Locks, database: usize, name: &str, value: &str, expires_at_ms: Option<i64>) {
    let key = Key::new(database, name.as_bytes());
    let mut db = keyspace.write(View::from(0).of_database(database), &[key]);
    db.put_string(&key, value.as_bytes(), StringForm::Natural, expires_at_ms);
}

fn get(keyspace: &Locks, database: usize, name: &str, now_ms: i64) -> Option<String> {
    let key = Key::new(database, name.as_bytes());
    let db = keyspace
        .read(View::from(now_ms).of_database(database), &[key])
        .unwrap();
    db.string(&key)
        .unwrap()
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

#[test]
fn an_expired_key_is_absent_for_readers_and_removed_for_writers() {
    let keyspace = Locks::new(1);
    put(&keyspace, 0, "k", "v", Some(100));
    assert_eq!(get(&keyspace, 0, "k", 99).as_deref(), Some("v"));
    assert_eq!(get(&keyspace, 0, "k", 100), None);
    assert_eq!(Survey::unlocked(&keyspace).count(0, 100).0, 1);
    drop(keyspace.write(View::from(100), &[Key::new(0, b"k")]));
    assert_eq!(
        (
            Survey::unlocked(&keyspace).count(0, 100).0,
            keyspace.expired()
        ),
        (0, 1)
    );
}

#[test]
fn the_expirer_removes_what_is_due_and_nothing_else() {
    let keyspace = Locks::new(2);
    for number in 0..1000 {
        put(
            &keyspace,
            number % 2,
            &format!("k{number}"),
            "v",
            Some(number as i64),
        );
    }
    keyspace.remove_due(499, || {});
    assert_eq!(
        (
            Survey::unlocked(&keyspace).count(0, 0).0,
            Survey::unlocked(&keyspace).count(1, 0).0
        ),
        (250, 250)
    );
    assert_eq!(keyspace.expired(), 500);
}

#[test]
fn a_scan_visits_every_key_once_when_nothing_changes() {
    let keyspace = Locks::new(2);
    for number in 0..5000 {
        put(
            &keyspace,
            0,
            &format!("k{number}"),
            &"v".repeat(1 + number % 2 * 600),
            None,
        );
        put(&keyspace, 1, "other", "v", None);
    }
    let db = keyspace.read_all(View::from(0)).unwrap();
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    loop {
        cursor = db.scan(cursor, |entry| assert!(seen.insert(entry.key().to_vec())));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 5000);
}

/// With up to 300 keys in 256 shards, most of which are empty with a few. The least COUNT is one key.
#[test]
fn a_scan_goes_from_one_filled_shard_to_the_next() {
    for keys in [0, 1, 2, 5, 300] {
        let keyspace = Locks::new(3);
        for number in 0..keys {
            put(&keyspace, 1, &format!("k{number}"), "v", None);
            put(&keyspace, 2, &format!("other{number}"), "v", None);
        }
        let db = keyspace.write_all(View::from(0).of_database(1));
        let filled = db.own_shards().filter(|shard| !shard.is_empty()).count();
        let (mut cursor, mut steps, mut seen) = (0, 0, 0);
        loop {
            cursor = db.scan(cursor, |_| seen += 1);
            steps += 1;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, keys);
        assert_eq!(steps, filled.max(1), "{keys} keys");
    }
}

/// Any number is a cursor, if only a client says so.
#[test]
fn a_cursor_that_no_scan_gave_ends_somewhere() {
    let keyspace = Locks::new(1);
    for number in 0..40 {
        put(&keyspace, 0, &format!("k{number}"), "v", None);
    }
    let db = keyspace.read_all(View::from(0)).unwrap();
    for first in (0..2000).chain((0..64).map(|bit| u64::MAX << bit)) {
        let (mut cursor, mut steps) = (first, 0);
        loop {
            cursor = db.scan(cursor, |_| {});
            steps += 1;
            assert!(steps <= 300, "{first}");
            if cursor == 0 {
                break;
            }
        }
    }
}

#[test]
fn databases_are_exchanged_and_cleared() {
    let keyspace = Locks::new(3);
    put(&keyspace, 0, "k", "zero", Some(100));
    put(&keyspace, 2, "k", "two", None);
    keyspace.write_all(View::from(0)).swap_databases(2, 0);
    assert_eq!(get(&keyspace, 0, "k", 0).as_deref(), Some("two"));
    assert_eq!(get(&keyspace, 2, "k", 0).as_deref(), Some("zero"));
    // The deadline has moved with its key.
    keyspace.remove_due(100, || {});
    assert_eq!(get(&keyspace, 2, "k", 0), None);
    assert_eq!(keyspace.write_all(View::from(0)).clear(0), 1);
    assert_eq!(get(&keyspace, 0, "k", 0), None);
}

#[test]
fn random_keys_come_from_all_shards_and_both_tables() {
    let keyspace = Locks::new(1);
    for number in 0..50 {
        put(
            &keyspace,
            0,
            &format!("k{number}"),
            &"v".repeat(1 + number % 2 * 600),
            None,
        );
    }
    let db = keyspace.read_all(View::from(0)).unwrap();
    let drawn: BTreeSet<_> = (0..5000)
        .filter_map(|_| db.random_key(|| fastrand::u64(..)).map(Entry::key))
        .collect();
    assert_eq!(drawn.len(), 50);
    assert!(
        Locks::new(1)
            .read_all(View::from(0))
            .unwrap()
            .random_key(|| 7)
            .is_none()
    );
}

/// A client that waits for a key to go, or to become something else than a list.
#[derive(Debug, Default)]
struct EndOfList {
    served: AtomicUsize,
    woken: AtomicUsize,
}

impl Waiter for EndOfList {
    fn wants(&self) -> States {
        States::ABSENT.or(States::OTHER)
    }

    fn group(&self) -> Option<&[u8]> {
        None
    }

    fn destination(&self) -> Option<&[u8]> {
        None
    }

    fn serve(&self, _: &mut Db<'_>) -> bool {
        self.served.fetch_add(1, Relaxed);
        true
    }

    fn wake(&self) {
        self.woken.fetch_add(1, Relaxed);
    }
}

/// Consumer groups wait for that: their readers hear that a key has gone or changed its type, however that comes about.
#[test]
fn a_waiter_gets_notice_that_its_key_is_gone_or_is_something_else() {
    type Deed = fn(&Locks, &Key);
    let deeds: [(&str, bool, Deed); 8] = [
        ("another element", false, |locks, key| {
            let mut db = locks.write(View::from(0), &[*key]);
            let list = db.get_or_create::<List>(key).unwrap();
            list.push(End::Left, b"b", BlockLimit::Bytes(64));
            db.changed(key, "lpush", 1);
        }),
        ("removed", true, |locks, key| {
            let mut db = locks.write(View::from(0), &[*key]);
            db.remove(key);
            db.changed(key, "del", 1);
        }),
        ("overwritten", true, |locks, key| {
            let mut db = locks.write(View::from(0), &[*key]);
            db.put_string(key, b"v", StringForm::Natural, None);
            db.changed(key, "set", 1);
        }),
        ("expired, at the expirer", true, |locks, _| {
            locks.remove_due(100, || {})
        }),
        ("expired, at a reader", true, |locks, key| {
            locks.remove_expired(View::from(100), &[*key]).unwrap();
        }),
        ("flushed", true, |locks, _| {
            locks.write_all(View::from(0)).clear(0);
        }),
        ("exchanged", true, |locks, _| {
            locks.write_all(View::from(0)).swap_databases(0, 1)
        }),
        ("another database flushed", false, |locks, _| {
            locks.write_all(View::from(0)).clear(1);
        }),
    ];
    for (name, is_served, deed) in deeds {
        let locks = Locks::new(2);
        let key = Key::new(0, b"k");
        let waiter = Arc::new(EndOfList::default());
        let mut db = locks.write(View::from(0), &[key]);
        let mut list = List::default();
        list.push(End::Left, b"a", BlockLimit::Bytes(64));
        db.put_object(&key, Object::List(list), Some(100));
        db.changed(&key, "lpush", 1);
        let shared: SharedWaiter = waiter.clone();
        db.join_waiters(&[key], &shared);
        drop(db);
        assert_eq!(waiter.served.load(Relaxed), 0, "{name}");
        deed(&locks, &key);
        let counts = [&waiter.served, &waiter.woken].map(|count| count.load(Relaxed));
        assert_eq!(counts, [usize::from(is_served); 2], "{name}");
    }
}

#[test]
fn a_string_is_recomputed_once_or_left_as_it_is() {
    let keyspace = Locks::new(1);
    let key = Key::new(0, b"k");
    let recompute = |view: View, text: &[u8]| {
        let mut db = keyspace.write(view, &[key]);
        let old = db.recompute_string(&key, StringForm::Natural, |old, new| {
            new.extend_from_slice(text);
            match text.is_empty() {
                true => Err(WrongType),
                false => Ok(old.map(<[u8]>::to_vec)),
            }
        });
        let entry = db.look_silently(&key).expect("it was put in, or stayed");
        let new = entry.string().unwrap().to_vec();
        (old, new, entry.expires_at_ms())
    };
    let now = View::from(0);
    let (short, long) = (b"short".to_vec(), vec![b'x'; INLINE_BYTES + 1]);
    assert_eq!(recompute(now, b"a"), (Ok(None), b"a".to_vec(), None));
    put(&keyspace, 0, "k", "b", Some(100));
    for (text, old, new) in [
        (&short[..], Ok(&b"b"[..]), &short),
        (&long, Ok(&short), &long),
        (b"", Err(WrongType), &long),
        (&short, Ok(&long), &short),
    ] {
        let old = old.map(|old| Some(old.to_vec()));
        assert_eq!(recompute(now, text), (old, new.clone(), Some(100)));
    }
    // It has expired, and is still there.
    let hiding = View {
        expired: Expired::Hide,
        ..View::from(100)
    };
    assert_eq!(recompute(hiding, b"a"), (Ok(None), b"a".to_vec(), None));
    assert_eq!(keyspace.read(now, &[key]).unwrap().len(), 1);
}

/// With this factor, each access is counted.
#[test]
fn to_recompute_a_string_is_one_access() {
    let keyspace = Locks::new(1);
    keyspace.keyspace().access_rules.set(true, 0, 0);
    put(&keyspace, 0, "k", "1", None);
    let key = Key::new(0, b"k");
    let mut db = keyspace.write(View::from(0), &[key]);
    let frequency = |db: &Db| {
        let entry = db.look_silently(&key).expect("it is there");
        entry.clock().frequency(db.access())
    };
    let before = frequency(&db);
    for result in [Ok(()), Err(WrongType)] {
        let recomputed = db.recompute_string(&key, StringForm::Natural, |_, text| {
            text.push(b'2');
            result
        });
        assert_eq!(recomputed, result);
        db.commit(&[]);
        assert!(db.turn_to(View::from(0), &[key]));
    }
    assert_eq!(frequency(&db), before + 2);
}
