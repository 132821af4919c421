//! The counts of INFO: commands, look-ups, bytes, errors.
//!
//! # Thread safety
//! Any thread adds and reads. All clients' threads add to these figures again and again, so there are several copies
//! of them, each in cache lines of its own (against false sharing). A client always uses one copy; INFO adds them up.
//! The mutex of the errors is a leaf.

use crate::util::histogram::{Distribution, Histogram};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The number of copies. More copies than cores are of no use.
const STRIPES: usize = 16;

/// The counts of one command.
#[derive(Debug, Default)]
pub struct CommandCounts {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    /// The durations of calls; allocated by the first call that is measured.
    durations: OnceLock<Box<Histogram>>,
}

/// The sums for one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandSums {
    /// Calls that ran.
    pub calls: u64,
    /// Time they took, in microseconds.
    pub microseconds: u64,
    /// Calls refused before they ran: wrong arity, for example.
    pub rejected: u64,
    /// Calls that answered with an error.
    pub failed: u64,
}

/// The sums that do not belong to one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Look-ups of reading commands that found their key.
    pub hits: u64,
    /// Look-ups of reading commands that did not find their key.
    pub misses: u64,
    /// Reads from clients.
    pub reads: u64,
    /// Writes to clients.
    pub writes: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
}

#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    commands: Box<[CommandCounts]>,
    hits: AtomicU64,
    misses: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
}

/// Calls of one command, and the time that they took, that are not in the figures yet: the two atomic additions took
/// 5 % of the time of INCR (`perf record` of `cargo run --release --example locks -- hot`). Errors and the histogram of
/// durations are counted at once.
#[derive(Debug)]
pub struct PendingCalls<'a> {
    statistics: &'a Statistics,
    client: u64,
    command: usize,
    calls: u64,
    nanoseconds: u64,
}

/// No call is pending for longer than the next ones take this time.
const LONGEST_DELAY_NS: u64 = 1_000_000;

impl<'a> PendingCalls<'a> {
    /// None yet.
    pub fn new(statistics: &'a Statistics) -> PendingCalls<'a> {
        PendingCalls {
            statistics,
            client: 0,
            command: 0,
            calls: 0,
            nanoseconds: 0,
        }
    }

    /// Counts a call that ran, and if `tracks_latency` also how long it took. Calls of another client or command come
    /// into the figures before it.
    #[inline]
    pub fn add(&mut self, client: u64, command: usize, nanoseconds: u64, tracks_latency: bool) {
        if (self.client, self.command) != (client, command) {
            self.flush();
            (self.client, self.command) = (client, command);
        }
        self.calls += 1;
        self.nanoseconds += nanoseconds;
        if tracks_latency {
            let durations = &self.counts().durations;
            durations.get_or_init(Box::default).record(nanoseconds);
        }
        if self.nanoseconds >= LONGEST_DELAY_NS {
            self.flush();
        }
    }

    /// Adds the calls to the figures.
    pub fn flush(&mut self) {
        if self.calls > 0 {
            let counts = self.counts();
            counts.calls.fetch_add(self.calls, Relaxed);
            counts.nanoseconds.fetch_add(self.nanoseconds, Relaxed);
            (self.calls, self.nanoseconds) = (0, 0);
        }
    }

    fn counts(&self) -> &'a CommandCounts {
        &self.statistics.stripe(self.client).commands[self.command]
    }
}

impl Drop for PendingCalls<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// All figures.
#[derive(Debug)]
pub struct Statistics {
    stripes: Box<[Stripe]>,
    /// Error replies by their first word.
    errors: Mutex<BTreeMap<String, u64>>,
    /// Error replies of all codes, including those beyond `MOST_ERROR_CODES`.
    pub error_replies: AtomicU64,
    /// Dumps sent to clients.
    pub full_syncs: AtomicU64,
    /// Replicas that were sent what they lacked of the stream.
    pub partial_syncs: AtomicU64,
    /// Replicas that asked for that, and could not have it.
    pub refused_partial_syncs: AtomicU64,
    /// Clients disconnected because they left too much unread.
    pub output_limit_disconnections: AtomicU64,
    /// Clients disconnected because all together took too much memory.
    pub evicted_clients: AtomicU64,
    /// Processor time of the expirer, in milliseconds.
    pub expirer_cpu_ms: AtomicU64,
}

