//! A bell that wakes a thread which sleeps until its client sends something, takes something, or hangs up.
//!
//! A thread that waits for another thread alone sleeps on a condition variable, one that waits for its client alone
//! sleeps in `read`. A client of BLPOP makes its thread wait for both, and nothing in the standard library does; so the
//! bell is a file that other threads write to, and the thread sleeps in `poll` with that file and its client's socket.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The other side has closed its sending half; what it has sent before does not wake the thread.
#[cfg(target_os = "linux")]
const HANGS_UP: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const HANGS_UP: PollFlags = PollFlags::empty();

/// The longest sleep at a time; a longer wait is several sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A bell. Any thread may ring, one listens.
#[derive(Debug)]
pub struct Doorbell(Bell);

/// What of the connection ends a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It is closed; what the client sends can wait.
    HangUp,
    /// There is something to read, if only that it is closed.
    Input,
    /// It is closed in both directions: the client may have ended its sending half, and still read.
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

/// What wakes a thread that sleeps.
#[derive(Clone, Copy, Debug)]
pub struct Wakeup<'a> {
    /// Wakes it, if other threads may.
    pub bell: Option<&'a Doorbell>,
    /// What of the connection wakes it.
    pub until: Until,
    /// Whether room for output wakes it too.
    pub for_room: bool,
    /// When it wakes in any case.
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
            // That is always told.
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

/// A counter in the system: one file.
#[cfg(target_os = "linux")]
mod bell {
    use rustix::event::{EventfdFlags, eventfd};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    #[derive(Debug)]
    pub(super) struct Bell(OwnedFd);

    /// Files that a bell takes.
    pub const FILES: u64 = 1;

    impl Bell {
        pub(super) fn new() -> io::Result<Bell> {
            Ok(Bell(eventfd(
                0,
                EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC,
            )?))
        }

        pub(super) fn ring(&self) {
            // A counter that is full wakes the thread as well.
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

/// A pair of sockets.
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

    /// Files that a bell takes.
    pub const FILES: u64 = 2;

    impl Bell {
        pub(super) fn new() -> io::Result<Bell> {
            let (button, bell) = UnixStream::pair()?;
            button.set_nonblocking(true)?;
            bell.set_nonblocking(true)?;
            Ok(Bell { button, bell })
        }

        pub(super) fn ring(&self) {
            // A socket that is full wakes the thread as well.
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
        // Rung often, it is silent again; and what the client sends may be a reason to wake or none.
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
