//! The allocator (jemalloc): how much memory is in use, and what it does with freed memory. What the operating system
//! says about the process is in [`process`](super::process).
//!
//! # Thread safety
//! Any thread may call everything here. [`cache_for_thread`] concerns the calling thread only.

use super::process::resident_bytes;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use tikv_jemalloc_ctl::{Access, AsName, arenas, background_thread, epoch, stats};

/// The highest use of memory seen so far.
#[derive(Debug, Default)]
pub struct MemoryPeak(AtomicU64);

/// Memory that is no data, in bytes. Redis adds its tables of keys. Here the tables are data, since they hold the keys
/// and small values themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// In use at the start, before there were clients and data.
    pub startup: u64,
    /// Of clients: buffers, messages, transactions.
    pub clients: u64,
    /// Of the connections of replicas.
    pub replicas: u64,
    /// Of the replication backlog.
    pub backlog: u64,
    /// Of the scripts in the cache and of the libraries, interpreters not counted.
    pub scripts: u64,
}

/// The uses of the memory that is allocated, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemoryAccount {
    /// The parts of the overhead.
    pub parts: Overhead,
    /// Their sum.
    pub overhead: u64,
    /// Everything else.
    pub dataset: u64,
    /// The percentage of data in the memory that was allocated after the start.
    pub dataset_percentage: f64,
}

impl MemoryAccount {
    /// The account for `allocated` bytes in use.
    pub fn new(allocated: u64, parts: Overhead) -> MemoryAccount {
        let overhead =
            parts.startup + parts.clients + parts.replicas + parts.backlog + parts.scripts;
        let dataset = allocated.saturating_sub(overhead);
        let since_start = allocated.saturating_sub(parts.startup).max(1);
        MemoryAccount {
            parts,
            overhead,
            dataset,
            dataset_percentage: 100.0 * dataset as f64 / since_start as f64,
        }
    }
}

/// Memory of the process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Allocated and not freed. What threads keep for their next allocations does not count.
    pub allocated: u64,
    /// In pages that contain allocated memory.
    pub active: u64,
    /// In pages of the allocator that the system has backed with memory.
    pub allocator_resident: u64,
    /// Resident memory of the process, as the system counts it.
    pub resident: u64,
    /// The highest `allocated` seen so far.
    pub peak: u64,
}

impl MemoryPeak {
    /// The memory that is allocated now and not freed, in bytes. Updates the peak.
    pub fn allocated(&self) -> u64 {
        // The allocator keeps its figures per thread; advancing the epoch adds them up.
        let _ = epoch::advance();
        let allocated = stats::allocated::read().unwrap_or(0) as u64;
        let allocated = allocated.saturating_sub(cached_bytes());
        self.0.fetch_max(allocated, Relaxed);
        allocated
    }

    /// Measures the memory in use now, and updates the peak.
    pub fn measure(&self) -> MemoryUse {
        let allocated = self.allocated();
        let peak = self.0.load(Relaxed);
        MemoryUse {
            allocated,
            active: stats::active::read().unwrap_or(0) as u64,
            allocator_resident: stats::resident::read().unwrap_or(0) as u64,
            resident: resident_bytes().unwrap_or(allocated),
            peak,
        }
    }
}

/// Bytes that the program has freed, and that the allocator keeps for its threads: up to 400 KiB for each.
fn cached_bytes() -> u64 {
    // 4096 stands for all arenas together (MALLCTL_ARENAS_ALL).
    let name = "stats.arenas.4096.tcache_bytes\0".name();
    let bytes: Result<usize, _> = name.read();
    // An allocator without such caches refuses.
    bytes.unwrap_or(0) as u64
}

/// Switches the allocator's background thread on or off, which returns pages to the system some ten seconds after they
/// were freed. Without it pages are returned only by later allocations, so not in a server that has become idle.
pub fn purge_in_background(is_on: bool) {
    // An allocator without background threads refuses, and works too.
    let _ = background_thread::write(is_on);
}

/// Switches the allocator's cache of the calling thread on or off: freed memory that this thread gets again without a
/// lock. When it is switched off, the cached memory is freed.
pub fn cache_for_thread(is_on: bool) {
    // An allocator without such caches refuses, and works too.
    let _ = "thread.tcache.enabled\0".name().write(is_on);
}

/// Returns all free pages to the system now; `false` if the allocator refuses.
pub fn purge() -> bool {
    // One thread at a time: a second one would read the temporary 0 as the usual value.
    static PURGING: Mutex<()> = Mutex::new(());
    let _purging = PURGING.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(count) = arenas::narenas::read() else {
        return false;
    };
    let purged = |arena: u32| {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let decay_ms = name.name();
        // Writing 0 makes the allocator return the free pages of this arena at once.
        let usual: isize = decay_ms.read()?;
        decay_ms.write(0_isize)?;
        decay_ms.write(usual)
    };
    // Unused arenas are refused.
    (0..count).filter(|arena| purged(*arena).is_ok()).count() > 0
}
