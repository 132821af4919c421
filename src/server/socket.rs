//! A client's socket, of TCP or in the file system.
//!
//! Its own thread reads, and waits to write only at the end of a connection or while it sends a dump. Other threads may
//! close it, and send while its own thread sleeps ([`outbox`](crate::state::outbox)).

use crate::state::clients::Link;
use crate::util::doorbell::{Until, Wakeup, Woken};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Slices that the system takes at a time (IOV_MAX).
const MOST_SLICES: usize = 1024;

/// A socket that is connected to a client.
#[derive(Debug)]
pub struct Socket(socket2::Socket);

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket(stream.into())
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Socket {
        Socket(stream.into())
    }
}

impl Socket {
    /// The number of its file.
    pub fn file_descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits for what comes.
impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

/// Waits until everything is taken.
impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes without waiting: what the socket does not take is [`io::ErrorKind::WouldBlock`].
pub struct WithoutWaiting<'a>(pub &'a Socket);

const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

impl Write for WithoutWaiting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, FLAGS)?)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices = &slices[..slices.len().min(MOST_SLICES)];
        Ok(sendmsg(
            self.0,
            slices,
            &mut SendAncillaryBuffer::default(),
            FLAGS,
        )?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes, and waits until everything is taken; gives up if nothing is taken for so long.
pub struct WithPatience<'a> {
    /// Where to write.
    pub socket: &'a Socket,
    /// How long the client may take nothing.
    pub patience: Duration,
}

impl Write for WithPatience<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match WithoutWaiting(self.socket).write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            let wakeup = Wakeup {
                bell: None,
                until: Until::Broken,
                for_room: true,
                deadline: Instant::now().checked_add(self.patience),
            };
            if wakeup.wait(self.socket)? == Woken::TimedOut {
                let seconds = self.patience.as_secs();
                let text = format!("the client has taken nothing for {seconds} seconds");
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Link for Socket {
    fn close(&self) {
        // It may have been closed by the other side.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(self, bytes, FLAGS) {
            Ok(sent) => Ok(sent),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
