//! `maxmemory-clients`: how much memory all clients take together, and which of them are disconnected if that is too
//! much: <https://redis.io/docs/reference/clients/#client-eviction>.
//!
//! Each client has a [`Share`]: the memory that it was last seen to take. A thread that has changed what a client takes
//! (the client's own thread, or one that pushes a message to it) measures it again, and the difference goes into the
//! total. So the total is known at the price of one client, whatever their number.
//!
//! # Invariants
//! 1. Without a limit nothing is measured: a client's thread pays one relaxed load for each packet.
//! 2. The total is the sum of the shares. The share of a client that is gone, or that has been evicted, is nothing, and
//!    stays so, even if another thread measures the client once more.
//! 3. One thread evicts at a time. No other thread waits for it.
//!
//! # Thread safety
//! Any thread may call everything here. The figures are atomics, and none of them guards other memory.

use super::clients::Client;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, TryLockError};

/// The lowest limit, as in Redis: with less, an administrator could not connect to correct it.
const LEAST_LIMIT: u64 = 128 * 1024;

/// The share of a client that is counted no more.
const GONE: usize = usize::MAX;

/// What all clients take together, and what they may.
#[derive(Debug, Default)]
pub struct ClientMemory {
    /// In bytes; 0 for none.
    limit: AtomicU64,
    /// The sum of all shares.
    total: AtomicI64,
    /// Locked by the thread that evicts.
    evicting: Mutex<()>,
}

/// What one client takes.
#[derive(Debug)]
pub struct Share {
    all: Arc<ClientMemory>,
    /// In bytes, as last measured.
    bytes: AtomicUsize,
}

impl ClientMemory {
    /// Sets the limit, as the directive says it: bytes, or a negative number for a percentage of `maxmemory`. The
    /// caller measures all clients afterwards.
    pub fn set_limit(&self, directive: i64, maxmemory: u64) {
        let bytes = match directive {
            0 => 0,
            1.. => directive as u64,
            // Without `maxmemory` a part of it is no limit either.
            _ => (maxmemory as f64 * -(directive as f64) / 100.0) as u64,
        };
        let is_limited = directive > 0 || (directive < 0 && maxmemory > 0);
        let limit = if is_limited {
            bytes.max(LEAST_LIMIT)
        } else {
            0
        };
        self.limit.store(limit, Relaxed);
    }

    /// Whether there is a limit.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.limit.load(Relaxed) != 0
    }

    /// Whether the clients take as much as the limit, or more: Redis evicts then.
    pub fn is_exceeded(&self) -> bool {
        let limit = self.limit.load(Relaxed);
        limit != 0 && self.total.load(Relaxed) >= limit.min(i64::MAX as u64) as i64
    }

    /// Disconnects clients until the limit is kept, the largest first: Redis' order too, but for clients whose sizes
    /// have the same power of two. `report` is told of each before its connection closes. Returns whether the limit is
    /// exceeded although there is no more client that may be evicted.
    ///
    /// If another thread is at it, this does nothing. That thread may have looked for the last time already; then the
    /// next thread with a packet finds out, or the reaper.
    pub fn evict(&self, mut clients: Vec<Arc<Client>>, report: impl Fn(&Client)) -> bool {
        let _evicting = match self.evicting.try_lock() {
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Ok(guard) => guard,
        };
        clients.retain(|client| client.may_be_evicted());
        // The sizes go on changing: each is read once.
        clients.sort_by_cached_key(|client| client.share.bytes());
        while self.is_exceeded()
            && let Some(largest) = clients.pop()
        {
            report(&largest);
            largest.share.leave();
            largest.disconnect();
        }
        self.is_exceeded()
    }
}

impl Share {
    /// For a new client.
    pub fn new(all: Arc<ClientMemory>) -> Share {
        Share {
            all,
            bytes: AtomicUsize::new(0),
        }
    }

    /// Whether there is a limit, so that it is worth measuring the client.
    #[inline]
    pub fn is_limited(&self) -> bool {
        self.all.is_limited()
    }

    /// Stores what the client takes now.
    pub fn set(&self, bytes: usize) {
        let bytes = bytes.min(GONE - 1);
        let counted = |before| (before != GONE).then_some(bytes);
        if let Ok(before) = self.bytes.fetch_update(Relaxed, Relaxed, counted) {
            let difference = bytes as i64 - before as i64;
            self.all.total.fetch_add(difference, Relaxed);
        }
    }

    /// The client is counted no more.
    pub fn leave(&self) {
        let before = self.bytes.swap(GONE, Relaxed);
        if before != GONE {
            self.all.total.fetch_sub(before as i64, Relaxed);
        }
    }

    /// Whether the client is still counted.
    pub fn is_counted(&self) -> bool {
        self.bytes.load(Relaxed) != GONE
    }

    /// In bytes, as last measured; 0 for a client that is counted no more.
    pub fn bytes(&self) -> usize {
        match self.bytes.load(Relaxed) {
            GONE => 0,
            bytes => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_size_or_a_part_of_maxmemory() {
        const MIB: u64 = 1024 * 1024;
        for (directive, maxmemory, expected) in [
            (0, 100 * MIB, 0),
            (5 * MIB as i64, 0, 5 * MIB),
            (1, 0, LEAST_LIMIT),
            (-10, 100 * MIB, 10 * MIB),
            (-100, 100 * MIB, 100 * MIB),
            (-10, 0, 0),
            (-1, MIB, LEAST_LIMIT),
        ] {
            let memory = ClientMemory::default();
            memory.set_limit(directive, maxmemory);
            assert_eq!(memory.limit.load(Relaxed), expected, "{directive}");
            assert_eq!(memory.is_limited(), expected != 0, "{directive}");
        }
    }

    #[test]
    fn the_total_is_the_sum_of_the_shares() {
        let memory = Arc::new(ClientMemory::default());
        memory.set_limit(200_000, 0);
        let [one, other] = [0, 1].map(|_| Share::new(memory.clone()));
        one.set(150_000);
        assert!(!memory.is_exceeded());
        other.set(50_000);
        assert!(memory.is_exceeded(), "as much as the limit is too much");
        one.set(10);
        assert!(!memory.is_exceeded());
        one.set(190_000);
        one.leave();
        one.leave();
        // A thread that still knows the client measures it.
        one.set(1_000_000);
        assert!(!memory.is_exceeded());
        assert_eq!((one.is_counted(), one.bytes()), (false, 0));
        assert_eq!(memory.total.load(Relaxed), 50_000);
    }
}
