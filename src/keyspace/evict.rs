//! Eviction: which key goes when memory is short: <https://redis.io/docs/reference/eviction/>.
//!
//! As in Redis, the order of all keys is approximated: a few keys are drawn, and those of them that should go first
//! are remembered in a pool. The first of the pool goes. A key that has been used since it came into the pool stays.
//!
//! Invariants:
//! 1. To draw, a few shards are locked, shared; to remove a key, its shard exclusively, as by a command.
//! 2. The removal is committed like any change: events, watchers, waiters and the journal hear of it.
//! 3. The value is freed when the lock is gone.

use super::access::Access;
use super::locks::{Busy, Locks};
use super::shard::Shard;
use super::shard_lock::{LockMode, Patience};
use super::space::{Key, Place, SHARDS};
use super::view::{Expired, View};
use crate::types::dict::Position;
use smallvec::SmallVec;

/// Keys that are remembered, as in Redis.
const POOL: usize = 16;
/// Shards from which keys are drawn at once, for as many evictions: their cache misses overlap.
const SHARDS_AT_ONCE: usize = 4;
/// How often keys of the pool may turn out to be gone, or used since, before the attempt ends for now.
const MOST_ATTEMPTS: usize = 64;

/// `maxmemory-policy`, if it evicts at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether only keys with a deadline may go: `volatile-...`.
    pub only_volatile: bool,
    /// Which go first.
    pub order: Order,
}

/// Which keys go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those that have not been used for the longest time: LRU.
    LeastRecent,
    /// Those that are used least often: LFU.
    LeastFrequent,
    /// Those that expire first.
    EarliestDeadline,
    /// Any.
    Random,
}

/// How an attempt to remove a key has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// A key is gone.
    One,
    /// There is no key that may go.
    Nothing,
    /// There may be one, but other threads have its shard, or have used the keys that were drawn.
    NotNow,
}

#[derive(Debug)]
struct Candidate {
    /// The higher, the earlier it goes.
    score: u64,
    place: Place,
    key: Box<[u8]>,
}

impl Policy {
    /// The higher, the earlier the key at this position goes.
    fn score(self, shard: &Shard, position: Position, access: Access<'_>) -> u64 {
        match self.order {
            Order::LeastRecent => shard.clock(position).idle_s(access.now_ms()).into(),
            Order::LeastFrequent => u64::from(u8::MAX - shard.clock(position).frequency(access)),
            Order::EarliestDeadline => {
                let deadline = shard.entry(position).expires_at_ms();
                i64::MAX.abs_diff(deadline.unwrap_or(i64::MAX))
            }
            Order::Random => 0,
        }
    }
}

/// The keys that should go first, of those that were drawn, in ascending order of their scores. Each thread that evicts
/// has its own, so that threads do not wait for each other.
#[derive(Debug, Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
    /// By which they were drawn.
    policy: Option<Policy>,
    /// Evictions before keys are drawn again.
    ahead: usize,
}

impl Pool {
    /// Remembers a key that was drawn, if it is among the first.
    fn offer<'a>(&mut self, score: u64, database: usize, key: impl FnOnce() -> &'a [u8]) {
        let candidates = &mut self.candidates;
        let is_full = candidates.len() == POOL;
        // Most keys that are drawn end here.
        if is_full && candidates[0].score >= score {
            return;
        }
        let key = Key::new(database, key());
        let is_known =
            |known: &Candidate| *known.key == *key.bytes && known.place.shard == key.shard;
        if candidates.iter().any(is_known) {
            return;
        }
        if is_full {
            candidates.remove(0);
        }
        let place = candidates.partition_point(|known| known.score < score);
        let new = Candidate {
            score,
            place: key.place(),
            key: key.bytes.into(),
        };
        candidates.insert(place, new);
    }

    /// Where the keys are that go next.
    fn first_places(&self) -> SmallVec<[Place; SHARDS_AT_ONCE]> {
        let first = self.candidates.iter().rev().take(SHARDS_AT_ONCE);
        first.map(|candidate| candidate.place).collect()
    }

    /// Forgets the keys if they were drawn by another policy: their scores mean something else.
    fn turn_to(&mut self, policy: Policy) {
        if self.policy != Some(policy) {
            self.candidates.clear();
            self.ahead = 0;
            self.policy = Some(policy);
        }
    }
}

