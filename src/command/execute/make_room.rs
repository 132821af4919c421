//! Makes room when `maxmemory` is exceeded, before a command runs: <https://redis.io/docs/reference/eviction/>.
//!
//! The thread of each client makes room before its own command, with no lock in hand, for as long as Redis would
//! (`maxmemory-eviction-tenacity`), and beyond that until it has freed twice what it needs itself: so large values
//! cannot come in faster than small keys go. If that is not enough, the next command goes on, of whatever client, or
//! the reaper. A command that would need more memory (the flag DENYOOM) is refused only if nothing can be evicted.

use super::Engine;
use crate::keyspace::evict::{Evicted, Eviction, Policy, Pool};
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The event in LATENCY of an attempt that took long.
const CYCLE: &str = "eviction-cycle";
/// The event in LATENCY of one key that took long. Redis does not count how long the key was looked for.
const DELETION: &str = "eviction-del";
/// The tenacity that makes an attempt go on until there is room.
const ENDLESS: i64 = 100;

/// How an attempt to make room has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The limit is kept.
    Enough,
    /// It is exceeded, and the next attempt goes on.
    NotYet,
    /// It is exceeded, and other threads have the keys that could go.
    NotNow,
    /// It is exceeded, and there is nothing to evict.
    Nothing,
}

impl Engine {
    /// Makes room if `maxmemory` is exceeded. Returns whether it still is, and there is nothing to evict. The thread
    /// must hold no lock; `pool` is its own, with what it has drawn before. `now_ms` is Unix time.
    #[cold]
    pub fn make_room(&self, pool: &mut Pool, now_ms: i64) -> bool {
        self.may_evict(now_ms) && self.attempt(pool, now_ms) == Room::Nothing
    }

    /// Makes room, attempt after attempt, until then at most. For the thread that looks after the limit while no client
    /// gives commands.
    pub fn make_room_until(&self, pool: &mut Pool, deadline: Instant) {
        while Instant::now() < deadline {
            let now_ms = clock::unix_ms();
            let goes_on = self.may_evict(now_ms) && self.attempt(pool, now_ms) == Room::NotYet;
            self.deliver_pushes();
            if !goes_on {
                break;
            }
        }
    }

    /// During a pause nothing changes, and nothing is evicted while the dump is being loaded.
    fn may_evict(&self, now_ms: i64) -> bool {
        // A replica has what its primary has.
        let is_copy = self.replication.is_replica() && self.config.replica_ignore_maxmemory.get();
        self.pause.at(now_ms).is_none()
            && !self.loading.is_under_way()
            && !self.is_read_only.load(Relaxed)
            && !is_copy
    }

    fn attempt(&self, pool: &mut Pool, now_ms: i64) -> Room {
        let room = self.evict_excess(pool, now_ms);
        self.memory_limit.forget_freed();
        let room = self.look_again(room, now_ms);
        self.memory_limit
            .note_exceeded(room != Room::Enough, now_ms);
        room
    }

    fn evict_excess(&self, pool: &mut Pool, now_ms: i64) -> Room {
        if self.memory_limit.excess().is_none() {
            return Room::Enough;
        }
        match self.config.eviction_policy() {
            Some(policy) => self.evict_until_enough(policy, pool, now_ms),
            None => Room::Nothing,
        }
    }

    /// Before a command is refused, the allocator is asked: the figure may be too high.
    fn look_again(&self, room: Room, now_ms: i64) -> Room {
        if room == Room::Nothing && self.memory_limit.claim_correction(now_ms) {
            self.memory_limit
                .correct(|| self.memory_peak.allocated(), now_ms);
        }
        match self.memory_limit.excess() {
            None => Room::Enough,
            Some(_) => room,
        }
    }

    fn evict_until_enough(&self, policy: Policy, pool: &mut Pool, now_ms: i64) -> Room {
        let eviction = Eviction {
            policy,
            samples: self.config.maxmemory_samples.get() as usize,
            is_lazy: self.config.lazyfree_lazy_eviction.get(),
            now_ms,
        };
        let longest = longest_attempt(self.config.maxmemory_eviction_tenacity.get());
        let needed = 2 * self.memory_limit.growth();
        // Usually one key is enough. Then the time is of no interest, unless the latency monitor asks for it.
        let mut began = self.latency_stopwatch();
        let room = loop {
            let key_began = self.latency_stopwatch();
            let evicted = self.locks.evict(eviction, pool);
            self.note_latency(DELETION, key_began);
            match evicted {
                Evicted::One => {}
                Evicted::Nothing => break Room::Nothing,
                Evicted::NotNow => break Room::NotNow,
            }
            if self.memory_limit.excess().is_none() {
                break Room::Enough;
            }
            let began = began.get_or_insert_with(Instant::now);
            let is_time_up = longest.is_some_and(|longest| began.elapsed() > longest);
            if is_time_up && self.memory_limit.freed() >= needed {
                break Room::NotYet;
            }
        };
        self.note_latency(CYCLE, began);
        room
    }
}

/// How long an attempt may take; `None` for as long as it needs. Redis' formula: up to 10 in proportion, from there on
/// 15 % more for each step.
fn longest_attempt(tenacity: i64) -> Option<Duration> {
    let micros = match tenacity {
        ENDLESS => return None,
        0..=10 => 50.0 * tenacity as f64,
        _ => 500.0 * 1.15_f64.powi(tenacity as i32 - 10),
    };
    Some(Duration::from_micros(micros as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in Redis' comment on `evictionTimeLimitUs`: 500 µs at 10, about 2 min at 99.
    #[test]
    fn tenacity_is_a_time() {
        assert_eq!(longest_attempt(0), Some(Duration::ZERO));
        assert_eq!(longest_attempt(10), Some(Duration::from_micros(500)));
        let minutes = longest_attempt(99).expect("there is a limit").as_secs() / 60;
        assert_eq!(minutes, 2);
        assert_eq!(longest_attempt(100), None);
    }
}
