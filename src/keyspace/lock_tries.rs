//! How long a thread goes on trying a lock before it sleeps. To sleep and to be woken takes longer than most commands
//! hold their locks.
//!
//! With many processors, the holder of the lock runs on one of them, and is soon done: the thread spins. With few, the
//! holder may be waiting for a processor, perhaps for this one: the thread offers it (yield).

use std::hint;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// Few processors: clients and server share them, and threads wait for each other more often than for a lock.
const FEW: usize = 2;
/// Offers of the processor by a thread that has just come. Clients that push to one list are served a third faster than
/// without any; with 16, one in a hundred of the clients that count with one key waits twice as long (2 processors,
/// `redis-benchmark -c 50 -P 16 lpush l x`, `redis-benchmark -c 64 -P 100 incr n`).
const YIELDS: usize = 4;
/// The longest time that a thread spins: in the order of what it costs to sleep and to be woken.
const SPIN: Duration = Duration::from_micros(10);
/// Tries between two looks at the clock.
const TRIES: usize = 8;

/// Whether threads spin.
static SPINS: LazyLock<bool> = LazyLock::new(|| {
    let processors = thread::available_parallelism();
    processors.is_ok_and(|processors| processors.get() > FEW)
});

/// Tries for as long as a thread should that has just come, until it `gives_up`, and only once if it would spin and it
/// is not `worth_spinning`.
pub(super) fn of_newcomer<T>(
    attempt: impl Fn() -> Option<T>,
    gives_up: impl Fn() -> bool,
    worth_spinning: impl Fn() -> bool,
) -> Option<T> {
    if *SPINS {
        return spin(attempt, || !gives_up() && worth_spinning());
    }
    let mut offers = 0..YIELDS;
    yielding(attempt, || !gives_up() && offers.next().is_some())
}

/// Tries while it may `go_on`, until it pays to sleep.
pub(super) fn until_sleep_pays<T>(
    attempt: impl Fn() -> Option<T>,
    go_on: impl Fn() -> bool,
) -> Option<T> {
    match *SPINS {
        true => spin(attempt, go_on),
        false => attempt(),
    }
}

/// Tries while it may `go_on`, and lets other threads run between.
pub(super) fn yielding<T>(
    attempt: impl Fn() -> Option<T>,
    mut go_on: impl FnMut() -> bool,
) -> Option<T> {
    loop {
        let got = attempt();
        if got.is_some() || !go_on() {
            return got;
        }
        thread::yield_now();
    }
}

fn spin<T>(attempt: impl Fn() -> Option<T>, go_on: impl Fn() -> bool) -> Option<T> {
    let began = Instant::now();
    loop {
        for _ in 0..TRIES {
            let got = attempt();
            if got.is_some() || !go_on() {
                return got;
            }
            hint::spin_loop();
        }
        if began.elapsed() >= SPIN {
            return None;
        }
    }
}
