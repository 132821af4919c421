//! How a thread takes the locks of several shards without making others wait while it waits itself.
//!
//! If a thread waited for a busy shard with other shards in hand, all commands on those would wait for it, among them
//! commands on many keys, with shards in hand themselves: soon every client would wait for one slow command. That is a
//! convoy. MSET, MGET, EXEC, FLUSHALL, SWAPDB, DBSIZE and the beginning of a snapshot would all make one.
//!
//! # Invariants
//!
//! 1. No thread waits for a shard with another in hand for longer than a [`MOMENT`]. The one exception is 3, and
//!    without it two shards whose slow commands overlap could never be had together.
//! 2. When the moment is over, the thread lets everything go and waits for the *late* shard alone, at the place in the
//!    queue that it has. With that shard in hand it begins anew.
//! 3. Slow commands might come so thick that some shard is always late. After [`ROUNDS_ALONE`] such rounds the thread
//!    keeps the shards that have been late, and waits for each as long as it takes, in ascending order. Then a command
//!    on a shard where slow commands come again and again waits for longer than a moment. Commands on all other shards
//!    never do.
//! 4. No thread keeps shards while it waits for a script that is busy, which may take for ever. Then it lets go of
//!    those that it keeps by 3, and gives up ([`Patience`]) or waits for that shard alone.
//!
//! Who may call it: [`Locks`](super::locks::Locks), from a thread that holds no shard's lock.
//!
//! # The states of a thread
//!
//! ```text
//!            for a while           a shard is late
//!    TRYING ----------> GATHERING ----------------> ALONE      holds nothing, and waits
//!    holds nothing      holds some   <-- has it --  for it as long as it takes
//!    between two        for a moment
//!    attempts, which       |  |
//!    take all or none      |  |  after 1 round                holds some of the late shards,
//!       |                  |  +-------------------> IN ORDER   and waits for the next of them
//!       v                  v         <-- has all --            as long as it takes
//!      has all shards: the end
//! ```
//!
//! # Why there is no deadlock
//!
//! A circle of threads that wait for each other would consist of waits without a deadline, because the others end. A
//! thread that waits without one holds nothing (ALONE), or late shards that lie below the one it waits for (IN ORDER).
//! Of the shards in the circle, regard the highest: its holder waits for none that is higher, so it does not belong to
//! the circle. That others stand before a thread in the queue changes nothing: they wait for the same shard.
//!
//! # Why every thread gets its locks
//!
//! For one shard the [queue](super::lock_queue) sees to it: after a moment no newcomer gets in before it. For several:
//! in every round after the first, each shard that is late joins those that are waited for to the end; they are at
//! most all. So the number of rounds is limited, and in each the thread waits for single shards, which it gets.

use super::lock_queue::MOMENT;
use super::lock_tries;
use super::shard_lock::{Busy, Guards, LockMode, Patience, ShardLock, Wait};
use super::space::Cell;
use smallvec::SmallVec;
use std::collections::{BTreeSet, btree_set};
use std::time::Instant;

/// How often a thread waits for one late shard after the other, before it keeps those that it has waited for. With more
/// such rounds, MSET of 800 keys beside two clients that repeat slow commands of 1 s waited for one of them in each
/// round, and did not come to an end in 7 s.
const ROUNDS_ALONE: usize = 1;

/// Locks on these shards, which ascend. The thread must not hold another one.
///
/// # Errors
/// Its patience is at an end.
#[inline]
pub(super) fn lock(
    cells: &[Cell],
    mode: LockMode,
    shards: impl Iterator<Item = usize> + Clone,
    patience: Patience,
) -> Result<Guards<'_>, Busy> {
    if let Some(guards) = lock_soon(cells, mode, shards.clone(), patience)? {
        return Ok(guards);
    }
    let wanted: SmallVec<[usize; 4]> = shards.collect();
    gather(cells, mode, &wanted, patience)
}

/// Locks on these shards if they can be had soon, all at once; the first state of a thread.
///
/// # Errors
/// Its patience is at an end.
#[inline]
pub(super) fn lock_soon(
    cells: &[Cell],
    mode: LockMode,
    shards: impl Iterator<Item = usize> + Clone,
    patience: Patience,
) -> Result<Option<Guards<'_>>, Busy> {
    let locks = || shards.clone().map(|shard| &cells[shard].shard);
    let attempt = |shard: usize| Some((shard, cells[shard].shard.try_lock(mode)?));
    let gives_up = || patience == Patience::UntilBusy && locks().any(ShardLock::is_busy);
    let guards = lock_tries::of_newcomer(
        || shards.clone().map(attempt).collect(),
        gives_up,
        || locks().all(ShardLock::is_worth_trying),
    );
    match guards {
        None if gives_up() => Err(Busy),
        guards => Ok(guards),
    }
}

