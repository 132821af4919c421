//! Connects to a primary. Gives up as soon as another one is set: an address that does not answer, such as that of a
//! machine that is gone, would else be waited for.

use crate::state::replication::link::{Address, Link};
use crate::util;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The time between two looks whether another primary has been set.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// Connects to the target of this number: to the first of its addresses that answers within this time.
///
/// # Errors
/// None does: the error of the last one. Or another primary has been set.
pub fn connect(
    link: &Link,
    number: u64,
    address: &Address,
    longest: Duration,
) -> io::Result<TcpStream> {
    util::connect::connect((&*address.host, address.port), |socket| {
        let until = Instant::now() + longest;
        while link.is_current(number) {
            if is_writable(socket)? {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
        Err(ErrorKind::Interrupted.into())
    })
}

/// Waits until the socket is connected, or has failed, for a [`LOOK_PERIOD`] at most.
fn is_writable(socket: &Socket) -> io::Result<bool> {
    let period = Timespec::try_from(LOOK_PERIOD).expect("it is short");
    let mut sockets = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut sockets, Some(&period)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    const LONGEST: Duration = Duration::from_secs(60);

    fn address(port: u16) -> Address {
        Address {
            host: "127.0.0.1".to_string(),
            port,
        }
    }

    #[test]
    fn a_server_is_reached_or_refuses() {
        let link = Link::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect(&link, 0, &address(port), LONGEST).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        drop(listener);
        let error = connect(&link, 0, &address(port), LONGEST).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    /// A listener whose queue is full does not answer.
    #[test]
    fn a_server_that_does_not_answer_is_given_up_for_another() {
        let link = Link::default();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let place = socket.local_addr().unwrap().as_socket().unwrap();
        let _first = TcpStream::connect(place).unwrap();
        let error = thread::scope(|scope| {
            let connecting = scope.spawn(|| connect(&link, 0, &address(place.port()), LONGEST));
            link.end();
            connecting.join().unwrap().unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
