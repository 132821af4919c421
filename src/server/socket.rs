//! A client's socket: TCP, or a path in the file system.
//!
//! The client's own thread reads. It waits for room to write only at the end of a connection or while it sends a dump.
//! Other threads may close the socket, and write to it while the client's own thread sleeps
//! ([`outbox`](crate::state::outbox)).

use crate::state::clients::Link;
use crate::util::doorbell::{Until, Wakeup, Woken};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Slices that the system takes in one call (IOV_MAX).
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
    /// Has the system wait for more before it sends a small packet (Nagle's algorithm). A socket that is no TCP socket
    /// has no packets.
    pub fn gather_packets(&self) {
        let _ = self.0.set_tcp_nodelay(false);
    }

    /// The file descriptor, for CLIENT LIST.
    pub fn file_descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks until something has arrived.
impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

/// Blocks until the system has taken the bytes.
impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes without waiting; fails with [`io::ErrorKind::WouldBlock`] if the socket takes nothing.
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

/// Writes, and waits for room; fails if there is none for the time `patience`.
pub struct WithPatience<'a> {
    /// Where to write.
    pub socket: &'a Socket,
    /// The longest time for which the client may read nothing.
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
        // The other side may have closed it already.
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
