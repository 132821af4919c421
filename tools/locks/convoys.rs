//! Whether a thread that wants many shards lets others wait while it waits itself: a convoy.
//!
//! One thread holds the shard of one key for two seconds, as a slow command does. Another wants many shards, that one
//! among them. 300 threads, each with a key of its own, change their keys every 20 ms. Those whose key shares the held
//! shard wait for it; all others should notice nothing. The first table says how many keys stalled, how long the others
//! waited at most, and when the second thread had its locks, counted from the moment at which the first let go.
//!
//! The second table is about the opposite fault, that a thread never gets its locks: some threads never pause, and one
//! wants many shards again and again.

use my_redis_server::keyspace::locks::Locks;
use my_redis_server::keyspace::space::Key;
use my_redis_server::keyspace::string_form::StringForm;
use my_redis_server::keyspace::view::View;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const HELD_FOR: Duration = Duration::from_secs(2);
const WATCHED_KEYS: usize = 300;
const PAUSE: Duration = Duration::from_millis(20);
/// A wait that a client would call a stall; more than the scheduler makes a thread wait for its turn.
const STALL: Duration = Duration::from_millis(200);
const BUSY_THREADS: [usize; 3] = [1, 8, 64];

/// Something that takes many locks, and lets them go at once.
struct Taker {
    name: &'static str,
    take: fn(&Locks),
}

const TAKERS: [Taker; 5] = [
    Taker {
        name: "MSET, 200 keys",
        take: |keyspace| {
            let names: Vec<String> = (0..200).map(|number| format!("many:{number}")).collect();
            let keys: Vec<Key> = names
                .iter()
                .map(|name| Key::new(0, name.as_bytes()))
                .chain([Key::new(0, HELD_KEY)])
                .collect();
            drop(keyspace.write(View::from(0), &keys));
        },
    },
    Taker {
        name: "snapshot",
        take: |keyspace| {
            // Nothing of it is taken: to take the shards is another thing.
            keyspace.snapshot(|_, _| {}).abandon();
        },
    },
    Taker {
        name: "write_all",
        take: |keyspace| drop(keyspace.write_all(View::from(0))),
    },
    Taker {
        name: "read_all",
        take: |keyspace| drop(keyspace.read_all(View::from(0))),
    },
    Taker {
        name: "nothing",
        take: |_| (),
    },
];

const HELD_KEY: &[u8] = b"held";

/// Prints both tables.
pub fn show() {
    println!("beside a thread that holds one shard for {HELD_FOR:?}");
    println!(
        "{:>16}{:>16}{:>20}{:>20}",
        "taker", "keys stalled", "longest wait, ms", "locked after, ms"
    );
    for taker in &TAKERS {
        let figures = beside_a_holder(taker);
        println!(
            "{:>16}{:>16}{:>20.1}{:>20.1}",
            taker.name,
            format!("{} of {}", figures.stalled, figures.expected),
            figures.longest_wait.as_secs_f64() * 1e3,
            figures.locked_after_ms,
        );
    }
    println!("\nbeside threads that never pause, for {HELD_FOR:?}");
    println!(
        "{:>16}{:>10}{:>12}{:>18}{:>18}{:>20}",
        "taker", "threads", "locked", "longest wait, ms", "changes, 1000/s", "their longest, ms"
    );
    for taker in &TAKERS {
        BUSY_THREADS
            .iter()
            .for_each(|threads| beside_busy_threads(taker, *threads));
    }
}

struct Figures {
    /// Keys of other shards than the held one that waited for longer than [`STALL`].
    stalled: usize,
    /// Keys of other shards.
    expected: usize,
    /// Of a key of another shard.
    longest_wait: Duration,
    /// From the moment at which the holder let go.
    locked_after_ms: f64,
}

fn beside_a_holder(taker: &Taker) -> Figures {
    let keyspace = Locks::new(1);
    let held = Key::new(0, HELD_KEY);
    let ends = AtomicBool::new(false);
    let names: Vec<String> = (0..WATCHED_KEYS)
        .map(|number| format!("key:{number}"))
        .collect();
    let others = names
        .iter()
        .filter(|name| Key::new(0, name.as_bytes()).shard() != held.shard());
    thread::scope(|scope| {
        let (keyspace, ends) = (&keyspace, &ends);
        let watched: Vec<_> = others
            .map(|name| scope.spawn(move || longest_wait(keyspace, name, ends)))
            .collect();
        thread::sleep(HELD_FOR / 4);
        let holder = keyspace.write(View::from(0), &[held]);
        let taking = scope.spawn(move || {
            (taker.take)(keyspace);
            Instant::now()
        });
        thread::sleep(HELD_FOR);
        drop(holder);
        let released = Instant::now();
        let locked = taking.join().expect("it does not panic");
        ends.store(true, Relaxed);
        let waits: Vec<Duration> = watched
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"))
            .collect();
        Figures {
            stalled: waits.iter().filter(|wait| **wait > STALL).count(),
            expected: waits.len(),
            longest_wait: waits.into_iter().max().unwrap_or_default(),
            locked_after_ms: locked.saturating_duration_since(released).as_secs_f64() * 1e3,
        }
    })
}

/// Changes a key again and again, with pauses; how long it waited for the lock at most.
fn longest_wait(keyspace: &Locks, name: &str, ends: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !ends.load(Relaxed) {
        longest = longest.max(change(keyspace, name));
        thread::sleep(PAUSE);
    }
    longest
}

/// Changes a key; how long it waited for the lock.
fn change(keyspace: &Locks, name: &str) -> Duration {
    let key = Key::new(0, name.as_bytes());
    let began = Instant::now();
    let mut db = keyspace.write(View::from(0), &[key]);
    let waited = began.elapsed();
    db.put_string(&key, b"value", StringForm::Natural, None);
    waited
}

fn beside_busy_threads(taker: &Taker, threads: usize) {
    let keyspace = Locks::new(1);
    let ends = AtomicBool::new(false);
    let changes = AtomicU64::new(0);
    let (mut locked, mut longest) = (0, Duration::ZERO);
    let their_longest = thread::scope(|scope| {
        let busy: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| change_without_pause(&keyspace, &ends, &changes)))
            .collect();
        let began = Instant::now();
        while began.elapsed() < HELD_FOR {
            let begins = Instant::now();
            (taker.take)(&keyspace);
            longest = longest.max(begins.elapsed());
            locked += 1;
            thread::sleep(Duration::from_millis(1));
        }
        ends.store(true, Relaxed);
        let waits = busy
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        waits.max().unwrap_or_default()
    });
    println!(
        "{:>16}{:>10}{:>12}{:>18.1}{:>18.0}{:>20.1}",
        taker.name,
        threads,
        locked,
        longest.as_secs_f64() * 1e3,
        changes.into_inner() as f64 / HELD_FOR.as_secs_f64() / 1e3,
        their_longest.as_secs_f64() * 1e3,
    );
}

fn change_without_pause(keyspace: &Locks, ends: &AtomicBool, changes: &AtomicU64) -> Duration {
    let mut longest = Duration::ZERO;
    let mut count = 0;
    while !ends.load(Relaxed) {
        let name = format!("key:{}", fastrand::usize(..10_000));
        longest = longest.max(change(keyspace, &name));
        count += 1;
    }
    changes.fetch_add(count, Relaxed);
    longest
}
