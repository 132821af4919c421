//! Signals that end a wait and not the program: Ctrl-C at the prompt and among messages, and all signals that would
//! leave half a file behind.
//!
//! The signal's handler writes a byte into a socket pair, so that `poll` waits for the server and for the signal at
//! once. Without an [`Interrupt`], the signal ends the program, as it does by default.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::ffi::c_int;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The signal that Ctrl-C sends.
pub const CTRL_C: &[c_int] = &[SIGINT];

/// The signals by which a user, a terminal that is closed, and a system that shuts down end programs.
pub const ENDINGS: &[c_int] = &[SIGINT, SIGTERM, SIGHUP];

/// The error with which waiting ends when a signal has come, such as that of Ctrl-C.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A flag that Ctrl-C raises, for work that looks at it from time to time. A second Ctrl-C ends the program.
pub fn flag() -> Arc<AtomicBool> {
    let raised = Arc::new(AtomicBool::new(false));
    // Of the two handlers, the first ends the program if the flag is raised already, and the second raises it. A system
    // that has no such signal needs neither.
    let _ = signal_hook::flag::register_conditional_default(SIGINT, raised.clone());
    let _ = signal_hook::flag::register(SIGINT, raised.clone());
    raised
}

/// Catches signals from its creation to the end of the program.
pub struct Interrupt {
    raised: UnixStream,
    /// The last signal that was caught.
    signal: Arc<AtomicUsize>,
    /// Whether a signal ends the program now, with status 1. `None` if it never does.
    ends_program: Option<Arc<AtomicBool>>,
}

impl Interrupt {
    /// Begins to catch signals. Those that the program was told to ignore, as by `nohup`, stay ignored.
    pub fn catch(signals: &[c_int]) -> io::Result<Interrupt> {
        Interrupt::catch_unless(None, signals)
    }

    /// Begins to catch Ctrl-C for the times that [`Interrupt::listen`] names. At other times, it ends the program with
    /// status 1, as it ends redis-cli where commands come from a pipe.
    pub fn catch_while_listening() -> io::Result<Interrupt> {
        Interrupt::catch_unless(Some(Arc::new(AtomicBool::new(true))), CTRL_C)
    }

    fn catch_unless(
        ends_program: Option<Arc<AtomicBool>>,
        signals: &[c_int],
    ) -> io::Result<Interrupt> {
        let (raised, handler) = UnixStream::pair()?;
        raised.set_nonblocking(true)?;
        let signal = Arc::new(AtomicUsize::new(0));
        let ignored = ignored_signals();
        for number in signals.iter().filter(|signal| !ignored.contains(signal)) {
            // Handlers run in this order, so the number is known when the byte arrives.
            if let Some(ends_program) = &ends_program {
                signal_hook::flag::register_conditional_shutdown(*number, 1, ends_program.clone())?;
            }
            signal_hook::flag::register_usize(*number, signal.clone(), *number as usize)?;
            signal_hook::low_level::pipe::register(*number, handler.try_clone()?)?;
        }
        Ok(Interrupt {
            raised,
            signal,
            ends_program,
        })
    }

    /// Says whether the client listens to messages, if signals are caught only then.
    pub fn listen(&self, listens: bool) {
        if let Some(ends_program) = &self.ends_program {
            ends_program.store(!listens, Ordering::SeqCst);
        }
    }

    /// Ends the program as the signal would have done, had it not been caught.
    pub fn end_program(&self) -> ! {
        let signal = self.signal.load(Ordering::SeqCst) as c_int;
        // It does not return, except on a system that has no such signal.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        std::process::exit(128 + signal)
    }

    /// Forgets signals that came while nothing waited.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.raised).read(&mut bytes).is_ok_and(|read| read > 0) {}
    }

    /// Waits for a time. The result is `false` if a signal ends it early.
    pub fn sleep(&self, duration: Duration) -> bool {
        let began = Instant::now();
        while let Some(left) = duration.checked_sub(began.elapsed()) {
            let mut fds = [PollFd::new(&self.raised, PollFlags::IN)];
            // A time too long for the system is as good as forever.
            let timeout = Timespec::try_from(left).ok();
            if poll(&mut fds, timeout.as_ref()).is_ok_and(|ready| ready > 0) {
                self.clear();
                return false;
            }
        }
        true
    }

    /// Waits until `stream` can be read or written, or has ended. The error is [`Interrupted`] if a signal comes first,
    /// and [`io::ErrorKind::WouldBlock`] if the time is up first.
    pub fn wait_for(
        &self,
        stream: &impl AsFd,
        purpose: PollFlags,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        // A time too long for the system is as good as forever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        loop {
            let mut fds = [
                PollFd::new(stream, purpose),
                PollFd::new(&self.raised, PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
                other => other?,
            };
            let [stream, raised] = fds.map(|fd| !fd.revents().is_empty());
            if raised {
                self.clear();
                return Err(io::Error::other(Interrupted));
            }
            if stream {
                return Ok(());
            }
        }
    }
}

/// The signals that the program was told to ignore when it was started. Only Linux says so; elsewhere the result is
/// empty.
fn ignored_signals() -> Vec<c_int> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0);
    // The lowest bit is signal 1.
    let is_ignored = |signal: &c_int| mask >> (signal - 1) & 1 == 1;
    (1..=64).filter(is_ignored).collect()
}
