//! The hash table, with keys and values of 16 bytes: ours beside the standard library's, with the same hash function,
//! and beside a sorted map.
//!
//! What the others do not offer: to grow without a pause, to be scanned while they change, to be cloned for nothing.
//! Look at `longest_insert`: the time of the slowest of all insertions.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use foldhash::fast::RandomState;
use my_redis_server::types::dict::{self, Content, Dict, Keyed};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

const SIZES: [usize; 3] = [1_000, 100_000, 2_000_000];
/// Look-ups in one sample.
const LOOKUPS: usize = 1000;

type Bytes = [u8; 16];

/// A table for byte strings. The others hold them as a server would that takes strings of any length: in blocks of
/// their own.
trait Table: Default {
    fn insert(&mut self, key: Bytes, value: Bytes);
    fn get(&self, key: &Bytes) -> Option<&[u8]>;
    fn sum(&self) -> usize;
}

/// Nothing is kept by reference here.
#[derive(Clone)]
struct Nothing;

impl Keyed for Nothing {
    fn of_pair(_: &[u8], _: &[u8]) -> Nothing {
        Nothing
    }

    fn key(&self) -> &[u8] {
        &[]
    }
}

#[derive(Default)]
struct Ours(Dict<Nothing>);

impl Table for Ours {
    fn insert(&mut self, key: Bytes, value: Bytes) {
        let hash = dict::hash(&key);
        match self.0.position(hash, &key) {
            Some(position) => drop(self.0.set_pair(position, &key, &[&value])),
            None => self.0.insert_pair(hash, &key, &[&value], ()),
        }
    }

    fn get(&self, key: &Bytes) -> Option<&[u8]> {
        match self.0.get(dict::hash(key), key)?.content {
            Content::Pair { value, .. } => Some(value),
            Content::Reference(_) => None,
        }
    }

    fn sum(&self) -> usize {
        self.0.iter().map(|item| item.content.key().len()).sum()
    }
}

#[derive(Default)]
struct Std(HashMap<Box<[u8]>, Box<[u8]>, RandomState>);

impl Table for Std {
    fn insert(&mut self, key: Bytes, value: Bytes) {
        self.0.insert(Box::new(key), Box::new(value));
    }

    fn get(&self, key: &Bytes) -> Option<&[u8]> {
        self.0.get(&key[..]).map(|value| &**value)
    }

    fn sum(&self) -> usize {
        self.0.keys().map(|key| key.len()).sum()
    }
}

#[derive(Default)]
struct Sorted(BTreeMap<Box<[u8]>, Box<[u8]>>);

impl Table for Sorted {
    fn insert(&mut self, key: Bytes, value: Bytes) {
        self.0.insert(Box::new(key), Box::new(value));
    }

    fn get(&self, key: &Bytes) -> Option<&[u8]> {
        self.0.get(&key[..]).map(|value| &**value)
    }

    fn sum(&self) -> usize {
        self.0.keys().map(|key| key.len()).sum()
    }
}

fn key(number: usize) -> Bytes {
    let mut key = *b"key:000000000000";
    key[8..].copy_from_slice(&(number as u64).to_be_bytes());
    key
}

fn filled<T: Table>(len: usize) -> T {
    let mut table = T::default();
    (0..len).for_each(|number| table.insert(key(number), [7; 16]));
    table
}

#[divan::bench(types = [Ours, Std, Sorted], args = SIZES, max_time = 3)]
fn get<T: Table>(bencher: Bencher, len: usize) {
    let table: T = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher
        .counter(ItemsCount::new(LOOKUPS))
        .with_inputs(|| [(); LOOKUPS].map(|()| key(random.usize(..len))))
        .bench_local_values(|keys| {
            keys.iter()
                .filter(|key| black_box(table.get(key)).is_some())
                .count()
        });
}

#[divan::bench(types = [Ours, Std, Sorted], args = SIZES, max_time = 3)]
fn insert<T: Table>(bencher: Bencher, len: usize) {
    bencher
        .counter(ItemsCount::new(len))
        .bench_local(|| filled::<T>(len));
}

#[divan::bench(types = [Ours, Std, Sorted], args = SIZES, max_time = 3)]
fn iterate<T: Table>(bencher: Bencher, len: usize) {
    let table: T = filled(len);
    bencher
        .counter(ItemsCount::new(len))
        .bench_local(|| black_box(table.sum()));
}

/// The numbers that divan shows here are those of one insertion, the slowest of each filling.
#[divan::bench(types = [Ours, Std, Sorted], args = SIZES, sample_count = 5)]
fn longest_insert<T: Table>(bencher: Bencher, len: usize) {
    bencher.with_inputs(|| longest::<T>(len)).bench_values(spin);
}

fn longest<T: Table>(len: usize) -> Duration {
    let mut table = T::default();
    let mut longest = Duration::ZERO;
    for number in 0..len {
        let began = Instant::now();
        table.insert(key(number), [7; 16]);
        longest = longest.max(began.elapsed());
    }
    longest
}

/// Takes as long as it is told.
fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}
