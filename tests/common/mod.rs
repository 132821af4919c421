//! What the tests over TCP share: servers on free ports, and a client.

pub mod oracle;
pub mod stage;

use my_redis_server::rdb::{Item, KeyRecord, Reader};
use my_redis_server::resp::decoder::{Decoder, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own, removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "my_redis_test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a server that runs here has its dump.
    pub fn dump(&self) -> PathBuf {
        self.0.join("dump.my_rdb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server, killed when it is dropped.
pub struct Server {
    pub port: u16,
    pub process: Child,
}

/// Our binary in a folder, with its output in the file `log`.
pub fn our_command(folder: &Folder, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_my_redis_server"));
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

/// A tool of the Redis distribution.
pub fn redis_tool(name: &str) -> Command {
    let found = Command::new(name).arg("--version").output().is_ok();
    assert!(
        found,
        "{name} is needed: apt-get install redis-server redis-tools (tools/test.sh does it)"
    );
    Command::new(name)
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
        Server::start(|port| {
            let mut command = redis_tool("redis-server");
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

    /// Starts a server on a free port; between finding the port and using it somebody else may take it, so it is tried
    /// again.
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

    /// Whether it is this process that answers, and has loaded its dump. A test beside this one may have started a server
    /// on the same port a moment before; then ours is about to end.
    fn answers(&self) -> bool {
        let Ok(mut client) = Client::try_connect(self.port) else {
            return false;
        };
        let mut ask = |request: &[&str]| {
            client.try_send(request).ok()?;
            client.try_receive()
        };
        if !matches!(ask(&["PING"]), Some(Value::Simple(_))) {
            return false;
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

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill can be run").success());
    }

    /// Waits for the end of the process.
    pub fn wait(mut self) -> ExitStatus {
        wait_for_exit(&mut self.process)
    }
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

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener
        .local_addr()
        .expect("a listener has an address")
        .port()
}

/// Waits until something is so, looking again and again.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A client of either server.
pub struct Client {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        Client::try_connect(port).expect("the server accepts connections")
    }

    /// Connects to a server that may not be there.
    fn try_connect(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a request.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        self.try_send(arguments).expect("the server reads");
    }

    /// Sends a request to a server that may be gone.
    pub fn try_send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> std::io::Result<()> {
        self.stream.write_all(&request(arguments))
    }

    /// The next reply; `None` if the connection has ended.
    pub fn try_receive(&mut self) -> Option<Value> {
        let mut decoder = Decoder::default();
        loop {
            let (consumed, value) = decoder
                .decode(&self.received)
                .expect("the server speaks the protocol");
            self.received.drain(..consumed);
            if value.is_some() {
                return value;
            }
            let mut piece = vec![0; 64 * 1024];
            match self.stream.read(&mut piece) {
                // With a timeout set, any signal ends a read early, that of a child process that has ended too.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return None,
                Ok(len) => self.received.extend_from_slice(&piece[..len]),
            }
        }
    }

    pub fn receive(&mut self) -> Value {
        self.try_receive().expect("the server answers")
    }

    /// Sends a request and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        self.send(arguments);
        self.receive()
    }

    /// The same, with the reply as redis-cli prints it, without the last line end.
    pub fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let printed = my_redis_server::resp::pretty::pretty(&self.call(&words));
        String::from_utf8_lossy(&printed).trim_end().to_string()
    }

    /// An integer reply.
    pub fn integer<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> i64 {
        match self.call(arguments) {
            Value::Integer(number) => number,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// A field of INFO.
    pub fn info(&mut self, field: &str) -> String {
        let Value::Bulk(text) = self.call(&["INFO", "everything"]) else {
            panic!("INFO gives a string")
        };
        let text = String::from_utf8(text).expect("INFO is text");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}"))
            .trim()
            .to_string()
    }
}

/// The strings of an array.
pub fn strings(value: Value) -> Vec<Vec<u8>> {
    let Value::Array(elements) = value else {
        panic!("{value:?} is no array")
    };
    let strings = elements.into_iter().map(|element| match element {
        Value::Bulk(bytes) => bytes,
        other => panic!("{other:?} is no string"),
    });
    strings.collect()
}

/// What is drawn from the key `k` are its elements, different ones unless the count is negative, and in time all of them.
pub fn check_draws(draw: &str, add: impl Fn(&str) -> Vec<&str>) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for len in [1, 10, 1000] {
        let all: BTreeSet<Vec<u8>> = (0..len)
            .map(|index| {
                let element = format!("m{index}");
                client.integer(&add(&element));
                element.into_bytes()
            })
            .collect();
        for count in [1, 2, len / 5, len / 2, len - 1, len, 2 * len] {
            let drawn = strings(client.call(&[draw, "k", &count.to_string()]));
            let different: BTreeSet<Vec<u8>> = drawn.iter().cloned().collect();
            assert_eq!(
                (drawn.len(), different.len()),
                (count.min(len), count.min(len))
            );
            assert!(different.is_subset(&all));
        }
        let mut missing = all.clone();
        wait_until("every element is drawn", || {
            let drawn = strings(client.call(&[draw, "k", "-500"]));
            assert!(drawn.len() == 500 && drawn.iter().all(|element| all.contains(element)));
            drawn.iter().for_each(|element| {
                missing.remove(element);
            });
            missing.is_empty()
        });
    }
}

/// A scan of the key `k` with a small COUNT finds every element that is there all the time, while others come and go.
pub fn check_scan_of_what_changes(scan: &str, add: impl Fn(&str) -> Vec<&str>, remove: &str) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let stays: Vec<String> = (0..600).map(|index| format!("stays{index}")).collect();
    stays
        .iter()
        .for_each(|element| drop(client.call(&add(element))));
    let mut found = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    for step in 0.. {
        let reply = client.call(&[scan.as_bytes(), b"k", &cursor, b"COUNT", b"7"]);
        let Value::Array(parts) = reply else {
            panic!("{reply:?}")
        };
        let Value::Bulk(next) = parts[0].clone() else {
            panic!("no cursor")
        };
        found.extend(strings(parts[1].clone()));
        // The table grows to several times its size, and more slowly loses half of what was added.
        for index in 0..40 {
            client.call(&add(&format!("new{step}:{index}")));
            client.call(&[remove, "k", &format!("new{step}:{}", index / 2)]);
        }
        cursor = next;
        if cursor == b"0" {
            break;
        }
    }
    assert!(
        stays
            .iter()
            .all(|element| found.contains(element.as_bytes()))
    );
}

/// A request as bytes.
pub fn request<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The keys of a dump, which must be whole and have none twice.
pub fn keys_of(dump: &[u8]) -> BTreeMap<Vec<u8>, KeyRecord> {
    let mut reader = Reader::new(dump).expect("a dump");
    let mut keys = BTreeMap::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        if let Item::Key(record) = item {
            assert!(
                keys.insert(record.key.clone(), record).is_none(),
                "a key comes twice"
            );
        }
    }
    keys
}

/// Tells threads to end when it goes out of scope, also when a check has failed.
pub struct EndOnDrop<'a>(pub &'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
