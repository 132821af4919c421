//! The sockets on which the server listens, and the steps from `accept` until a worker serves the client.

use super::socket::Socket;
use super::workers::Workers;
use crate::command::execute::Engine;
use crate::state::Server;
use crate::state::clients::NewConnection;
use crate::util::clock;
use socket2::{Domain, Protocol, SockAddr, SockRef, TcpKeepalive, Type};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// The reply to a client from another machine in protected mode; Redis' text.
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password \
    is set for the default user. In this mode connections are only accepted from the loopback interface. If you want \
    to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable \
    protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to \
    Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet \
    if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
    protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then \
    restarting the server. 3) If you started the server manually just for testing, restart it with the \
    '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to \
    do one of the above things in order for the server to start accepting connections from the outside.\r\n";

/// A socket to listen on.
#[derive(Debug)]
pub enum Listener {
    /// An address and port.
    Tcp(TcpListener),
    /// A path in the file system (`unixsocket`).
    Unix(UnixListener, String),
}

/// A connection that a client has just made.
struct Arrival {
    socket: Arc<Socket>,
    connection: NewConnection,
}

/// Whether the changes of a new client would be lost. If the server does not stop after all, the client can connect
/// again. While the server waits for replicas or for a busy script, a client may come to end that.
fn is_about_to_end(server: &Server) -> bool {
    let shutdown = &server.shutdown;
    shutdown.is_under_way() && shutdown.waits_until_ms().is_none() && !server.scripts.busy.is_any()
}

