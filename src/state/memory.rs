//! What the process takes of the machine: memory and processor time.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use tikv_jemalloc_ctl::{Access, AsName, arenas, background_thread, epoch, stats};

/// The highest use of memory seen so far.
#[derive(Debug, Default)]
pub struct MemoryPeak(AtomicU64);

/// What the memory in use is used for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemoryAccount {
    /// What was in use before there were clients and data.
    pub startup: u64,
    /// Of clients: buffers, messages, transactions.
    pub clients: u64,
    /// Both together. Redis counts its tables of keys too; ours hold the keys themselves, and small values.
    pub overhead: u64,
    /// Everything else.
    pub dataset: u64,
    /// How much of what came after the start is the data.
    pub dataset_percentage: f64,
}

impl MemoryAccount {
    /// The account for so much in use.
    pub fn new(allocated: u64, startup: u64, clients: u64) -> MemoryAccount {
        let overhead = startup + clients;
        let dataset = allocated.saturating_sub(overhead);
        let since_start = allocated.saturating_sub(startup).max(1);
        MemoryAccount {
            startup,
            clients,
            overhead,
            dataset,
            dataset_percentage: 100.0 * dataset as f64 / since_start as f64,
        }
    }
}

/// Memory of the process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Asked of the allocator and not given back.
    pub allocated: u64,
    /// In pages that hold such memory.
    pub active: u64,
    /// In pages that the allocator holds and the system has backed with memory.
    pub allocator_resident: u64,
    /// Of the whole process, as the system counts it.
    pub resident: u64,
    /// The highest `allocated` seen so far.
    pub peak: u64,
}

impl MemoryPeak {
    /// Looks at the memory in use now.
    pub fn measure(&self) -> MemoryUse {
        // The allocator keeps its figures per thread; advancing the epoch adds them up.
        let _ = epoch::advance();
        let allocated = stats::allocated::read().unwrap_or(0) as u64;
        let peak = self.0.fetch_max(allocated, Relaxed).max(allocated);
        MemoryUse {
            allocated,
            active: stats::active::read().unwrap_or(0) as u64,
            allocator_resident: stats::resident::read().unwrap_or(0) as u64,
            resident: resident_bytes().unwrap_or(allocated),
            peak,
        }
    }
}

/// Whether a thread of the allocator gives pages back to the system some ten seconds after they were freed. Without it
/// they go back only while other memory is asked for and freed: not in a server that has become idle.
pub fn purge_in_background(is_on: bool) {
    // An allocator built without such threads works too.
    let _ = background_thread::write(is_on);
}

/// Whether the allocator keeps freed memory for the running thread, to hand it out again without a lock. What it has
/// kept goes back when that ends.
pub fn cache_for_thread(is_on: bool) {
    // An allocator built without such caches works too.
    let _ = "thread.tcache.enabled\0".name().write(is_on);
}

/// Gives all free pages back to the system now; `false` if the allocator refuses.
pub fn purge() -> bool {
    // Two at once would take each other's value for the usual one.
    static PURGING: Mutex<()> = Mutex::new(());
    let _purging = PURGING.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(count) = arenas::narenas::read() else {
        return false;
    };
    let purged = |arena: u32| {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let decay_ms = name.name();
        // Writing 0 makes the allocator give back the pages of this arena that are free now.
        let usual: isize = decay_ms.read()?;
        decay_ms.write(0_isize)?;
        decay_ms.write(usual)
    };
    // Arenas that no thread has used yet are refused.
    (0..count).filter(|arena| purged(*arena).is_ok()).count() > 0
}

/// The second figure of /proc/self/statm, in pages of 4 KiB.
fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// Memory of the machine, in bytes.
pub fn machine_bytes() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Seconds of processor time, each in the system and in own code.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessorSeconds {
    /// Of the process.
    pub own: (f64, f64),
    /// Of processes that it has started and that have ended.
    pub children: (f64, f64),
    /// Of its first thread.
    pub main: (f64, f64),
}

/// The processor time that has been taken so far.
pub fn processor_seconds() -> ProcessorSeconds {
    let id = std::process::id();
    ProcessorSeconds {
        own: usage(UsageWho::RUSAGE_SELF),
        children: usage(UsageWho::RUSAGE_CHILDREN),
        main: times_of_thread(&format!("/proc/self/task/{id}/stat")),
    }
}

fn usage(who: UsageWho) -> (f64, f64) {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(who).map_or((0.0, 0.0), |usage| {
        (seconds(usage.system_time()), seconds(usage.user_time()))
    })
}

/// The times in such a file. No thread can ask the system for those of another one.
fn times_of_thread(path: &str) -> (f64, f64) {
    let stat = fs::read_to_string(path).unwrap_or_default();
    // Behind the program's name, which stands in parentheses, times are the 12th and 13th field, in hundredths.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind.split_whitespace().skip(11);
    let mut seconds = fields.map(|field| field.parse::<f64>().unwrap_or(0.0) / 100.0);
    let user = seconds.next().unwrap_or(0.0);
    (seconds.next().unwrap_or(0.0), user)
}
