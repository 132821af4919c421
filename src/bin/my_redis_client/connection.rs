//! A connection to the server: requests go out, replies come in, one thread waits for both.
//!
//! Pushes of RESP3 arrive between replies: [`Connection::message`] returns both, and its caller tells them apart. A
//! client in RESP2 that has subscribed gets messages as replies.

use crate::address::Address;
use crate::interrupt::{Interrupt, Interrupted};
use crate::timing::Moments;
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::reply_reader::{ReadError, ReplyReader};
use my_redis_server::resp::request_writer;
use my_redis_server::util::connect::connect;
use my_redis_server::util::system_message;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use socket2::{Domain, SockAddr, SockRef, TcpKeepalive, Type};
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a connection is silent before the system asks whether the server is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The deepest nesting of a reply. A script can nest a reply as deep as Lua's stack, which ends below 8,000 levels.
/// [`STACK_BYTES`](crate::STACK_BYTES) is chosen for this. redis-cli has no limit, and crashes somewhere above 40,000.
const MAX_DEPTH: usize = 10_000;

/// Why there is no reply. The connection is of no use any more.
#[derive(Debug)]
pub enum Failure {
    /// The system cannot read or write.
    Broken(String),
    /// What the server has sent is no reply.
    NoReply(String),
    /// The server has closed the connection.
    Closed,
    /// A signal that the interrupt catches, such as that of Ctrl-C.
    Interrupted,
    /// Nothing has come for a time.
    TimedOut,
    /// The user has been told why.
    Told,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Broken(reason) | Failure::NoReply(reason) => f.write_str(reason),
            Failure::Closed => f.write_str("Server closed the connection"),
            Failure::Interrupted => f.write_str("Interrupted"),
            Failure::TimedOut => f.write_str("Resource temporarily unavailable"),
            Failure::Told => Ok(()),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        match error {
            ReadError::Closed => Failure::Closed,
            ReadError::Io(error) => error.into(),
            ReadError::Protocol(error) => Failure::NoReply(error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let is_interrupted = error
            .get_ref()
            .is_some_and(|inner| inner.is::<Interrupted>());
        match error.kind() {
            _ if is_interrupted => Failure::Interrupted,
            io::ErrorKind::WouldBlock => Failure::TimedOut,
            _ => Failure::Broken(system_message(&error)),
        }
    }
}

/// A socket to the server.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket whose reading and writing end when the user interrupts them, and which notes when a reply begins to come.
struct Stream {
    socket: Socket,
    interrupt: Option<Arc<Interrupt>>,
    /// How long to wait for bytes; for ever if there is none.
    read_timeout: Option<Duration>,
    moments: Moments,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if let Some(interrupt) = &self.interrupt {
            interrupt.wait_for(&self.socket, PollFlags::IN, self.read_timeout)?;
        }
        let read = match &mut self.socket {
            Socket::Tcp(socket) => socket.read(output),
            Socket::Unix(socket) => socket.read(output),
        };
        self.moments.first_byte.get_or_insert_with(Instant::now);
        read
    }
}