#[cold]
fn gather<'a>(
    cells: &'a [Cell],
    mode: LockMode,
    wanted: &[usize],
    patience: Patience,
) -> Result<Guards<'a>, Busy> {
    let mut guards = Guards::new();
    let mut been_late = BTreeSet::new();
    for round in 0.. {
        let Some((late, wait)) = add(cells, mode, wanted, &mut guards, patience)? else {
            break;
        };
        been_late.insert(late);
        if round < ROUNDS_ALONE {
            guards.clear();
            guards.push((late, wait.finish(patience)?));
        } else {
            // The late shards below this one are in hand: each was waited for in a round before.
            guards.retain(|(shard, _)| *shard < late && been_late.contains(shard));
            let in_order = match wait.finish(Patience::UntilBusy) {
                Ok(guard) => {
                    guards.push((late, guard));
                    add_in_order(cells, mode, been_late.range(late + 1..), &mut guards)
                }
                Err(Busy) => Err(late),
            };
            if let Err(busy) = in_order {
                if patience == Patience::UntilBusy {
                    return Err(Busy);
                }
                guards.clear();
                guards.push((busy, cells[busy].shard.lock(mode)));
            }
        }
    }
    guards.sort_unstable_by_key(|(shard, _)| *shard);
    Ok(guards)
}

/// Adds late shards, which ascend from those among the guards, and waits for each of them.
///
/// # Errors
/// A busy script has this one.
fn add_in_order<'a>(
    cells: &'a [Cell],
    mode: LockMode,
    late: btree_set::Range<usize>,
    guards: &mut Guards<'a>,
) -> Result<(), usize> {
    for shard in late.copied() {
        let guard = cells[shard].shard.lock_with(mode, Patience::UntilBusy);
        guards.push((shard, guard.map_err(|Busy| shard)?));
    }
    Ok(())
}

