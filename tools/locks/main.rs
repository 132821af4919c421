//! How long commands wait for the locks of shards, by the number of shards and of threads; and what it costs to take
//! all.
//!
//! ```sh
//! cargo run --release --example locks
//! cargo run --release --example locks -- convoys
//! cargo run --release --example locks -- hot
//! ```
//!
//! With `convoys` it shows how threads fare beside one that wants many shards (`convoys.rs`), with `hot` how they fare
//! that all want the same one (`hot.rs`).
//!
//! Without an argument it measures the keyspace with nothing around it: no sockets, no protocol, so that threads meet
//! at the locks far more often than clients can. Each thread changes a random key of a million, again and again, with
//! the shard of the key locked as a command would; the first table has the changes of all threads per second, the
//! second what part of their time the threads waited for locks, the third how long it takes to lock all shards for an
//! instant, as FLUSHALL and the beginning of a save do, while no other client does anything.

mod convoys;
mod hot;

use my_redis_server::types::dict;
use my_redis_server::types::hash::Hash;
use my_redis_server::types::limits::CompactLimits;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

const SHARDS: [usize; 6] = [1, 4, 16, 64, 256, 512];
const THREADS: [usize; 5] = [1, 2, 4, 16, 64];
const KEYS: u64 = 1_000_000;
const WATCH: Duration = Duration::from_millis(500);

/// Always a table.
const LIMITS: CompactLimits = CompactLimits {
    entries: 0,
    value_bytes: 0,
};

#[repr(align(128))]
#[derive(Default)]
struct Cell(RwLock<Hash>);

impl Cell {
    fn lock(&self) -> RwLockWriteGuard<'_, Hash> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock; returns also how long that took, 0 if it was free.
    fn lock_watched(&self) -> (RwLockWriteGuard<'_, Hash>, Duration) {
        if let Ok(guard) = self.0.try_write() {
            return (guard, Duration::ZERO);
        }
        let began = Instant::now();
        let guard = self.lock();
        (guard, began.elapsed())
    }
}

struct Figures {
    changes_per_s: f64,
    waited: f64,
    lock_all_us: f64,
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("convoys") => return convoys::show(),
        Some("hot") => return hot::show(),
        _ => {}
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {KEYS} keys\n");
    let measured = SHARDS.map(|shards| {
        let cells = filled(shards);
        THREADS.map(|threads| measure(&cells, threads))
    });
    table("changes per second, thousands", &measured, |figures| {
        format!("{:.0}", figures.changes_per_s / 1e3)
    });
    table("part of the time that was waited", &measured, |figures| {
        format!("{:.1} %", figures.waited * 100.0)
    });
    println!("microseconds to lock all shards");
    for (shards, row) in SHARDS.iter().zip(&measured) {
        println!("{shards:>12}{:>12.2}", row[0].lock_all_us);
    }
}

fn filled(shards: usize) -> Vec<Cell> {
    let cells: Vec<Cell> = (0..shards).map(|_| Cell::default()).collect();
    (0..KEYS).for_each(|number| change(&mut cell_of(&cells, number).lock(), number, 0));
    cells
}

fn cell_of(cells: &[Cell], number: u64) -> &Cell {
    &cells[(dict::hash(&number.to_le_bytes()) >> 48) as usize % cells.len()]
}

fn change(hash: &mut Hash, number: u64, value: u64) {
    hash.insert(&number.to_le_bytes(), &value.to_le_bytes(), LIMITS);
}

fn measure(cells: &[Cell], threads: usize) -> Figures {
    let ends = AtomicBool::new(false);
    let (changes, waited_ns) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut waited = Duration::ZERO;
                let mut count = 0;
                while !ends.load(Relaxed) {
                    let number = fastrand::u64(..KEYS);
                    let (mut hash, time) = cell_of(cells, number).lock_watched();
                    change(&mut hash, number, count);
                    waited += time;
                    count += 1;
                }
                changes.fetch_add(count, Relaxed);
                waited_ns.fetch_add(waited.as_nanos() as u64, Relaxed);
            });
        }
        thread::sleep(WATCH);
        ends.store(true, Relaxed);
    });
    let seconds = began.elapsed().as_secs_f64();
    Figures {
        changes_per_s: changes.into_inner() as f64 / seconds,
        waited: waited_ns.into_inner() as f64 / 1e9 / seconds / threads as f64,
        lock_all_us: lock_all_us(cells),
    }
}

fn lock_all_us(cells: &[Cell]) -> f64 {
    const TIMES: u32 = 1000;
    let began = Instant::now();
    for _ in 0..TIMES {
        drop(cells.iter().map(Cell::lock).collect::<Vec<_>>());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}

fn table(title: &str, rows: &[[Figures; 5]], text: impl Fn(&Figures) -> String) {
    println!("{title}\n{:>12}{}", "shards", head());
    for (shards, row) in SHARDS.iter().zip(rows) {
        let cells: String = row
            .iter()
            .map(|figures| format!("{:>12}", text(figures)))
            .collect();
        println!("{shards:>12}{cells}");
    }
    println!();
}

fn head() -> String {
    let cell = |threads: &usize| format!("{:>12}", format!("{threads} threads"));
    THREADS.iter().map(cell).collect()
}
