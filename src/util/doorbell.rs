//! A bell that wakes a thread which sleeps until its client sends something, reads something, or hangs up.
//!
//! A thread that waits only for another thread sleeps on a condition variable. A thread that waits only for its client
//! sleeps in `read`. The thread of a client in BLPOP waits for both, and nothing in the standard library does that. So
//! the bell is a file to which other threads write, and the thread sleeps in `poll` with that file and its client's
//! socket.
//!
//! # Invariants
//! 1. A ring is not lost: if no thread sleeps, the next sleep with this bell ends at once.
//! 2. Rings do not add up: a sleep that ends with [`Woken::Rung`] takes all rings so far.
//! 3. Ringing never blocks.
//!
//! # Thread safety
//! Any thread may ring. Only the owner of the bell sleeps with it. Rings have no content: the thread must look itself
//! at what has changed.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// POLLRDHUP: the peer has closed its writing half. POLLIN is left out, so that pipelined data does not wake the
/// thread.
#[cfg(target_os = "linux")]
const HANGS_UP: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const HANGS_UP: PollFlags = PollFlags::empty();

/// The longest time for one call of `poll`; a longer wait takes several calls.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A bell, which any thread may ring and one thread sleeps with.
#[derive(Debug)]
pub struct Doorbell(Bell);

/// The events of the connection that end a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The client closes its writing half. Data that it sends does not end the sleep.
    HangUp,
    /// There is data to read, or the end of the stream.
    Input,
    /// The connection is closed in both directions. A client that has closed only its writing half may still read.
    Broken,
}

/// Why a sleep has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Another thread has rung since the last time.
    Rung,
    /// There is something to read.
    Input,
    /// The socket takes more output.
    Room,
    /// The other side of the connection is gone.
    HungUp,
    /// The time is up.
    TimedOut,
}

/// The events that end a sleep.
#[derive(Clone, Copy, Debug)]
pub struct Wakeup<'a> {
    /// The bell, if other threads may wake this one.
    pub bell: Option<&'a Doorbell>,
    /// The events of the connection.
    pub until: Until,
    /// Whether room for output ends the sleep, too.
    pub for_room: bool,
    /// The time at which the sleep ends in any case.
    pub deadline: Option<Instant>,
}

impl Doorbell {
    /// A new bell.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn new() -> io::Result<Doorbell> {
        Bell::new().map(Doorbell)
    }

    /// Wakes the thread, or lets its next sleep end at once.
    pub fn ring(&self) {
        self.0.ring();
    }
}

impl Wakeup<'_> {
    /// Sleeps.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn wait(&self, connection: impl AsFd) -> io::Result<Woken> {
        let (mut flags, woken) = match self.until {
            Until::HangUp => (HANGS_UP, Woken::HungUp),
            Until::Input => (PollFlags::IN, Woken::Input),
            // `poll` always reports this.
            Until::Broken => (PollFlags::empty(), Woken::HungUp),
        };
        flags.set(PollFlags::OUT, self.for_room);
        loop {
            let left = self
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let sleep = left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
            let sleep = Timespec {
                tv_sec: sleep.as_secs() as i64,
                tv_nsec: sleep.subsec_nanos().into(),
            };
            let connection = PollFd::new(&connection, flags);
            let bell = self
                .bell
                .map(|bell| PollFd::from_borrowed_fd(bell.0.as_fd(), PollFlags::IN));
            let mut sources: SmallVec<[PollFd; 2]> = [connection].into_iter().chain(bell).collect();
            match poll(&mut sources, Some(&sleep)) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if let Some(bell) = self.bell
                && !sources[1].revents().is_empty()
            {
                bell.0.silence();
                return Ok(Woken::Rung);
            }
            match sources[0].revents() {
                PollFlags::OUT => return Ok(Woken::Room),
                happened if !happened.is_empty() => return Ok(woken),
                _ if left.is_some_and(|left| left <= LONGEST_SLEEP) => return Ok(Woken::TimedOut),
                _ => {}
            }
        }
    }
}