/// An attempt to remove a key.
#[derive(Clone, Copy, Debug)]
pub struct Eviction {
    /// Which keys go first.
    pub policy: Policy,
    /// `maxmemory-samples`: how many keys are drawn for each that goes.
    pub samples: usize,
    /// Whether the removal is replayed as UNLINK: `lazyfree-lazy-eviction`.
    pub is_lazy: bool,
    /// Unix time in milliseconds.
    pub now_ms: i64,
}

impl Locks {
    /// Removes one key, by this policy. The thread must hold no lock.
    pub fn evict(&self, eviction: Eviction, pool: &mut Pool) -> Evicted {
        pool.turn_to(eviction.policy);
        for _ in 0..MOST_ATTEMPTS {
            if pool.ahead == 0 {
                // If a busy script has the shard, the next attempt draws from another.
                pool.ahead = match self.draw(eviction, pool) {
                    Ok(0) => return Evicted::Nothing,
                    Ok(shards) => shards,
                    Err(Busy) => 1,
                };
                self.fetch(&pool.first_places());
            }
            pool.ahead -= 1;
            let first = pool.candidates.pop();
            let Some(candidate) = first else { continue };
            if self.remove_candidate(&candidate, eviction) {
                return Evicted::One;
            }
        }
        Evicted::NotNow
    }

    /// Draws keys from a few shards and remembers them. Returns from how many shards: 0 if there is no key anywhere
    /// that may go.
    fn draw(&self, eviction: Eviction, pool: &mut Pool) -> Result<usize, Busy> {
        let draw = |_| self.draw_place(eviction.policy);
        let places: SmallVec<[Place; SHARDS_AT_ONCE]> =
            (0..SHARDS_AT_ONCE).filter_map(draw).collect();
        let mut shards = 0;
        for (place, guard) in self.fetch_slots(&places) {
            shards += usize::from(self.draw_from(guard.shard(), place, eviction, pool));
        }
        match (places.first(), shards) {
            (None, _) => Ok(0),
            (Some(place), 0) => self.draw_behind(place.shard, eviction, pool),
            (Some(_), shards) => Ok(shards),
        }
    }

    /// Draws a database, one of its shards, and a hash: each among those that have keys which may go.
    fn draw_place(&self, policy: Policy) -> Option<Place> {
        let database = self.draw_database(policy.only_volatile)?;
        let first = fastrand::usize(..SHARDS);
        let mut shards = (0..SHARDS).map(|offset| database * SHARDS + (first + offset) % SHARDS);
        let shard = shards.find(|shard| self.shard_has_keys(*shard, policy.only_volatile))?;
        Some(Place {
            hash: fastrand::u64(..),
            shard,
        })
    }

    /// Draws keys from the first shard that has some, beginning with this one. All shards that were drawn are locked.
    fn draw_behind(
        &self,
        first: usize,
        eviction: Eviction,
        pool: &mut Pool,
    ) -> Result<usize, Busy> {
        let shards = self.cells().len();
        for shard in (first..shards).chain(0..first) {
            if !self.shard_has_keys(shard, eviction.policy.only_volatile) {
                continue;
            }
            let lock = &self.cell(shard).shard;
            let guard = lock.lock_with(LockMode::Shared, Patience::UntilBusy)?;
            let hash = fastrand::u64(..);
            if self.draw_from(guard.shard(), Place { hash, shard }, eviction, pool) {
                return Ok(1);
            }
        }
        Ok(0)
    }

    /// Draws keys from a shard and remembers them; `false` if it has none that may go.
    fn draw_from(&self, shard: &Shard, place: Place, eviction: Eviction, pool: &mut Pool) -> bool {
        let access = self.access_rules.access(eviction.now_ms);
        let policy = eviction.policy;
        let count = match policy.order {
            Order::Random => 1,
            _ => eviction.samples,
        };
        shard.draw(place.hash, count, policy.only_volatile, |position| {
            let score = policy.score(shard, position, access);
            pool.offer(score, place.shard / SHARDS, || shard.entry(position).key());
        })
    }

