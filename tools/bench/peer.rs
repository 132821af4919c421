//! A server to be measured: started in a folder of its own, watched from outside, and killed.

use nix::time::ClockId;
use nix::unistd::Pid;
use std::error::Error;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::clients::Client;
use crate::cores;

const DUMP: &str = "dump.rdb";
/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server's program, and what the tables call it.
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub version: String,
}

impl Program {
    pub fn new(name: &str, path: &Path) -> Result<Program, Box<dyn Error>> {
        let output = Command::new(path)
            .arg("--version")
            .output()
            .map_err(|error| format!("{name}: {} cannot be run: {error}", path.display()))?;
        let version = String::from_utf8_lossy(&output.stdout);
        // Redis tells its checksums too, which nobody wants to read.
        let version = version.split(" sha=").next().unwrap_or_default().trim();
        Ok(Program {
            name: name.to_string(),
            path: path.to_path_buf(),
            version: version.to_string(),
        })
    }
}

/// A running server. Dropped, it is killed and its folder removed.
pub struct Peer {
    command: Command,
    process: Child,
    folder: TempDir,
    pub port: u16,
}

impl Peer {
    /// Starts a server that holds nothing and saves only when it is told to.
    pub fn start(program: &Program, options: &[&str]) -> Result<Peer, Box<dyn Error>> {
        Peer::start_on(program, options, &[])
    }

    /// As [`start`](Self::start), on these cores alone, or on any if there are none.
    pub fn start_on(
        program: &Program,
        options: &[&str],
        cores: &[usize],
    ) -> Result<Peer, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("bench_").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let mut command = cores::pinned(&program.path, cores);
        command
            .args(["--port", &port.to_string(), "--save", ""])
            .args(["--dbfilename", DUMP])
            .args(options)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::inherit());
        let process = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.path.display()))?;
        let mut peer = Peer {
            command,
            process,
            folder,
            port,
        };
        peer.wait_until_ready()
            .map_err(|error| format!("{}: {error}", program.name))?;
        Ok(peer)
    }

    /// Stops the server without a save and starts it again; the time until it answers.
    pub fn restart(&mut self) -> Result<Duration, Box<dyn Error>> {
        self.process.kill()?;
        self.process.wait()?;
        let began = Instant::now();
        self.process = self.command.spawn()?;
        self.wait_until_ready()?;
        Ok(began.elapsed())
    }

    fn wait_until_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port))
                && Client::new(stream).ask("PING") == "+PONG"
            {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(format!("the server has ended ({status}):\n{log}").into());
            }
            if began.elapsed() > PATIENCE {
                return Err("the server does not answer".into());
            }
            // Often enough for a hundredth of the time that it tells, and no oftener: asking costs the server time.
            let pause = began.elapsed() / 100;
            thread::sleep(pause.clamp(Duration::from_micros(100), Duration::from_millis(2)));
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn dump_bytes(&self) -> u64 {
        fs::metadata(self.folder.path().join(DUMP)).map_or(0, |metadata| metadata.len())
    }

    /// Processor time of the process, threads that have ended included. The clock counts nanoseconds, where
    /// `/proc/PID/stat` counts hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let pid = Pid::from_raw(self.process.id().cast_signed());
        let time = ClockId::pid_cpu_clock_id(pid).and_then(ClockId::now);
        time.expect("the server runs").into()
    }

    /// Memory of the process in bytes: `VmRSS` now, or `VmHWM`, the highest since [`forget_peak`](Self::forget_peak).
    pub fn memory(&self, field: &str) -> f64 {
        self.status(field) * 1024.0
    }

    pub fn threads(&self) -> f64 {
        self.status("Threads")
    }

    pub fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").expect("Linux has /proc");
    }

    /// A number of proc(5).
    fn status(&self, field: &str) -> f64 {
        let status = fs::read_to_string(self.proc("status")).expect("Linux has /proc");
        let line = status.lines().find(|line| line.starts_with(field));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("a field with a number")
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
    }
}