/// An `eventfd`: a counter in the kernel, which takes one file.
#[cfg(target_os = "linux")]
mod bell {
    use rustix::event::{EventfdFlags, eventfd};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    #[derive(Debug)]
    pub(super) struct Bell(OwnedFd);

    /// The number of files of one bell.
    pub const FILES: u64 = 1;

    impl Bell {
        pub(super) fn new() -> io::Result<Bell> {
            Ok(Bell(eventfd(
                0,
                EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC,
            )?))
        }

        pub(super) fn ring(&self) {
            // If the counter is full, the thread is woken anyway.
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        pub(super) fn silence(&self) {
            // Reading sets the counter to zero.
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

/// A pair of sockets, which takes two files.
#[cfg(not(target_os = "linux"))]
mod bell {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    #[derive(Debug)]
    pub(super) struct Bell {
        button: UnixStream,
        bell: UnixStream,
    }

    /// The number of files of one bell.
    pub const FILES: u64 = 2;

    impl Bell {
        pub(super) fn new() -> io::Result<Bell> {
            let (button, bell) = UnixStream::pair()?;
            button.set_nonblocking(true)?;
            bell.set_nonblocking(true)?;
            Ok(Bell { button, bell })
        }

        pub(super) fn ring(&self) {
            // If the socket is full, the thread is woken anyway.
            let _ = (&self.button).write(&[0]);
        }

        pub(super) fn silence(&self) {
            let mut rings = [0; 64];
            while (&self.bell)
                .read(&mut rings)
                .is_ok_and(|count| count == rings.len())
            {}
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.bell.as_fd()
        }
    }
}

use bell::Bell;
pub use bell::FILES;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    fn sleep(
        bell: &Doorbell,
        connection: &UnixStream,
        until: Until,
        deadline: Option<Instant>,
    ) -> Woken {
        let wakeup = Wakeup {
            bell: Some(bell),
            until,
            for_room: false,
            deadline,
        };
        wakeup.wait(connection).unwrap()
    }

    #[test]
    fn each_reason_ends_a_sleep() {
        let (client, connection) = UnixStream::pair().unwrap();
        let bell = Doorbell::new().unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(5));
        let sleep = |until, deadline| sleep(&bell, &connection, until, deadline);
        assert_eq!(sleep(Until::HangUp, soon()), Woken::TimedOut);
        (0..1000).for_each(|_| bell.ring());
        assert_eq!(sleep(Until::HangUp, None), Woken::Rung);
        // All rings were taken at once. Data from the client ends a sleep until `Input`, but not one until `HangUp`.
        (&client).write_all(b"PING").unwrap();
        assert_eq!(sleep(Until::Input, None), Woken::Input);
        assert_eq!(sleep(Until::HangUp, soon()), Woken::TimedOut);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| sleep(Until::HangUp, None));
            bell.ring();
            assert_eq!(sleeper.join().unwrap(), Woken::Rung);
            let sleeper = scope.spawn(|| sleep(Until::HangUp, None));
            drop(client);
            assert_eq!(sleeper.join().unwrap(), Woken::HungUp);
        });
    }

    #[test]
    fn room_for_output_ends_a_sleep_only_if_nothing_else_does() {
        let (client, connection) = UnixStream::pair().unwrap();
        connection.set_nonblocking(true).unwrap();
        let sleep = |deadline| {
            let wakeup = Wakeup {
                bell: None,
                until: Until::Input,
                for_room: true,
                deadline,
            };
            wakeup.wait(&connection).unwrap()
        };
        assert_eq!(sleep(None), Woken::Room);
        while (&connection).write(&[0; 4096]).is_ok() {}
        assert_eq!(sleep(Some(Instant::now())), Woken::TimedOut);
        (&client).write_all(b"PING").unwrap();
        assert_eq!(sleep(None), Woken::Input);
        (&connection).read_exact(&mut [0; 4]).unwrap();
        client.set_nonblocking(true).unwrap();
        while (&client).read(&mut [0; 4096]).is_ok() {}
        assert_eq!(sleep(None), Woken::Room);
        (&client).write_all(b"PING").unwrap();
        assert_eq!(sleep(None), Woken::Input, "with room and input");
    }
}
