//! Hours of work in minutes: clients that depend on each other come, go and misbehave, and afterwards the server is to
//! be as it was. Linux only, because it reads /proc.
//!
//! ```sh
//! cargo build --release && cargo run --release --example soak -- --seconds 600
//! ```
//!
//! A round of some seconds comes first, so that what the server keeps for later (threads of the pool, the allocator's
//! memory) is there already; then the figures are taken, the long round follows, and the figures are taken again. Who
//! takes part is in [`roles`].

mod roles;

use roles::Stage;
use std::error::Error;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The round before the first figures.
const WARM_UP: Duration = Duration::from_secs(10);
/// How often figures are printed meanwhile.
const PERIOD: Duration = Duration::from_secs(30);
/// How long the server may take to see that all are gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, killed when this is dropped.
struct Server {
    process: Child,
    port: u16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = pico_args::Arguments::from_env();
    let seconds = options.opt_value_from_str("--seconds")?.unwrap_or(60);
    let path: Option<PathBuf> = options.opt_value_from_str("--server")?;
    let server = Server::start(&path.map_or_else(built_server, Ok)?)?;
    println!("  time  resident  allocated  threads  files  clients  channels  waited-for");
    play(&server, WARM_UP)?;
    let before = server.settle()?;
    println!("before  {before}");
    play(&server, Duration::from_secs(seconds))?;
    let after = server.settle()?;
    println!(" after  {after}");
    Ok(())
}

/// The server that was built beside this program.
fn built_server() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).ok_or("this program has no folder")?;
    let path = folder.join("my_redis_server");
    match path.exists() {
        true => Ok(path),
        false => Err(format!("{} is not there: cargo build --release", path.display()).into()),
    }
}

/// Lets everybody act for a while, and prints what the server takes meanwhile.
fn play(server: &Server, time: Duration) -> Result<(), Box<dyn Error>> {
    let stage = Stage::new(server.port);
    let began = Instant::now();
    thread::scope(|scope| {
        stage.enter(scope);
        while began.elapsed() < time {
            let left = time.saturating_sub(began.elapsed());
            thread::sleep(left.min(PERIOD));
            println!("{:5}s  {}", began.elapsed().as_secs(), server.figures());
        }
        stage.end();
    });
    println!("        {}", stage.summary());
    Ok(())
}

impl Server {
    fn start(path: &PathBuf) -> Result<Server, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(path)
            .args(["--port", &port.to_string(), "--save", ""])
            .args(["--notify-keyspace-events", "KEA"])
            .args(["--client-output-buffer-limit", "pubsub 1mb 256kb 2"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let server = Server { process, port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("the server does not answer".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// The figures once everybody has left and nothing is stored.
    fn settle(&self) -> Result<String, Box<dyn Error>> {
        let began = Instant::now();
        let mut client = roles::Client::connect(self.port)?;
        client.ask(&["FLUSHALL"])?;
        while self.info("connected_clients") != "2" {
            if began.elapsed() > PATIENCE {
                return Err(format!("clients remain: {}", self.figures()).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(self.figures())
    }

    fn figures(&self) -> String {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let resident = mib(self.status("VmRSS") * 1024.0);
        let allocated = mib(self.info("used_memory").parse().unwrap_or_default());
        let files = fs::read_dir(self.proc("fd")).map_or(0, Iterator::count);
        format!(
            "{resident:5.1} MiB  {allocated:6.2} MiB  {:7}  {files:5}  {:>7}  {:>8}  {:>10}",
            self.status("Threads"),
            self.info("connected_clients"),
            self.info("pubsub_channels"),
            self.info("total_blocking_keys"),
        )
    }

    /// A field of INFO; empty if the server does not answer.
    fn info(&self, field: &str) -> String {
        let text = roles::Client::connect(self.port).and_then(|mut client| client.text(&["INFO"]));
        let text = text.unwrap_or_default();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_string()
    }

    /// A number of proc(5).
    fn status(&self, field: &str) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(field));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.unwrap_or_default()
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.process.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
