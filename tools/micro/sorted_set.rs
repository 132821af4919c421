//! The sorted set, with members of 16 bytes: ours beside the obvious alternative, the standard library's sorted map of
//! (score, member) with a hash map from members to scores.
//!
//! What the alternative does not know is how many entries lie before another: look at `rank` and `window`, where it has
//! to count, 20 ms on average among a million. Nor can it be cloned for a snapshot without a copy of everything
//! (`first_change_of_a_clone`: 20 µs and 250 ms), and it holds each member in two blocks of memory of their own. Where
//! neither is asked for it is the yardstick, and mostly faster, up to three and a half times in filling: it counts
//! nothing, and copies nothing to make room in a leaf.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use foldhash::fast::RandomState;
use my_redis_server::types::limits::CompactLimits;
use my_redis_server::types::sorted_set::SortedSet;
use std::collections::{BTreeMap, HashMap};

const SIZES: [usize; 3] = [10, 10_000, 1_000_000];
/// Operations in one sample.
const OPERATIONS: usize = 1000;
const LIMITS: CompactLimits = CompactLimits {
    entries: 128,
    value_bytes: 64,
};

type Member = [u8; 16];

trait Set: Default + Clone {
    fn put(&mut self, member: &Member, score: f64);
    fn remove(&mut self, member: &Member) -> bool;
    fn pop_min(&mut self) -> Option<Member>;
    fn rank(&self, member: &Member) -> usize;
    /// The sum of the scores of ten members from this rank on.
    fn window(&self, rank: usize) -> f64;
}

#[derive(Clone, Default)]
struct Ours(SortedSet);

impl Set for Ours {
    fn put(&mut self, member: &Member, score: f64) {
        self.0.update(member, LIMITS, |_| Some(score));
    }

    fn remove(&mut self, member: &Member) -> bool {
        self.0.remove(member)
    }

    fn pop_min(&mut self) -> Option<Member> {
        let (member, _) = self.0.range(0..self.0.len().min(1)).next()?;
        let member = member.try_into().ok();
        self.0.remove_ranks(0..1);
        member
    }

    fn rank(&self, member: &Member) -> usize {
        self.0.rank(member).map_or(0, |(rank, _)| rank)
    }

    fn window(&self, rank: usize) -> f64 {
        let ranks = rank..(rank + 10).min(self.0.len());
        self.0.range(ranks).map(|(_, score)| score).sum()
    }
}

/// A score whose bits are in the order of the scores, none of which is negative here.
type Bits = u64;

#[derive(Clone, Default)]
struct Std {
    scores: HashMap<Box<[u8]>, f64, RandomState>,
    order: BTreeMap<(Bits, Box<[u8]>), ()>,
}

impl Set for Std {
    fn put(&mut self, member: &Member, score: f64) {
        let old = match self.scores.get_mut(&member[..]) {
            Some(place) => Some(std::mem::replace(place, score)),
            None => self.scores.insert((*member).into(), score),
        };
        if let Some(old) = old {
            self.order.remove(&(old.to_bits(), (*member).into()));
        }
        self.order.insert((score.to_bits(), (*member).into()), ());
    }

    fn remove(&mut self, member: &Member) -> bool {
        let Some(score) = self.scores.remove(&member[..]) else {
            return false;
        };
        let removed = self.order.remove(&(score.to_bits(), (*member).into()));
        removed.is_some()
    }

    fn pop_min(&mut self) -> Option<Member> {
        let ((_, member), ()) = self.order.pop_first()?;
        self.scores.remove(&member);
        member[..].try_into().ok()
    }

    fn rank(&self, member: &Member) -> usize {
        let score = self.scores[&member[..]];
        let end = (score.to_bits(), (*member).into());
        self.order.range(..end).count()
    }

    fn window(&self, rank: usize) -> f64 {
        let entries = self.order.keys().skip(rank).take(10);
        entries.map(|(score, _)| f64::from_bits(*score)).sum()
    }
}

fn member(number: usize) -> Member {
    let mut member = *b"element:00000000";
    let mut rest = number;
    for digit in member[8..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    member
}

/// Scores in an order other than that of the members.
fn score(number: usize) -> f64 {
    (number.wrapping_mul(0x9e37_79b9) % 1_000_003) as f64
}

fn filled<S: Set>(len: usize) -> S {
    let mut set = S::default();
    (0..len).for_each(|number| set.put(&member(number), score(number)));
    set
}

#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 3)]
fn fill<S: Set>(bencher: Bencher, len: usize) {
    bencher
        .counter(ItemsCount::new(len))
        .bench_local(|| filled::<S>(len));
}

/// Members get other scores.
#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn update<S: Set>(bencher: Bencher, len: usize) {
    let mut set: S = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher
        .counter(ItemsCount::new(OPERATIONS))
        .bench_local(|| {
            for _ in 0..OPERATIONS {
                let score = f64::from(random.u32(..1_000_000));
                set.put(&member(random.usize(..len)), score);
            }
        });
}

/// Members come and go.
#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn remove_and_insert<S: Set>(bencher: Bencher, len: usize) {
    let mut set: S = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher
        .counter(ItemsCount::new(OPERATIONS))
        .bench_local(|| {
            for _ in 0..OPERATIONS {
                let member = member(random.usize(..len));
                set.remove(&member);
                set.put(&member, f64::from(random.u32(..1_000_000)));
            }
        });
}

/// The least goes, and comes back as one of the greatest.
#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn pop_min<S: Set>(bencher: Bencher, len: usize) {
    let mut set: S = filled(len);
    let mut next = 1_000_003.0;
    bencher
        .counter(ItemsCount::new(OPERATIONS))
        .bench_local(|| {
            for _ in 0..OPERATIONS {
                if let Some(member) = set.pop_min() {
                    set.put(&member, next);
                    next += 1.0;
                }
            }
        });
}

#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn rank<S: Set>(bencher: Bencher, len: usize) {
    let set: S = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher
        .counter(ItemsCount::new(1usize))
        .bench_local(|| black_box(set.rank(&member(random.usize(..len)))));
}

#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn window<S: Set>(bencher: Bencher, len: usize) {
    let set: S = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher
        .counter(ItemsCount::new(1usize))
        .bench_local(|| black_box(set.window(random.usize(..len))));
}

/// What a snapshot costs whoever changes the set next.
#[divan::bench(types = [Ours, Std], args = SIZES, max_time = 2)]
fn first_change_of_a_clone<S: Set>(bencher: Bencher, len: usize) {
    let mut set: S = filled(len);
    let mut random = fastrand::Rng::with_seed(1);
    bencher.bench_local(|| {
        let clone = set.clone();
        let score = f64::from(random.u32(..1_000_000));
        set.put(&member(random.usize(..len)), score);
        clone
    });
}
