//! Ctrl-C at the prompt: it ends what the prompt waits for, and not the program.
//!
//! The signal's handler writes a byte into a socket pair, so that `poll` waits for the server and for Ctrl-C at once.
//! Without an [`Interrupt`], Ctrl-C ends the program, as it does by default.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::SIGINT;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// The error with which waiting ends when the user has pressed Ctrl-C.
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

/// Ends the program as Ctrl-C would have done, had it not been caught.
pub fn end_program() -> ! {
    // It does not return, except on a system that has no such signal.
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    std::process::exit(128 + SIGINT)
}

/// Catches Ctrl-C from its creation to the end of the program.
pub struct Interrupt {
    raised: UnixStream,
}

impl Interrupt {
    /// Begins to catch Ctrl-C.
    pub fn catch() -> io::Result<Interrupt> {
        let (raised, handler) = UnixStream::pair()?;
        raised.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGINT, handler)?;
        Ok(Interrupt { raised })
    }

    /// Forgets a Ctrl-C that came while nothing waited.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.raised).read(&mut bytes).is_ok_and(|read| read > 0) {}
    }

    /// Waits for a time. The result is `false` if Ctrl-C ends it early.
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

    /// Waits until `stream` can be read or written, or has ended. The error is [`Interrupted`] if Ctrl-C comes first,
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