    /// Removes a key, unless it is gone, or has been used since it was drawn.
    fn remove_candidate(&self, candidate: &Candidate, eviction: Eviction) -> bool {
        let key = Key::at(candidate.place, &candidate.key);
        let view = View {
            // A key that has expired meanwhile is evicted too: it makes room all the same.
            expired: Expired::Hide,
            ..self.view(key.database(), eviction.now_ms)
        };
        let Ok(mut db) = self.write_unless_busy(view, &[key]) else {
            return false;
        };
        let access = self.access_rules.access(eviction.now_ms);
        let policy = eviction.policy;
        let goes = db.is_evictable(&key, |shard, position| {
            let is_permitted =
                !policy.only_volatile || shard.entry(position).expires_at_ms().is_some();
            is_permitted && policy.score(shard, position, access) >= candidate.score
        });
        if goes {
            db.evict(&key, eviction.is_lazy);
            db.settle();
        }
        goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::string_form::StringForm;
    use std::collections::BTreeSet;

    const START_MS: i64 = 1_700_000_000_000;

    /// Keys `0` to `count`, each a second younger than the one before; every third has a deadline, the later the
    /// earlier.
    fn filled(count: i64) -> Locks {
        let locks = Locks::new(2);
        for number in 0..count {
            let name = number.to_string();
            let key = Key::new((number % 2) as usize, name.as_bytes());
            let deadline = (number % 3 == 0).then(|| START_MS + 10_000_000 - number * 1000);
            let mut db = locks.write((START_MS + number * 1000).into(), &[key]);
            db.put_string(&key, b"value", StringForm::Natural, deadline);
        }
        locks
    }

    fn present(locks: &Locks, count: i64) -> BTreeSet<i64> {
        let db = locks.write_all(0.into());
        let is_there = |number: &i64| {
            let name = number.to_string();
            db.look_silently(&Key::new((number % 2) as usize, name.as_bytes()))
                .is_some()
        };
        (0..count).filter(is_there).collect()
    }

    fn evict(locks: &Locks, policy: Policy, pool: &mut Pool) -> Evicted {
        let eviction = Eviction {
            policy,
            samples: 5,
            is_lazy: false,
            now_ms: START_MS + 5_000_000,
        };
        locks.evict(eviction, pool)
    }

    const fn policy(only_volatile: bool, order: Order) -> Policy {
        Policy {
            only_volatile,
            order,
        }
    }

    #[test]
    fn old_keys_go_first() {
        const COUNT: i64 = 3000;
        let (locks, mut pool) = (filled(COUNT), Pool::default());
        for _ in 0..COUNT / 2 {
            let policy = policy(false, Order::LeastRecent);
            assert_eq!(evict(&locks, policy, &mut pool), Evicted::One);
        }
        let left = present(&locks, COUNT);
        assert_eq!(left.len(), COUNT as usize / 2);
        // If any key could go, half of the younger half would be left. The best order would leave all of it; with five
        // keys drawn and a pool of sixteen nine tenths are left.
        let young = left.iter().filter(|number| **number >= COUNT / 2).count();
        assert!(
            young * 5 > COUNT as usize / 2 * 4,
            "{young} of {}",
            COUNT / 2
        );
    }

    #[test]
    fn only_keys_with_a_deadline_go() {
        const COUNT: i64 = 300;
        for order in [
            Order::LeastRecent,
            Order::LeastFrequent,
            Order::EarliestDeadline,
            Order::Random,
        ] {
            let (locks, mut pool) = (filled(COUNT), Pool::default());
            let volatile = policy(true, order);
            for _ in 0..COUNT / 3 {
                assert_eq!(evict(&locks, volatile, &mut pool), Evicted::One);
            }
            assert_eq!(evict(&locks, volatile, &mut pool), Evicted::Nothing);
            let left = present(&locks, COUNT);
            assert!(
                left.iter()
                    .copied()
                    .eq((0..COUNT).filter(|number| number % 3 != 0))
            );
        }
    }

    #[test]
    fn a_key_that_was_used_since_it_was_drawn_stays() {
        let (locks, mut pool) = (filled(1), Pool::default());
        let lru = policy(false, Order::LeastRecent);
        let now_ms = START_MS + 5_000_000;
        let eviction = Eviction {
            policy: lru,
            samples: 5,
            is_lazy: false,
            now_ms,
        };
        assert!(
            locks
                .draw(eviction, &mut pool)
                .is_ok_and(|shards| shards > 0)
        );
        let candidate = pool.candidates.pop().expect("one key was drawn");
        let key = Key::new(0, b"0");
        assert!(locks.write(now_ms.into(), &[key]).read(&key).is_some());
        assert!(!locks.remove_candidate(&candidate, eviction));
        assert_eq!(evict(&locks, lru, &mut pool), Evicted::One);
        assert_eq!(evict(&locks, lru, &mut pool), Evicted::Nothing);
    }
}
