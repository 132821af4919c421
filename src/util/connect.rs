//! Connects over TCP. The caller waits for the connection, so it can wait for other events at the same time, and give
//! up.
//!
//! To look up a name is a call of the system that cannot be given up. Its limit is that of the system's resolver.

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

/// Connects to the first address of a place that answers. `wait` is called once for each address that is tried: it
/// waits until the socket can be written to, which means that it is connected or has failed, and returns `true`. It
/// returns `false` to go on with the next address, and an error to end.
///
/// # Errors
/// That of `wait`, or that of the last address if none answers.
pub fn connect(
    place: impl ToSocketAddrs,
    mut wait: impl FnMut(&Socket) -> io::Result<bool>,
) -> io::Result<TcpStream> {
    let mut last_error = ErrorKind::AddrNotAvailable.into();
    for address in place.to_socket_addrs()? {
        let socket = match begin(address) {
            Ok(socket) => socket,
            Err(error) => {
                last_error = error;
                continue;
            }
        };
        let failure = match wait(&socket)? {
            true => socket.take_error()?,
            false => Some(ErrorKind::TimedOut.into()),
        };
        match failure {
            None => {
                socket.set_nonblocking(false)?;
                return Ok(socket.into());
            }
            Some(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// A socket that the system connects while this thread goes on.
fn begin(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        other => other?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::net::TcpListener;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn wait(socket: &Socket) -> io::Result<bool> {
        poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
        Ok(true)
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next() {
        let (closed, refusing) = listener();
        drop(closed);
        let (_listener, answering) = listener();
        let stream = connect(&[refusing, answering][..], wait).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), answering);
        let error = connect(refusing, wait).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn the_caller_gives_up_an_address_or_all() {
        let (_first, slow) = listener();
        let (_second, answering) = listener();
        let both = [slow, answering];
        let mut tries = 0;
        let stream = connect(&both[..], |socket| {
            tries += 1;
            Ok(tries > 1 && wait(socket)?)
        });
        assert_eq!(stream.unwrap().peer_addr().unwrap(), answering);
        let error = connect(slow, |_| Ok(false)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let mut tries = 0;
        let error = connect(&both[..], |_| {
            tries += 1;
            Err(ErrorKind::Interrupted.into())
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(tries, 1);
    }
}
