//! Servers, ours and real ones, on free ports.

use super::{Client, Folder, PATIENCE, redis_tool, wait_until};
use my_redis_server::resp::decoder::Value;
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The password of servers that are started with one.
pub const PASSWORD: &str = "secret";

/// A running server, killed when it is dropped.
pub struct Server {
    pub port: u16,
    pub process: Child,
}

/// Our binary in a folder, with its output in the file `log`. The variable `SERVER_UNDER_TEST` names another program
/// that is tested instead: a test that a real redis-server does not pass asks for too much.
pub fn our_command(folder: &Folder, options: &[&str]) -> Command {
    let program = std::env::var_os("SERVER_UNDER_TEST");
    let mut command = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_my_redis_server").into()));
    let log = std::fs::File::create(folder.path().join("log")).expect("the log can be made");
    command
        .current_dir(folder.path())
        .args(options)
        .stdin(Stdio::null());
    command
        .stdout(log.try_clone().expect("a handle can be copied"))
        .stderr(log);
    command
}

impl Server {
    /// Our server in a folder.
    pub fn ours(folder: &Folder, options: &[&str]) -> Server {
        Server::start(|port| {
            let port = port.to_string();
            let options: Vec<&str> = ["--port", &port].iter().chain(options).copied().collect();
            our_command(folder, &options)
        })
    }

    /// A real redis-server in a folder.
    pub fn real(folder: &Folder, options: &[&str]) -> Server {
        Server::of_program(folder, options, || redis_tool("redis-server"))
    }

    /// A server of another program, which takes the options of Redis, in a folder.
    pub fn of_program(folder: &Folder, options: &[&str], program: impl Fn() -> Command) -> Server {
        Server::start(|port| {
            let mut command = program();
            command
                .args(["--port", &port.to_string(), "--save", ""])
                .args(options);
            command
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        })
    }

    /// Starts a server on a free port; between finding the port and using it another process may take it, so it is
    /// tried again.
    pub fn start(command: impl Fn(u16) -> Command) -> Server {
        for _ in 0..20 {
            let port = free_port();
            let process = command(port).spawn().expect("the server can be started");
            let mut server = Server { port, process };
            if server.becomes_ready() {
                return server;
            }
        }
        panic!("the server does not start");
    }

    fn becomes_ready(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self
                .process
                .try_wait()
                .expect("the process can be asked")
                .is_some()
            {
                return false;
            }
            if self.answers() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Whether it is this process that answers, and has loaded its dump. A test beside this one may have started a
    /// server on the same port a moment before; then ours is about to end.
    fn answers(&self) -> bool {
        let Ok(mut client) = Client::try_connect(self.port) else {
            return false;
        };
        let mut ask = |request: &[&str]| {
            client.try_send(request).ok()?;
            client.try_receive()
        };
        match ask(&["PING"]) {
            Some(Value::Simple(_)) => {}
            Some(Value::Error(error)) if error.starts_with(b"NOAUTH") => {
                ask(&["AUTH", PASSWORD]);
            }
            _ => return false,
        }
        let Some(Value::Bulk(text)) = ask(&["INFO", "server"]) else {
            return false;
        };
        let process = format!("process_id:{}", self.process.id());
        String::from_utf8_lossy(&text)
            .lines()
            .any(|line| line == process)
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Sends a signal by its name. After STOP, all threads stand still.
    pub fn signal(&self, name: &str) {
        send_signal(&self.process, name);
        if name == "STOP" {
            wait_until("the process stops", || {
                threads_stand_still(self.process.id())
            });
        }
    }

    /// Waits for the end of the process.
    pub fn wait(mut self) -> ExitStatus {
        wait_for_exit(&mut self.process)
    }
}

/// Whether all threads of a process are stopped, by what /proc tells of each behind its name (`man 5 proc`).
fn threads_stand_still(process: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let stat = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("stat")).ok()
    };
    // A thread that has ended meanwhile has no file any more.
    let mut stats = tasks.filter_map(stat);
    stats.all(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, state)| state.starts_with(" T"))
    })
}

/// The line with which our server says that it does not start.
pub fn refusal(folder: &Folder, options: &[&str]) -> String {
    let mut command = our_command(folder, options);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the server can be started");
    let status = wait_for_exit(&mut process);
    assert_eq!(status.code(), Some(1), "{options:?}");
    std::io::read_to_string(process.stderr.take().expect("it is piped")).expect("it is text")
}

/// Sends a process a signal by its name.
pub fn send_signal(process: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.id().to_string()])
        .status();
    assert!(sent.expect("kill can be run").success());
}

pub fn wait_for_exit(process: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("the process can be asked") {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free now, and that no other test of this process is given. It lies below the ports that the system
/// gives to clients (`ip_local_port_range` begins at 32768), so no connection of another test takes it either.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time have neighbouring numbers, and begin far from each other.
    let begin = std::process::id().wrapping_mul(997);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(given < PORTS, "there is no free port");
        let port = (FIRST + begin.wrapping_add(given) % PORTS) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