impl Listener {
    /// Listens on the port of a host: a name, an address, or `*` or `::*` for all addresses.
    ///
    /// # Errors
    /// The server cannot listen on any address of the host.
    pub fn tcp(host: &str, port: u16, backlog: i32) -> io::Result<Listener> {
        let host = match host {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        };
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            match listen_on(address, backlog) {
                Ok(listener) => return Ok(Listener::Tcp(listener)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Listens on a path, and replaces the socket that an earlier server may have left there. `mode` are its
    /// permissions; with 0 the system chooses them.
    ///
    /// # Errors
    /// The socket cannot be created: the path is in use, is another kind of file, or lies in a missing folder.
    pub fn unix(path: &str, mode: u32, backlog: i32) -> io::Result<Listener> {
        remove_old_socket(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let permitted = match mode {
            0 => Ok(()),
            mode => fs::set_permissions(path, Permissions::from_mode(mode)),
        };
        match permitted.and_then(|()| socket.listen(backlog)) {
            Ok(()) => Ok(Listener::Unix(socket.into(), path.to_string())),
            Err(error) => fs::remove_file(path).and(Err(error)),
        }
    }

    /// Ends the wait of the thread that accepts connections. A path in the file system stays as it is.
    pub fn shut_down(&self) {
        if let Listener::Tcp(listener) = self {
            // If it fails, there is no such wait.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
    }

    /// The kind of the socket in the log: `tcp` or `unix`.
    pub fn kind(&self) -> &'static str {
        match self {
            Listener::Tcp(_) => "tcp",
            Listener::Unix(..) => "unix",
        }
    }

    /// Accepts connections until the socket is shut down, which `is_closed` says, or the process ends.
    pub fn run(&self, server: &Arc<Engine>, workers: &Arc<Workers>, is_closed: &AtomicBool) {
        loop {
            let accepted = self.accept(server);
            if is_closed.load(Relaxed) {
                return;
            }
            match accepted {
                Ok(_) if is_about_to_end(server) => {}
                Ok(Some(arrival)) => receive(server, workers, arrival),
                Ok(None) => {}
                Err(error) => {
                    // Usually too many files are open. Without a pause this loop would keep a processor busy.
                    let text = format_args!("Accepting client connection: {error}");
                    server.log.warning_of_clients(text);
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// Waits for a connection; `None` if the client has closed it already.
    fn accept(&self, server: &Server) -> io::Result<Option<Arrival>> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok(tcp_arrival(server, stream, address).ok())
            }
            Listener::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                Ok(Some(unix_arrival(server, stream, path)))
            }
        }
    }
}

/// Removes the socket of a server that has ended. The socket of a running server and a file of another kind stay.
fn remove_old_socket(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(io::Error::other("there is a file that is not a socket"))
        }
        Ok(_) => match connect_without_waiting(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            // A server has accepted the connection, or its backlog is full.
            Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

fn connect_without_waiting(path: &str) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn listen_on(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A server that is restarted need not wait until the connections of the previous process have timed out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn tcp_arrival(server: &Server, stream: TcpStream, address: SocketAddr) -> io::Result<Arrival> {
    stream.set_nodelay(true)?;
    let seconds = server.config.tcp_keepalive.get();
    if seconds > 0 {
        // As Redis does it: the first probe after the configured time, then three more, a third of it apart.
        let interval = Duration::from_secs((seconds as u64 / 3).max(1));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds as u64))
            .with_interval(interval);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(3))?;
    }
    let local_address = stream.local_addr()?.to_string();
    let socket = Arc::new(Socket::from(stream));
    let connection = NewConnection {
        address: address.to_string(),
        local_address,
        file_descriptor: socket.file_descriptor(),
        is_local: address.ip().to_canonical().is_loopback(),
        is_of_unix_socket: false,
        account: server.acl.default_account().clone(),
        link: socket.clone(),
    };
    Ok(Arrival { socket, connection })
}

/// A client of a path has no address of its own. As in Redis, the path with port 0 stands for it.
fn unix_arrival(server: &Server, stream: UnixStream, path: &str) -> Arrival {
    let socket = Arc::new(Socket::from(stream));
    let connection = NewConnection {
        address: format!("{path}:0"),
        local_address: format!("{path}:0"),
        file_descriptor: socket.file_descriptor(),
        is_local: true,
        is_of_unix_socket: true,
        account: server.acl.default_account().clone(),
        link: socket.clone(),
    };
    Arrival { socket, connection }
}

/// Hands a connection to a worker, or refuses it.
fn receive(server: &Arc<Engine>, workers: &Arc<Workers>, arrival: Arrival) {
    let Arrival { socket, connection } = arrival;
    let refuse = |text: &[u8]| {
        let _ = { &*socket }.write_all(text);
    };
    // A client that knows a password may come from another machine.
    let needs_no_password = server.acl.default_account().user().needs_no_password;
    let is_denied = server.config.protected_mode.get() && needs_no_password && !connection.is_local;
    if is_denied {
        server.clients.count_rejected();
        return refuse(DENIED);
    }
    let most = server.config.maxclients.get() as usize;
    let registration = server.clients.register(connection, most, clock::unix_ms());
    let too_many = b"-ERR max number of clients reached\r\n";
    let Some(registration) = registration else {
        return refuse(too_many);
    };
    if !workers.serve(server, &socket, registration) {
        let text = "The system has no thread for one more client";
        server.log.warning_of_clients(text);
        refuse(too_many);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_server_that_has_ended_is_free() {
        let path = std::env::temp_dir().join(format!("my_redis_listener_{}", std::process::id()));
        let path = path.to_str().expect("it is text");
        for mode in [0o700, 0o600] {
            let listener = Listener::unix(path, mode, 16).expect("the path is free again");
            let permissions = fs::metadata(path).expect("it is there").permissions();
            assert_eq!(permissions.mode() & 0o777, mode);
            UnixStream::connect(path).expect("it listens");
            let error = Listener::unix(path, mode, 16).expect_err("it is in use");
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
        }
        fs::remove_file(path).expect("it was there");
        fs::write(path, b"data").expect("a file can be written");
        Listener::unix(path, 0, 16).expect_err("it is no socket");
        assert_eq!(fs::read(path).expect("it is still there"), b"data");
        fs::remove_file(path).expect("it is still there");
    }
}
