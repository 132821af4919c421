//! A bell that wakes a thread which sleeps until its client sends something or hangs up.
//!
//! A thread that waits for another thread alone sleeps on a condition variable, one that waits for its client alone sleeps in
//! `read`. A client of BLPOP makes its thread wait for both, and nothing in the standard library does; so the bell is a pair
//! of sockets, and the thread sleeps in `poll` with one of them and with its client's.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What the other side's end of talking looks like; what it has sent does not wake the thread.
#[cfg(target_os = "linux")]
const HANGS_UP: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const HANGS_UP: PollFlags = PollFlags::empty();

/// The longest sleep at a time; who waits longer sleeps again.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A bell. Any thread may ring, one listens.
#[derive(Debug)]
pub struct Doorbell {
    button: UnixStream,
    bell: UnixStream,
}

/// What of the connection ends a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It is closed; what the client sends can wait.
    HangUp,
    /// There is something to read, if only that it is closed.
    Input,
}

/// Why a sleep has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody has rung since the last time.
    Rung,
    /// There is something to read.
    Input,
    /// The other side of the connection is gone.
    HungUp,
    /// The time is up.
    TimedOut,
}

impl Doorbell {
    /// A new bell.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn new() -> io::Result<Doorbell> {
        let (button, bell) = UnixStream::pair()?;
        button.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok(Doorbell { button, bell })
    }

    /// Wakes the thread, or lets its next sleep end at once.
    pub fn ring(&self) {
        // If the bell can take no more it will wake the thread anyway.
        let _ = (&self.button).write(&[0]);
    }

    /// Sleeps.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn wait(
        &self,
        connection: impl AsFd,
        until: Until,
        deadline: Option<Instant>,
    ) -> io::Result<Woken> {
        let (flags, woken) = match until {
            Until::HangUp => (HANGS_UP, Woken::HungUp),
            Until::Input => (PollFlags::IN, Woken::Input),
        };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let sleep = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            let sleep = Timespec {
                tv_sec: sleep.as_secs() as i64,
                tv_nsec: sleep.subsec_nanos().into(),
            };
            let mut sources = [
                PollFd::new(&self.bell, PollFlags::IN),
                PollFd::new(&connection, flags),
            ];
            match poll(&mut sources, Some(&sleep)) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if !sources[0].revents().is_empty() {
                self.silence();
                return Ok(Woken::Rung);
            }
            if !sources[1].revents().is_empty() {
                return Ok(woken);
            }
            if left.is_some_and(|left| left <= LONGEST_SLEEP) {
                return Ok(Woken::TimedOut);
            }
        }
    }

    fn silence(&self) {
        let mut rings = [0; 64];
        while (&self.bell)
            .read(&mut rings)
            .is_ok_and(|count| count == rings.len())
        {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn each_reason_ends_a_sleep() {
        let (client, connection) = UnixStream::pair().unwrap();
        let bell = Doorbell::new().unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(
            bell.wait(&connection, Until::HangUp, soon()).unwrap(),
            Woken::TimedOut
        );
        (0..1000).for_each(|_| bell.ring());
        assert_eq!(
            bell.wait(&connection, Until::HangUp, None).unwrap(),
            Woken::Rung
        );
        // Rung often, it is silent again; and what the client sends may be a reason to wake or none.
        (&client).write_all(b"PING").unwrap();
        assert_eq!(
            bell.wait(&connection, Until::Input, None).unwrap(),
            Woken::Input
        );
        assert_eq!(
            bell.wait(&connection, Until::HangUp, soon()).unwrap(),
            Woken::TimedOut
        );
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| bell.wait(&connection, Until::HangUp, None).unwrap());
            bell.ring();
            assert_eq!(sleeper.join().unwrap(), Woken::Rung);
            let sleeper = scope.spawn(|| bell.wait(&connection, Until::HangUp, None).unwrap());
            drop(client);
            assert_eq!(sleeper.join().unwrap(), Woken::HungUp);
        });
    }
}
