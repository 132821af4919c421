//! When a key was last used, for OBJECT IDLETIME and for eviction; or how often, if the policy of eviction asks for
//! that.
//!
//! Both take 24 bits, as in Redis, of which a key has one set, so that it costs no more:
//!
//! ```text
//! least recently used    | second of the last access: 24 bits                |
//! least frequently used  | minute of the last access: 16 bits | counter: 8   |
//! ```
//!
//! The policy may change at run time. What the bits said before is then read in the new way; it is wrong until keys
//! have been used for a while, in Redis too.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Seconds wrap around here (194 days), as in Redis.
const CLOCK_MASK: u32 = 0xff_ffff;
/// Minutes wrap around here (45 days), as in Redis.
const MINUTE_MASK: u32 = 0xffff;
/// The counter of a new key: it is not the first to be evicted.
const NEW_COUNTER: u8 = 5;

/// What the configuration says about how accesses are noted.
#[derive(Debug, Default)]
pub struct AccessRules {
    counts: AtomicBool,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
}

impl AccessRules {
    /// Notes the time of accesses only.
    pub const fn new() -> AccessRules {
        AccessRules {
            counts: AtomicBool::new(false),
            log_factor: AtomicU32::new(0),
            decay_minutes: AtomicU32::new(0),
        }
    }

    /// Sets whether accesses are counted, `lfu-log-factor` and `lfu-decay-time`.
    pub fn set(&self, counts: bool, log_factor: u32, decay_minutes: u32) {
        self.log_factor.store(log_factor, Relaxed);
        self.decay_minutes.store(decay_minutes, Relaxed);
        self.counts.store(counts, Relaxed);
    }

    /// Whether accesses are counted.
    #[inline]
    pub fn counts(&self) -> bool {
        self.counts.load(Relaxed)
    }

    /// An access at this time, in milliseconds of Unix time.
    #[inline]
    pub fn access(&self, now_ms: i64) -> Access<'_> {
        Access {
            now_ms,
            rules: self,
            is_silent: false,
        }
    }
}

/// An access to a key: when, and how it is noted.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    now_ms: i64,
    rules: &'a AccessRules,
    /// Whether it leaves no trace on a key that is there already.
    pub(super) is_silent: bool,
}

impl Access<'_> {
    /// When it is, in milliseconds of Unix time.
    pub fn now_ms(self) -> i64 {
        self.now_ms
    }
}

/// What is known about the accesses to a key. Readers set it under a shared lock.
#[derive(Debug)]
pub struct AccessClock(AtomicU32);

impl AccessClock {
    /// For a new key.
    pub fn new(access: Access<'_>) -> AccessClock {
        let bits = match access.rules.counts() {
            true => Frequency::new(NEW_COUNTER, access.now_ms).bits(),
            false => second_of(access.now_ms),
        };
        AccessClock(AtomicU32::new(bits))
    }

    /// Notes an access.
    #[inline]
    pub fn touch(&self, access: Access<'_>) {
        if access.is_silent {
            return;
        }
        if access.rules.counts() {
            self.count(access);
        } else if self.idle_s(access.now_ms) != 0 {
            // Written once a second at most: readers of one key should not fight for its cache line.
            self.set_idle_s(0, access.now_ms);
        }
    }

    /// Accesses of two readers at the same time may count as one: the counter is a rough measure anyway.
    #[cold]
    fn count(&self, access: Access<'_>) {
        let before = self.bits();
        let left = Frequency::from_bits(before).after_decay(access);
        let log_factor = access.rules.log_factor.load(Relaxed);
        let counter = incremented(left, log_factor, fastrand::f64());
        let after = Frequency::new(counter, access.now_ms).bits();
        if after != before {
            self.0.store(after, Relaxed);
        }
    }

    /// How often the key is used, as a logarithm, if accesses are counted.
    pub fn frequency(&self, access: Access<'_>) -> u8 {
        Frequency::from_bits(self.bits()).after_decay(access)
    }

    /// Seconds since the last access, if accesses are not counted.
    pub fn idle_s(&self, now_ms: i64) -> u32 {
        second_of(now_ms).wrapping_sub(self.bits()) & CLOCK_MASK
    }

    /// Notes what a dump says of the key, as far as it fits the policy: how often it was used, or since when it is
    /// idle.
    pub fn restore(&self, frequency: Option<u8>, idle_s: Option<u32>, access: Access<'_>) {
        match (access.rules.counts(), frequency, idle_s) {
            (true, Some(counter), _) => {
                let bits = Frequency::new(counter, access.now_ms).bits();
                self.0.store(bits, Relaxed);
            }
            (false, _, Some(idle_s)) => self.set_idle_s(idle_s, access.now_ms),
            _ => {}
        }
    }

    /// Takes over what another clock shows.
    pub(super) fn copy_from(&self, clock: &AccessClock) {
        self.0.store(clock.bits(), Relaxed);
    }

    /// The bits as they are, for DEBUG OBJECT.
    pub fn bits(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn set_idle_s(&self, idle_s: u32, now_ms: i64) {
        let second = second_of(now_ms).wrapping_sub(idle_s) & CLOCK_MASK;
        self.0.store(second, Relaxed);
    }
}

impl Clone for AccessClock {
    fn clone(&self) -> AccessClock {
        AccessClock(AtomicU32::new(self.bits()))
    }
}

/// The bits as they are read under a policy that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frequency {
    /// When the counter was last set.
    minute: u32,
    counter: u8,
}

