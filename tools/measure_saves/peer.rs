//! A server to be measured: started in a folder of its own, asked, and stopped.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How to start a server, but for its port.
pub struct Program {
    path: PathBuf,
    dump: &'static str,
}

/// redis-server as the system has it.
pub fn redis() -> Program {
    Program {
        path: PathBuf::from("redis-server"),
        dump: "dump.rdb",
    }
}

/// Our server, built beside this program unless a path is given.
pub fn ours(path: Option<String>) -> Result<Program, Box<dyn Error>> {
    let beside = env::current_exe()?
        .with_file_name("")
        .join("../my_redis_server");
    let path = fs::canonicalize(path.map_or(beside, PathBuf::from)).map_err(|error| {
        format!("our server is not there, build it first (cargo build --release): {error}")
    })?;
    Ok(Program {
        path,
        dump: "dump.my_rdb",
    })
}

/// A running server. Dropped, it is killed and its folder removed.
pub struct Peer {
    command: Command,
    process: Child,
    folder: PathBuf,
    dump: &'static str,
    pub port: u16,
}

impl Peer {
    pub fn start(program: &Program) -> Result<Peer, Box<dyn Error>> {
        let folder = env::temp_dir().join(format!("measure_saves_{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(&program.path);
        command.args(["--port", &port.to_string(), "--save", ""]);
        command.current_dir(&folder).stdin(Stdio::null());
        command
            .stdout(fs::File::create(folder.join("log"))?)
            .stderr(Stdio::inherit());
        let process = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.path.display()))?;
        let peer = Peer {
            command,
            process,
            folder,
            dump: program.dump,
            port,
        };
        peer.wait_until_ready();
        Ok(peer)
    }

    /// Stops the server without a save and starts it again; the time until it answers.
    pub fn restart(&mut self) -> Duration {
        self.process.kill().expect("the server is ours to stop");
        self.process.wait().expect("the server has been stopped");
        let began = Instant::now();
        self.process = self.command.spawn().expect("the server was started once");
        self.wait_until_ready();
        began.elapsed()
    }

    fn wait_until_ready(&self) {
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port))
                && Client::new(stream).ask("PING") == "+PONG"
            {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn client(&self) -> Client {
        Client::new(
            TcpStream::connect(("127.0.0.1", self.port)).expect("the server accepts connections"),
        )
    }

    pub fn dump_bytes(&self) -> u64 {
        fs::metadata(self.folder.join(self.dump)).map_or(0, |metadata| metadata.len())
    }

    /// Memory of the process in bytes: `VmRSS` now, or `VmHWM`, the highest since [`forget_peak`](Self::forget_peak).
    pub fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(self.proc("status")).expect("Linux has /proc");
        let line = status
            .lines()
            .find(|line| line.starts_with(field))
            .expect("a field of proc(5)");
        let kilobytes: f64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .expect("a number");
        kilobytes * 1024.0
    }

    pub fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").expect("Linux has /proc");
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.process.id().to_string())
            .join(file)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A client that waits for each reply.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a socket option");
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// The first line of the reply to an inline command.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.line()
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A server that is still loading may close the connection; the empty reply says so.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stream.read_line(&mut line);
        line.trim_end().to_string()
    }

    /// A reply that is a bulk string.
    pub fn bulk(&mut self, line: &str) -> String {
        let head = self.ask(line);
        let len: usize = head
            .strip_prefix('$')
            .and_then(|len| len.parse().ok())
            .unwrap_or(0);
        let mut bytes = vec![0; len + 2];
        self.stream
            .read_exact(&mut bytes)
            .expect("the server answers whole");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    /// A number in INFO.
    pub fn info(&mut self, field: &str) -> f64 {
        let text = self.bulk("INFO everything");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or(f64::NAN)
    }

    /// Saves in the background; the time until the dump is there.
    pub fn save(&mut self) -> Duration {
        let began = Instant::now();
        let reply = self.ask("BGSAVE");
        assert_eq!(reply, "+Background saving started");
        while self.info("rdb_bgsave_in_progress") != 0.0 {
            thread::sleep(Duration::from_millis(5));
        }
        began.elapsed()
    }
}