impl Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(interrupt) = &self.interrupt else {
            return self.socket.write(bytes);
        };
        // A write that blocks does not hear Ctrl-C while a server that has stopped reads nothing.
        loop {
            interrupt.wait_for(&self.socket, PollFlags::OUT, None)?;
            match send(
                &self.socket,
                bytes,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection to the server.
pub struct Connection {
    replies: ReplyReader<Stream>,
}

impl Connection {
    /// Connects. With an interrupt, Ctrl-C ends each wait on this connection; without, it ends the program. What Ctrl-C
    /// cannot end is the system's look-up of a host's name. The error is a text of the system.
    pub fn open(
        address: &Address,
        interrupt: Option<Arc<Interrupt>>,
    ) -> Result<Connection, String> {
        let began = Instant::now();
        let socket = match address {
            Address::Tcp { host, port } => {
                let interrupt = interrupt.as_deref();
                connect_tcp((host.as_str(), *port), interrupt).map(Socket::Tcp)
            }
            Address::Unix(path) => connect_unix(path, interrupt.as_deref()).map(Socket::Unix),
        };
        let socket = socket.map_err(|error| {
            let text = system_message(&error);
            let lookup = text.strip_prefix("failed to lookup address information: ");
            lookup.unwrap_or(&text).to_string()
        })?;
        if let Socket::Tcp(socket) = &socket {
            // Neither is needed for correctness, so a system that refuses them is no obstacle.
            let _ = socket.set_nodelay(true);
            let keepalive = TcpKeepalive::new()
                .with_time(KEEPALIVE_INTERVAL)
                .with_interval(KEEPALIVE_INTERVAL / 3)
                .with_retries(3);
            let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
        }
        let stream = Stream {
            socket,
            interrupt,
            read_timeout: None,
            moments: Moments {
                connect: began.elapsed(),
                ..Moments::default()
            },
        };
        Ok(Connection {
            replies: ReplyReader::new(stream, MAX_DEPTH),
        })
    }

    /// Begins or ends to keep the bytes of replies, for [`Connection::take_received`].
    pub fn trace(&mut self, keep: bool) {
        self.replies.keep_bytes(keep);
    }

    /// From now on, the signals that the interrupt catches end each wait on this connection, and not the program.
    pub fn heed(&mut self, interrupt: Arc<Interrupt>) {
        self.replies.stream().interrupt = Some(interrupt);
    }

    /// The bytes of the replies that were received since the last call.
    pub fn take_received(&mut self) -> Vec<u8> {
        self.replies.take_kept_bytes()
    }

    /// The moments of the last exchange. The first call alone tells how long connecting took.
    pub fn take_moments(&mut self) -> Moments {
        std::mem::take(&mut self.replies.stream().moments)
    }

    /// The sending half, while this reads.
    pub fn sender(&mut self) -> io::Result<Sender> {
        let socket = match &self.replies.stream().socket {
            Socket::Tcp(socket) => Socket::Tcp(socket.try_clone()?),
            Socket::Unix(socket) => Socket::Unix(socket.try_clone()?),
        };
        Ok(Sender(socket))
    }

    /// From now on, reading ends with [`Failure::TimedOut`] if nothing comes for a time, and can go on then.
    pub fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        let stream = self.replies.stream();
        stream.read_timeout = Some(timeout);
        match &stream.socket {
            Socket::Tcp(socket) => socket.set_read_timeout(Some(timeout)),
            Socket::Unix(socket) => socket.set_read_timeout(Some(timeout)),
        }
    }

    /// Sends a request.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<(), Failure> {
        let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
        let mut request = Vec::new();
        request_writer::write_command(&mut request, &arguments)?;
        self.send_bytes(&request)
    }

    /// Sends requests in one packet, if they fit into it.
    pub fn send_all(&mut self, requests: &[Vec<Vec<u8>>]) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for request in requests {
            let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            request_writer::write_command(&mut bytes, &words)?;
        }
        self.send_bytes(&bytes)
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let stream = self.replies.stream();
        let began = Instant::now();
        stream.write_all(bytes)?;
        stream.moments.sent = Some((began, Instant::now()));
        stream.moments.first_byte = None;
        stream.moments.whole = None;
        Ok(())
    }

    /// Waits for a reply or a push.
    pub fn message(&mut self) -> Result<Value, Failure> {
        let message = self.replies.reply();
        // Noted here, because what the caller does with the reply takes time too: it prints it.
        self.replies.stream().moments.whole = Some(Instant::now());
        Ok(message?)
    }

    /// Sends a question of the client's own and waits for the reply. Pushes that come before it are dropped.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, Failure> {
        self.send(arguments)?;
        loop {
            match self.message()? {
                Value::Push(_) => {}
                reply => return Ok(reply),
            }
        }
    }
}

/// Connects to the first address of the host that answers. Ctrl-C ends the wait, if there is an interrupt.
fn connect_tcp(place: (&str, u16), interrupt: Option<&Interrupt>) -> io::Result<TcpStream> {
    match interrupt {
        None => TcpStream::connect(place),
        Some(interrupt) => connect(place, |socket| {
            interrupt.wait_for(socket, PollFlags::OUT, None)?;
            Ok(true)
        }),
    }
}

/// The pause between two tries to enter a full queue of connections.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);

/// Connects to a Unix socket. Ctrl-C ends the wait, if there is an interrupt.
fn connect_unix(path: &Path, interrupt: Option<&Interrupt>) -> io::Result<UnixStream> {
    let Some(interrupt) = interrupt else {
        return UnixStream::connect(path);
    };
    loop {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&SockAddr::unix(path)?) {
            // The queue is full. Unlike a connection over TCP, the system does not go on with it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !interrupt.sleep(QUEUE_PAUSE) {
                    return Err(io::Error::other(Interrupted));
                }
            }
            connected => {
                connected?;
                socket.set_nonblocking(false)?;
                return Ok(socket.into());
            }
        }
    }
}

/// Bytes as they are, without the protocol: a snapshot.
impl Read for Connection {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        self.replies.read(output)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.replies.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.replies.consume(length);
    }
}

/// The sending half of a connection, for a thread of its own.
pub struct Sender(Socket);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::consts::SIGINT;
    use std::net::TcpListener;
    use std::thread;

    /// A server that reads nothing: the request is larger than what the buffers of sockets hold.
    #[test]
    fn ctrl_c_ends_a_write() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = Address::Tcp {
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
        };
        let interrupt = Arc::new(Interrupt::catch(&[SIGINT]).unwrap());
        let mut connection = Connection::open(&address, Some(interrupt)).unwrap();
        let writer = thread::spawn(move || connection.send_bytes(&vec![b'x'; 64 << 20]));
        while !writer.is_finished() {
            signal_hook::low_level::raise(SIGINT).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        assert!(matches!(writer.join().unwrap(), Err(Failure::Interrupted)));
    }
}