/// Adds the wanted shards that are not among the guards, unless one is still held a moment after the first of all was
/// taken: then that is late, and is returned.
fn add<'a>(
    cells: &'a [Cell],
    mode: LockMode,
    wanted: &[usize],
    guards: &mut Guards<'a>,
    patience: Patience,
) -> Result<Option<(usize, Wait<'a>)>, Busy> {
    let in_hand: SmallVec<[usize; 4]> = guards.iter().map(|(shard, _)| *shard).collect();
    let mut deadline = (!in_hand.is_empty()).then(|| Instant::now() + MOMENT);
    for shard in wanted.iter().copied() {
        if in_hand.binary_search(&shard).is_ok() {
            continue;
        }
        let lock = &cells[shard].shard;
        let guard = match deadline {
            Some(deadline) => match lock.lock_until(mode, deadline) {
                Ok(guard) => guard,
                Err(wait) => return Ok(Some((shard, wait))),
            },
            // Nothing is in hand.
            None => lock.lock_with(mode, patience)?,
        };
        guards.push((shard, guard));
        deadline.get_or_insert_with(|| Instant::now() + MOMENT);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::keyspace::locks::Locks;
    use crate::keyspace::shard_lock::{LockMode, Patience};
    use crate::keyspace::space::{Key, SHARDS};
    use crate::keyspace::view::View;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// Held all the time; among the shards of [`TAKERS`], neither the first nor the last.
    const HELD: usize = 100;

    type Taker = (&'static str, fn(&Locks));

    /// What takes many locks.
    const TAKERS: [Taker; 5] = [
        ("200 keys changed", |keyspace| {
            drop(keyspace.write_shards(View::from(0), 0..200, Patience::Endless));
        }),
        ("200 keys read", |keyspace| {
            let names = names_of_shards(0..200);
            let names = names.iter().map(String::as_bytes);
            let keys: Vec<Key> = names.map(|name| Key::new(0, name)).collect();
            drop(keyspace.read(View::from(0), &keys).unwrap());
        }),
        ("all changed", |keyspace| {
            drop(keyspace.write_all(View::from(0)))
        }),
        ("all read", |keyspace| {
            drop(keyspace.read_all(View::from(0)).unwrap())
        }),
        ("snapshot", |keyspace| drop(keyspace.snapshot(|_, _| {}))),
    ];

    /// A key for each shard.
    fn names_of_shards(shards: std::ops::Range<usize>) -> Vec<String> {
        let in_shard = |shard| {
            (0..)
                .map(|number: usize| number.to_string())
                .find(|name| Key::new(0, name.as_bytes()).shard() == shard)
        };
        shards.filter_map(in_shard).collect()
    }

    fn yield_until(is_so: impl Fn() -> bool) {
        while !is_so() {
            thread::yield_now();
        }
    }

    /// While one shard is held for ever, a thread that wants it and many others lets all commands on the others pass.
    /// If it kept one of them, this test would not end.
    #[test]
    fn a_thread_that_waits_for_a_shard_keeps_no_other() {
        let keyspace = &Locks::new(1);
        for (name, take) in TAKERS {
            let held = keyspace.write_shard(View::from(0), HELD);
            thread::scope(|scope| {
                let takers: Vec<_> = (0..3).map(|_| scope.spawn(|| take(keyspace))).collect();
                yield_until(|| keyspace.cell(HELD).shard.waiting_threads() == takers.len());
                for shard in (0..SHARDS).cycle().take(5 * SHARDS) {
                    if shard != HELD {
                        drop(keyspace.write_shard(View::from(0), shard));
                        drop(super::lock(
                            keyspace.cells(),
                            LockMode::Shared,
                            shard..shard + 1,
                            Patience::Endless,
                        ));
                    }
                }
                let mut takers = takers.into_iter();
                assert!(takers.all(|taker| !taker.is_finished()), "{name}");
                drop(held);
            });
        }
    }

    /// Two shards, of which one is always held: a holder lets go only when the other shard has been taken anew, or
    /// after a time that is long beside a moment.
    #[test]
    fn slow_commands_that_overlap_do_not_keep_a_thread_waiting_for_ever() {
        const SLOW: Duration = Duration::from_millis(200);
        let keyspace = &Locks::new(1);
        let ends = &AtomicBool::new(false);
        let times_taken = &[AtomicUsize::new(0), AtomicUsize::new(0)];
        thread::scope(|scope| {
            for (own, shard) in [HELD, HELD + 1].into_iter().enumerate() {
                let (taken, other) = (&times_taken[own], &times_taken[1 - own]);
                scope.spawn(move || {
                    while !ends.load(SeqCst) {
                        let db = keyspace.write_shard(View::from(0), shard);
                        let seen = other.load(SeqCst);
                        taken.fetch_add(1, SeqCst);
                        let began = std::time::Instant::now();
                        yield_until(|| other.load(SeqCst) > seen || began.elapsed() > SLOW);
                        drop(db);
                    }
                });
            }
            yield_until(|| times_taken.iter().all(|times| times.load(SeqCst) > 0));
            drop(keyspace.write_shards(View::from(0), HELD..HELD + 2, Patience::Endless));
            drop(keyspace.write_all(View::from(0)));
            ends.store(true, SeqCst);
        });
    }

    /// Every kind of thread gets on while the others never pause.
    #[test]
    fn no_thread_starves() {
        const ROUNDS: usize = 20;
        let keyspace = &Locks::new(1);
        let ends = &AtomicBool::new(false);
        let single = |seed: u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            while !ends.load(SeqCst) {
                drop(keyspace.write_shard(View::from(0), random.usize(..SHARDS)));
            }
        };
        let repeat = |take: fn(&Locks)| {
            while !ends.load(SeqCst) {
                take(keyspace);
            }
        };
        // Some that want many among some that want one.
        thread::scope(|scope| {
            (0..8).for_each(|seed| drop(scope.spawn(move || single(seed))));
            for (_, take) in TAKERS {
                (0..ROUNDS).for_each(|_| take(keyspace));
            }
            ends.store(true, SeqCst);
        });
        // One that wants one among some that want many.
        ends.store(false, SeqCst);
        thread::scope(|scope| {
            for (_, take) in TAKERS {
                scope.spawn(move || repeat(take));
            }
            (0..ROUNDS * SHARDS)
                .for_each(|shard| drop(keyspace.write_shard(View::from(0), shard % SHARDS)));
            ends.store(true, SeqCst);
        });
    }

    /// Threads that want overlapping sets, in any order of waiting, exclude each other and come to an end.
    #[test]
    fn sets_are_taken_as_a_whole() {
        let keyspace = &Locks::new(1);
        let inside: &Vec<AtomicUsize> = &(0..SHARDS).map(|_| AtomicUsize::new(0)).collect();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for seed in 0..6 {
                let sender = sender.clone();
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..100 {
                        let shards = random.usize(..SHARDS / 2)..random.usize(SHARDS / 2..SHARDS);
                        let db =
                            keyspace.write_shards(View::from(0), shards.clone(), Patience::Endless);
                        let enter = |shard: usize| inside[shard].fetch_add(1, SeqCst) == 0;
                        let is_alone = shards.clone().all(enter);
                        thread::yield_now();
                        for shard in shards {
                            inside[shard].fetch_sub(1, SeqCst);
                        }
                        drop(db);
                        sender.send(is_alone).unwrap();
                    }
                });
            }
            drop(sender);
            assert!(receiver.iter().all(|is_alone| is_alone));
        });
    }
}