/// The longest error code, in bytes.
const LONGEST_ERROR_CODE: usize = 30;

/// The number of error codes with a count of their own. Without a limit, which Redis has too, a client that invents
/// codes could fill the memory.
const MOST_ERROR_CODES: usize = 128;

impl Statistics {
    /// Figures for this many commands, which are numbered from 0.
    pub fn new(commands: usize) -> Statistics {
        let stripe = || Stripe {
            commands: (0..commands).map(|_| CommandCounts::default()).collect(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
        };
        Statistics {
            stripes: (0..STRIPES).map(|_| stripe()).collect(),
            errors: Mutex::default(),
            error_replies: AtomicU64::new(0),
            full_syncs: AtomicU64::new(0),
            partial_syncs: AtomicU64::new(0),
            refused_partial_syncs: AtomicU64::new(0),
            output_limit_disconnections: AtomicU64::new(0),
            evicted_clients: AtomicU64::new(0),
            expirer_cpu_ms: AtomicU64::new(0),
        }
    }

    /// Counts a call that ran, and if `tracks_latency` also how long it took.
    pub fn count_call(&self, client: u64, command: usize, nanoseconds: u64, tracks_latency: bool) {
        let mut calls = PendingCalls::new(self);
        calls.add(client, command, nanoseconds, tracks_latency);
    }

    /// Counts the look-ups of a reading command.
    pub fn count_lookups(&self, client: u64, hits: u32, misses: u32) {
        let stripe = self.stripe(client);
        if hits > 0 {
            stripe.hits.fetch_add(hits as u64, Relaxed);
        }
        if misses > 0 {
            stripe.misses.fetch_add(misses as u64, Relaxed);
        }
    }

    /// Counts one read from a client.
    pub fn count_input(&self, client: u64, bytes: usize) {
        let stripe = self.stripe(client);
        stripe.reads.fetch_add(1, Relaxed);
        stripe.input_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts one write to a client.
    pub fn count_output(&self, client: u64, bytes: usize) {
        let stripe = self.stripe(client);
        stripe.writes.fetch_add(1, Relaxed);
        stripe.output_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts an error reply by its code, the first word of its text, and for its command if that is known.
    pub fn count_error(&self, client: u64, command: Option<usize>, has_run: bool, text: &[u8]) {
        if let Some(command) = command {
            let counts = &self.stripe(client).commands[command];
            if has_run {
                &counts.failed
            } else {
                &counts.rejected
            }
            .fetch_add(1, Relaxed);
        }
        self.error_replies.fetch_add(1, Relaxed);
        let code = String::from_utf8_lossy(code(text)).into_owned();
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < MOST_ERROR_CODES || errors.contains_key(&code) {
            *errors.entry(code).or_default() += 1;
        }
    }

    /// Counts a call that has failed with an error which is counted already.
    pub fn count_failed_call(&self, client: u64, command: usize) {
        let counts = &self.stripe(client).commands[command];
        counts.failed.fetch_add(1, Relaxed);
    }

    /// The sums for a command.
    pub fn command(&self, command: usize) -> CommandSums {
        let sum = |figure: fn(&CommandCounts) -> &AtomicU64| {
            self.stripes
                .iter()
                .map(|stripe| figure(&stripe.commands[command]).load(Relaxed))
                .sum::<u64>()
        };
        CommandSums {
            calls: sum(|counts| &counts.calls),
            microseconds: sum(|counts| &counts.nanoseconds) / 1000,
            rejected: sum(|counts| &counts.rejected),
            failed: sum(|counts| &counts.failed),
        }
    }

    /// The durations of a command's calls, if one was measured. They are measured in nanoseconds, in Redis in
    /// microseconds.
    pub fn latencies(&self, command: usize) -> Option<Distribution> {
        let counts = self.stripes.iter().map(|stripe| &stripe.commands[command]);
        let histograms = || counts.clone().filter_map(|counts| counts.durations.get());
        histograms().next()?;
        let distribution = Distribution::of(histograms().map(|histogram| &**histogram));
        Some(distribution).filter(|distribution| distribution.total() > 0)
    }

    /// The number of commands that have run.
    pub fn calls(&self) -> u64 {
        self.stripes
            .iter()
            .flat_map(|stripe| &stripe.commands)
            .map(|counts| counts.calls.load(Relaxed))
            .sum()
    }

    /// The sums that do not belong to one command.
    pub fn sums(&self) -> Sums {
        let sum = |figure: fn(&Stripe) -> &AtomicU64| {
            self.stripes
                .iter()
                .map(|stripe| figure(stripe).load(Relaxed))
                .sum::<u64>()
        };
        Sums {
            hits: sum(|stripe| &stripe.hits),
            misses: sum(|stripe| &stripe.misses),
            reads: sum(|stripe| &stripe.reads),
            writes: sum(|stripe| &stripe.writes),
            input_bytes: sum(|stripe| &stripe.input_bytes),
            output_bytes: sum(|stripe| &stripe.output_bytes),
        }
    }

    /// Error replies by their code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets all figures to zero: CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.error_replies.store(0, Relaxed);
        self.full_syncs.store(0, Relaxed);
        self.partial_syncs.store(0, Relaxed);
        self.refused_partial_syncs.store(0, Relaxed);
        self.output_limit_disconnections.store(0, Relaxed);
        self.evicted_clients.store(0, Relaxed);
        for stripe in &self.stripes {
            for counts in &stripe.commands {
                for figure in [
                    &counts.calls,
                    &counts.nanoseconds,
                    &counts.rejected,
                    &counts.failed,
                ] {
                    figure.store(0, Relaxed);
                }
                if let Some(durations) = counts.durations.get() {
                    durations.reset();
                }
            }
            for figure in [
                &stripe.hits,
                &stripe.misses,
                &stripe.reads,
                &stripe.writes,
                &stripe.input_bytes,
                &stripe.output_bytes,
            ] {
                figure.store(0, Relaxed);
            }
        }
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn stripe(&self, client: u64) -> &Stripe {
        &self.stripes[client as usize % STRIPES]
    }
}

/// The code of an error: its first word. As in Redis, a word that is too long for a code counts as `ERR`.
fn code(text: &[u8]) -> &[u8] {
    let first = &text[..text.len().min(LONGEST_ERROR_CODE + 1)];
    match first.iter().position(|byte| *byte == b' ') {
        Some(end) => &text[..end],
        None => b"ERR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_pending_until_others_come_or_they_took_long() {
        let statistics = Statistics::new(2);
        let counted = |command| {
            let sums = statistics.command(command);
            let measured = statistics.latencies(command);
            let measured = measured.map_or(0, |durations| durations.total());
            (sums.calls, sums.microseconds, measured)
        };
        let mut calls = PendingCalls::new(&statistics);
        calls.add(1, 0, 3_000, true);
        calls.add(1, 0, 4_000, true);
        assert_eq!(counted(0), (0, 0, 2));
        // Another client's.
        calls.add(2, 0, 1_000, true);
        assert_eq!(counted(0), (2, 7, 3));
        // Another command.
        calls.add(2, 1, 5_000, false);
        assert_eq!((counted(0), counted(1)), ((3, 8, 3), (0, 0, 0)));
        calls.add(2, 1, LONGEST_DELAY_NS, false);
        assert_eq!(counted(1), (2, 1_005, 0));
        calls.add(2, 1, 1_000, false);
        calls.flush();
        assert_eq!(counted(1), (3, 1_006, 0));
        calls.add(2, 1, 1_000, false);
        drop(calls);
        assert_eq!(counted(1), (4, 1_007, 0));
    }

    #[test]
    fn errors_are_counted_by_their_codes() {
        let statistics = Statistics::new(1);
        let long = [&[b'x'; LONGEST_ERROR_CODE][..], b" y"].concat();
        let too_long = [&[b'x'; LONGEST_ERROR_CODE + 1][..], b" y"].concat();
        for text in [
            &b"ERR x"[..],
            b"WRONGTYPE x y",
            b"ERR",
            &long,
            &too_long,
            b"",
        ] {
            statistics.count_error(0, None, true, text);
        }
        let counted = [("ERR", 4), ("WRONGTYPE", 1), (&"x".repeat(30), 1)];
        let counted = counted.map(|(code, count)| (code.to_string(), count));
        assert_eq!(statistics.errors(), BTreeMap::from(counted));
    }
}
