//! Who takes part. Everybody comes and goes: plays a part for some steps, hangs up, often in the middle of something,
//! and comes back as a new client.

use my_redis_server::resp::decoder::{Decoder, Value};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, Scope};
use std::time::Duration;

/// Steps that a client plays before it leaves.
const STEPS: u64 = 500;
/// Channels, counters and queues.
const NAMES: u64 = 20;

/// The parts, and how many play each.
const PARTS: [(&str, usize, Part); 8] = [
    ("publish", 6, publish),
    ("subscribe", 12, subscribe),
    ("leave messages unread", 3, leave_unread),
    ("watch", 8, watch),
    ("wait for a key", 12, wait),
    ("push", 4, push),
    ("monitor", 2, monitor),
    ("let keys expire", 2, expire),
];

/// Plays a part until the client has had enough; errors end it as well.
type Part = fn(&Stage) -> io::Result<()>;

/// What the clients share.
pub struct Stage {
    port: u16,
    is_over: AtomicBool,
    visits: AtomicU64,
    messages: AtomicU64,
    transactions: AtomicU64,
    aborted: AtomicU64,
    disconnected: AtomicU64,
}

impl Stage {
    pub fn new(port: u16) -> Stage {
        Stage {
            port,
            is_over: AtomicBool::new(false),
            visits: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            disconnected: AtomicU64::new(0),
        }
    }

    /// Lets all begin.
    pub fn enter<'a>(&'a self, scope: &'a Scope<'a, '_>) {
        for (_, count, part) in PARTS {
            for _ in 0..count {
                scope.spawn(move || {
                    while !self.is_over() {
                        self.visits.fetch_add(1, Relaxed);
                        // Who is disconnected comes back.
                        let _ = part(self);
                    }
                });
            }
        }
    }

    pub fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// What has happened.
    pub fn summary(&self) -> String {
        let figure = |figure: &AtomicU64| figure.load(Relaxed);
        let crowd: Vec<String> = PARTS
            .iter()
            .map(|(name, count, _)| format!("{count} {name}"))
            .collect();
        format!(
            "{}: {} visits, {} messages heard, {} transactions and {} that were aborted, {} clients disconnected \
            because they did not read",
            crowd.join(", "),
            figure(&self.visits),
            figure(&self.messages),
            figure(&self.transactions),
            figure(&self.aborted),
            figure(&self.disconnected),
        )
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    fn connect(&self) -> io::Result<Client> {
        let mut client = Client::connect(self.port)?;
        if fastrand::bool() {
            client.ask(&["HELLO", "3"])?;
        }
        Ok(client)
    }

    /// The steps of one visit.
    fn steps(&self) -> impl Iterator<Item = u64> {
        (0..fastrand::u64(1..STEPS)).take_while(|_| !self.is_over())
    }
}

fn name(kind: &str) -> String {
    format!("{kind}:{}", fastrand::u64(..NAMES))
}

fn publish(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    for _ in stage.steps() {
        let text = "x".repeat(fastrand::usize(1..4000));
        client.ask(&["PUBLISH", &name("channel"), &text])?;
    }
    Ok(())
}

fn subscribe(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    client.send(&["SUBSCRIBE", &name("channel"), &name("channel")])?;
    client.send(&["PSUBSCRIBE", "channel:1*", "__keyevent@0__:expired"])?;
    for step in stage.steps() {
        client.receive()?;
        stage.messages.fetch_add(1, Relaxed);
        if step % 100 == 99 {
            client.send(&["UNSUBSCRIBE"])?;
            client.send(&["SUBSCRIBE", &name("channel")])?;
        }
    }
    Ok(())
}

fn leave_unread(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    client.send(&["PSUBSCRIBE", "*"])?;
    // Long enough for both limits; what has come meanwhile is read at the end.
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(50));
        if stage.is_over() {
            return Ok(());
        }
    }
    while client.receive().is_ok() {
        if stage.is_over() {
            return Ok(());
        }
    }
    stage.disconnected.fetch_add(1, Relaxed);
    Ok(())
}

fn watch(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    for _ in stage.steps() {
        let counter = name("counter");
        client.ask(&["WATCH", &counter, &name("counter")])?;
        let value = match client.ask(&["GET", &counter])? {
            Value::Bulk(text) => String::from_utf8_lossy(&text).parse().unwrap_or(0),
            _ => 0_i64,
        };
        client.ask(&["MULTI"])?;
        client.ask(&["SET", &counter, &(value + 1).to_string()])?;
        match fastrand::u8(..20) {
            0 => drop(client.ask(&["DISCARD"])?),
            1 => return Ok(()),
            _ => {
                let has_run = matches!(client.ask(&["EXEC"])?, Value::Array(_));
                let figure = if has_run {
                    &stage.transactions
                } else {
                    &stage.aborted
                };
                figure.fetch_add(1, Relaxed);
            }
        }
    }
    Ok(())
}

fn wait(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    for _ in stage.steps() {
        let (first, second) = (name("queue"), name("queue"));
        let until = format!("0.0{}", fastrand::u8(1..10));
        match fastrand::u8(..3) {
            0 => client.ask(&["BLPOP", &first, &second, &until])?,
            1 => client.ask(&["BLMOVE", &first, &second, "LEFT", "RIGHT", &until])?,
            _ => client.ask(&["BRPOP", &first, &until])?,
        };
        if fastrand::u8(..50) == 0 {
            // Gone while it waits.
            return client.send(&["BLPOP", &name("nothing"), "0"]);
        }
    }
    Ok(())
}

fn push(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    for _ in stage.steps() {
        client.ask(&["MULTI"])?;
        client.ask(&["LPUSH", &name("queue"), "a", "b"])?;
        client.ask(&["LTRIM", &name("queue"), "0", "99"])?;
        client.ask(&["PUBLISH", &name("channel"), "pushed"])?;
        client.ask(&["EXEC"])?;
    }
    Ok(())
}

fn monitor(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    client.send(&["MONITOR"])?;
    for _ in stage.steps() {
        client.receive()?;
    }
    Ok(())
}

fn expire(stage: &Stage) -> io::Result<()> {
    let mut client = stage.connect()?;
    for _ in stage.steps() {
        let ms = fastrand::u64(1..50).to_string();
        client.ask(&[
            "SET",
            &format!("short:{}", fastrand::u16(..)),
            "x",
            "PX",
            &ms,
        ])?;
    }
    Ok(())
}

/// A client that waits for each reply.
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        Ok(Client {
            stream,
            received: Vec::new(),
        })
    }

    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.write_all(request.as_bytes())
    }

    /// The next reply or message.
    pub fn receive(&mut self) -> io::Result<Value> {
        let mut decoder = Decoder::default();
        loop {
            let decoded = decoder.decode(&self.received);
            let (consumed, value) = decoded
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
            self.received.drain(..consumed);
            if let Some(value) = value {
                return Ok(value);
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                len => self.received.extend_from_slice(&piece[..len]),
            }
        }
    }

    pub fn ask(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(words)?;
        self.receive()
    }

    pub fn text(&mut self, words: &[&str]) -> io::Result<String> {
        match self.ask(words)? {
            Value::Bulk(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Ok(String::new()),
        }
    }
}