impl Frequency {
    fn new(counter: u8, now_ms: i64) -> Frequency {
        let minute = minute_of(now_ms);
        Frequency { minute, counter }
    }

    fn from_bits(bits: u32) -> Frequency {
        Frequency {
            minute: (bits >> 8) & MINUTE_MASK,
            counter: bits as u8,
        }
    }

    fn bits(self) -> u32 {
        self.minute << 8 | u32::from(self.counter)
    }

    /// The counter less one for every period in which the key was not used.
    fn after_decay(self, access: Access<'_>) -> u8 {
        let now = minute_of(access.now_ms);
        let minutes = match now >= self.minute {
            true => now - self.minute,
            // One minute too few: Redis' formula.
            false => MINUTE_MASK - self.minute + now,
        };
        let period = access.rules.decay_minutes.load(Relaxed);
        let periods = minutes.checked_div(period).unwrap_or(0);
        let periods = u8::try_from(periods).unwrap_or(u8::MAX);
        self.counter.saturating_sub(periods)
    }
}

/// The counter after an access: the higher it is, the more rarely it goes up. `random` lies between 0 and 1.
fn incremented(counter: u8, log_factor: u32, random: f64) -> u8 {
    let base = f64::from(counter.saturating_sub(NEW_COUNTER));
    let chance = 1.0 / (base * f64::from(log_factor) + 1.0);
    counter.saturating_add(u8::from(random < chance))
}

fn second_of(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & CLOCK_MASK
}

fn minute_of(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & MINUTE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// 1 / ((counter - 5) * factor + 1), worked out by hand; up to 5 the chance is 1.
    #[test]
    fn the_counter_goes_up_with_the_chance_that_redis_gives_it() {
        for (counter, log_factor, chance) in [
            (6, 10, 1.0 / 11.0),
            (10, 10, 1.0 / 51.0),
            (254, 10, 1.0 / 2491.0),
            (15, 1, 1.0 / 11.0),
            (7, 100, 1.0 / 201.0),
        ] {
            let [below, above] = [chance * 0.999, chance * 1.001];
            assert_eq!(incremented(counter, log_factor, below), counter + 1);
            assert_eq!(incremented(counter, log_factor, above), counter);
        }
        for counter in [0, 3, 5] {
            assert_eq!(incremented(counter, 10, 0.999), counter + 1);
            assert_eq!(incremented(counter, 10, 1.0), counter);
        }
        assert_eq!(incremented(200, 0, 0.999), 201);
        assert_eq!(incremented(255, 0, 0.0), 255);
    }

    #[test]
    fn the_counter_goes_down_with_time() {
        let rules = AccessRules::new();
        for (decay, minutes, left) in [
            (1, 0, 50),
            (1, 1, 49),
            (1, 49, 1),
            (1, 60, 0),
            (1, 1000, 0),
            (10, 9, 50),
            (10, 25, 48),
            (0, 1000, 50),
            // Around the end of the 16 bits a minute is lost.
            (1, 65_536 + 3, 47),
        ] {
            rules.set(true, 10, decay);
            let clock = AccessClock::new(rules.access(7 * MINUTE_MS));
            clock.restore(Some(50), Some(9), rules.access(7 * MINUTE_MS));
            let later = rules.access((7 + minutes) * MINUTE_MS);
            assert_eq!(clock.frequency(later), left, "{decay} {minutes}");
        }
        rules.set(true, 10, 1);
        let clock = AccessClock::new(rules.access(65_535 * MINUTE_MS));
        assert_eq!(clock.frequency(rules.access(65_538 * MINUTE_MS)), 3);
    }

    #[test]
    fn an_access_is_counted_after_the_decay() {
        let rules = AccessRules::new();
        rules.set(true, 0, 1);
        let clock = AccessClock::new(rules.access(0));
        clock.touch(rules.access(0));
        assert_eq!(clock.frequency(rules.access(0)), 6);
        let later = rules.access(4 * MINUTE_MS);
        clock.touch(later);
        assert_eq!(clock.frequency(later), 3);
    }

    /// A policy reads the bits that another one has left.
    #[test]
    fn the_policy_may_change() {
        let rules = AccessRules::new();
        let now_ms = 1000 * 0x12_3456;
        let clock = AccessClock::new(rules.access(now_ms));
        assert_eq!((clock.bits(), clock.idle_s(now_ms + 9000)), (0x12_3456, 9));
        rules.set(true, 10, 0);
        assert_eq!(clock.frequency(rules.access(now_ms)), 0x56);
        clock.restore(None, Some(100), rules.access(now_ms));
        assert_eq!(clock.bits(), 0x12_3456);
        rules.set(false, 10, 0);
        clock.restore(Some(1), None, rules.access(now_ms));
        assert_eq!(clock.bits(), 0x12_3456);
        clock.restore(Some(1), Some(100), rules.access(now_ms));
        assert_eq!(clock.idle_s(now_ms), 100);
    }
}
