//! When a key was last used, for OBJECT IDLETIME and for eviction.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Seconds wrap around here (194 days), as in Redis.
const CLOCK_MASK: u32 = 0xff_ffff;

/// The second of the last access to a key. Readers set it under a shared lock.
#[derive(Debug)]
pub struct AccessClock(AtomicU32);

impl AccessClock {
    /// An access at this time, in milliseconds of Unix time.
    pub fn new(now_ms: i64) -> AccessClock {
        AccessClock(AtomicU32::new(second_of(now_ms)))
    }

    /// Notes an access.
    pub fn touch(&self, now_ms: i64) {
        // Written once a second at most: readers of one key should not fight for its cache line.
        if self.idle_s(now_ms) != 0 {
            self.set_idle_s(0, now_ms);
        }
    }

    /// Seconds since the last access.
    pub fn idle_s(&self, now_ms: i64) -> u32 {
        second_of(now_ms).wrapping_sub(self.0.load(Relaxed)) & CLOCK_MASK
    }

    /// Notes that the last access lies this many seconds back.
    pub fn set_idle_s(&self, idle_s: u32, now_ms: i64) {
        let second = second_of(now_ms).wrapping_sub(idle_s) & CLOCK_MASK;
        self.0.store(second, Relaxed);
    }
}

impl Clone for AccessClock {
    fn clone(&self) -> AccessClock {
        AccessClock(AtomicU32::new(self.0.load(Relaxed)))
    }
}

fn second_of(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & CLOCK_MASK
}
