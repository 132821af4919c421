//! The stream that a replica gets, command by command, is that of a real server.

use super::pair::Whose::{Ours, Real};
use crate::common::{Client, Folder, PATIENCE, Server, redis_tool, request, wait_until};
use my_redis_server::aof::{Item, Reader};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

const ACK_PERIOD: Duration = Duration::from_millis(50);

/// A connection that says it is a replica.
pub struct Follower {
    client: Client,
    received: Vec<u8>,
}

impl Follower {
    /// Asks for a full synchronisation, and reads the snapshot to its end.
    pub fn of(primary: &Server) -> Follower {
        let mut follower = Follower {
            client: primary.client(),
            received: Vec::new(),
        };
        follower
            .client
            .ask("REPLCONF listening-port 7 capa eof capa psync2");
        follower.client.send(&["PSYNC", "?", "-1"]);
        let line = follower.read_line();
        assert!(line.starts_with("+FULLRESYNC "), "{line}");
        let line = follower.read_line();
        let mark = line.strip_prefix("$EOF:").expect("an end mark").to_string();
        while !follower.received.ends_with(mark.as_bytes()) {
            follower.read();
        }
        follower.received.clear();
        // FLUSHALL kills the child of a real primary, and with it the connection.
        let mut other = primary.client();
        wait_until("no child writes the snapshot any more", || {
            other.info("rdb_bgsave_in_progress") == "0"
        });
        follower
    }

    /// Reads what comes. As a real replica does, it acknowledges again and again meanwhile: a real primary misses an
    /// acknowledgement that comes before the end of its child process.
    fn read(&mut self) {
        let mut piece = [0; 4096];
        let began = Instant::now();
        self.client
            .stream
            .set_read_timeout(Some(ACK_PERIOD))
            .expect("an option");
        let len = loop {
            match self.client.stream.read(&mut piece) {
                Ok(len) => break len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(began.elapsed() < PATIENCE, "nothing comes");
                    self.client.send(&["REPLCONF", "ACK", "0"]);
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!(len > 0, "the connection is closed");
        self.received.extend_from_slice(&piece[..len]);
    }

    /// The next line that is not empty.
    fn read_line(&mut self) -> String {
        loop {
            while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap().trim_end().to_string();
                if !line.is_empty() {
                    return line;
                }
            }
            self.read();
        }
    }

    /// The commands up to the one that publishes this word; pings are left out.
    pub fn commands_until(&mut self, word: &str) -> Vec<String> {
        let last = String::from_utf8(request(&["PUBLISH", "end", word])).unwrap();
        let last = last.to_ascii_lowercase();
        while !String::from_utf8_lossy(&self.received)
            .to_ascii_lowercase()
            .ends_with(&last)
        {
            self.read();
        }
        let mut commands = Vec::new();
        let received = std::mem::take(&mut self.received);
        let mut reader = Reader::new(&received[..], 0);
        while let Some(Item::Command(words)) = reader.next_item().unwrap() {
            let words = words
                .into_iter()
                .map(|word| String::from_utf8(word).unwrap());
            commands.push(words.collect::<Vec<_>>().join(" "));
        }
        commands.retain(|command| !command.eq_ignore_ascii_case("PING"));
        commands
    }
}

/// What a primary sends after these requests.
fn stream_of(primary: &Server, requests: &[&[&str]]) -> Vec<String> {
    let mut follower = Follower::of(primary);
    let mut client = primary.client();
    for request in requests {
        client.call(request);
    }
    client.ask("PUBLISH end now");
    let mut commands = follower.commands_until("now");
    for command in &mut commands {
        // Ours says it always: a snapshot may have the library already.
        *command = command.replace("FUNCTION LOAD REPLACE", "FUNCTION LOAD");
    }
    // Redis 7.2 has these two the other way round than 7.0.
    for place in 1..commands.len() {
        if commands[place] == "MULTI" && commands[place - 1].starts_with("SELECT ") {
            commands.swap(place - 1, place);
        }
    }
    commands
}

const TWICE: &str = "redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[1])";
const PUBLISHES: &str = "redis.call('PUBLISH', 'c', 'm')";
const LIBRARY: &str = "#!lua name=l\nredis.register_function('f', function() end)";

#[test]
fn the_stream_is_that_of_a_real_server() {
    let [ours, real] = [Folder::new(), Folder::new()];
    let [ours, real] = [Ours.server(&ours, &[]), Real.server(&real, &[])];
    let requests: &[&[&str]] = &[
        &["FUNCTION", "LOAD", LIBRARY],
        &["SET", "k", "v"],
        &["GET", "k"],
        &["INCRBYFLOAT", "f", "0.5"],
        &["SADD", "s", "a"],
        &["SPOP", "s"],
        &["DEL", "nothing"],
        &["PEXPIREAT", "f", "1"],
        &["EXPIREAT", "k", "4102444800"],
        &["SELECT", "3"],
        &["MULTI"],
        &["INCR", "n"],
        &["SELECT", "4"],
        &["INCR", "n"],
        &["EXEC"],
        &["MULTI"],
        &["INCR", "n"],
        &["EXEC"],
        &["PUBLISH", "channel", "message"],
        &["SPUBLISH", "channel", "message"],
        &["EVAL", TWICE, "1", "n"],
        &["EVAL", PUBLISHES, "0"],
        &["SCRIPT", "LOAD", "return 1"],
        &["FLUSHALL"],
        &["SWAPDB", "0", "1"],
    ];
    let expected = stream_of(&real, requests);
    assert_eq!(stream_of(&ours, requests), expected);
}

/// It prints the stream as lines of CSV.
#[test]
fn redis_cli_shows_the_stream() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &[]);
    let mut cli = redis_tool("redis-cli")
        .args(["-p", &primary.port.to_string(), "--replica"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be run");
    let mut client = primary.client();
    wait_until("it is online", || client.ask("ROLE").contains("127.0.0.1"));
    client.ask("SET k v");
    let mut lines = BufReader::new(cli.stdout.take().expect("it is piped")).lines();
    let shown = lines.any(|line| line.expect("text") == r#""SET","k","v""#);
    assert!(shown, "it ends without the command");
    cli.kill().expect("it runs");
    cli.wait().expect("it ends");
}

/// A message to replicas is in no file, and yet it has a place in the order of what is waited for.
#[test]
fn messages_are_answered_with_an_append_only_file_too() {
    for policy in ["always", "everysec"] {
        let folder = Folder::new();
        let options = ["--appendonly", "yes", "--appendfsync", policy];
        let primary = Ours.server(&folder, &options);
        let mut follower = Follower::of(&primary);
        let mut client = primary.client();
        assert_eq!(client.ask("SET k v"), "OK");
        assert_eq!(client.ask("PUBLISH channel message"), "(integer) 0");
        assert_eq!(
            client.ask("WAITAOF 1 0 0"),
            "1) (integer) 1\n2) (integer) 0"
        );
        assert_eq!(client.ask("PUBLISH end now"), "(integer) 0");
        let sent = [
            "SELECT 0",
            "SET k v",
            "PUBLISH channel message",
            "PUBLISH end now",
        ];
        assert_eq!(follower.commands_until("now"), sent);
        assert_eq!(
            client.ask("WAITAOF 1 0 0"),
            "1) (integer) 1\n2) (integer) 0"
        );
    }
}
