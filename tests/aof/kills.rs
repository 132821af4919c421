//! Servers killed by SIGKILL while they write and rewrite their append-only file. With `appendfsync always` the next
//! server on the folder has everything that was acknowledged; with `everysec`, all but the last second at most. What it
//! has of each writer is a prefix of what the writer sent, and transactions are whole.
//!
//! 200 kills are part of every run; for more:
//!
//! ```sh
//! SIGKILLS=2000 cargo test --release --test main aof::kills -- --nocapture
//! ```

use super::folders;
use crate::common::{Client, Folder, Server, kill_in_lanes, number, request, strings};
use my_redis_server::aof::{FileInfo, Kind};
use my_redis_server::resp::decoder::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Servers that are killed side by side, each in a folder of its own.
const LANES: usize = 4;
/// Writers of a server, each in a database of its own.
const WRITERS: usize = 4;
/// Operations that a writer sends at once.
const DEPTHS: [u64; WRITERS] = [1, 1, 2, 7];
/// Replies to the first writer after which the server is killed, at most.
const MOST_REPLIES: usize = 40;
/// Elements of a list that are kept.
const KEPT: u64 = 50;
/// Keys besides those of the writers, so that a rewrite takes some time, and their database.
const OTHER_KEYS: usize = 1_000;
const OTHER_DATABASE: usize = 15;
/// What `everysec` may lose.
const ONE_SECOND: Duration = Duration::from_secs(1);
/// A server that lives this long has acknowledged changes more than a second before it is killed, which `everysec` must
/// not lose. One server in `LIVES_PER_LONG_LIFE` does.
const LONG_LIFE: Duration = Duration::from_millis(1_300);
const LIVES_PER_LONG_LIFE: usize = 20;

#[test]
fn a_killed_server_leaves_what_it_has_acknowledged() {
    let (kills, tallies) = kill_in_lanes(LANES, |index, kills| Lane::new(index).run(kills));
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (within_rewrite, rewritten) = (sum(|it| it.within_rewrite), sum(|it| it.rewritten));
    let (kept, lost) = (sum(|it| it.kept), sum(|it| it.lost));
    println!(
        "{kills} kills: {within_rewrite} within a rewrite, {rewritten} after one; {kept} acknowledged operations \
         kept, {lost} lost"
    );
    assert_eq!(sum(|it| it.kills), kills);
    // Otherwise the kills would show nothing.
    assert!(within_rewrite * 10 >= kills && rewritten * 10 >= kills && kept >= kills);
}

/// What a lane has met.
#[derive(Default)]
struct Tally {
    kills: usize,
    /// Kills that left a rewrite unfinished.
    within_rewrite: usize,
    /// Kills before which a rewrite had ended.
    rewritten: usize,
    /// Acknowledged operations that the next server had, and had not. The latter may be with `everysec` alone.
    kept: usize,
    lost: usize,
}

/// What a writer has sent to a server, and when the server has acknowledged it.
struct Written {
    /// The number of the last operation that the server had when it started.
    before: u64,
    /// The number of the last operation that was sent.
    sent: u64,
    /// When the operations after `before` were acknowledged.
    answered: Vec<Instant>,
}

struct Lane {
    folder: Folder,
    always: bool,
    options: Vec<&'static str>,
    random: fastrand::Rng,
    /// For each writer the number of the last operation that the server has, or had when it started.
    found: [u64; WRITERS],
    tally: Tally,
}

impl Lane {
    fn new(index: usize) -> Lane {
        let always = index < LANES / 2;
        let policy = if always { "always" } else { "everysec" };
        let base = if index.is_multiple_of(2) { "yes" } else { "no" };
        let mut options = vec!["--appendonly", "yes", "--save", "", "--databases", "16"];
        options.extend(["--appendfsync", policy, "--aof-use-rdb-preamble", base]);
        options.extend(["--enable-debug-command", "yes"]);
        Lane {
            folder: Folder::new(),
            always,
            options,
            random: fastrand::Rng::with_seed(index as u64),
            found: [0; WRITERS],
            tally: Tally::default(),
        }
    }

    fn run(mut self, kills: usize) -> Tally {
        let mut server = Server::ours(&self.folder, &self.options);
        write_other_keys(&mut server.client());
        for life in 1..=kills {
            let (base, increment) = self.last_files();
            let is_long = !self.always && life.is_multiple_of(LIVES_PER_LONG_LIFE);
            let written = self.write_until_killed(&mut server, is_long);
            let killed = Instant::now();
            server.wait();
            self.count(base, increment);
            server = Server::ours(&self.folder, &self.options);
            let mut client = server.client();
            for (writer, written) in written.iter().enumerate() {
                self.found[writer] = found(&mut client, writer);
                self.check(writer, written, killed);
            }
            client.ask(&format!("SELECT {OTHER_DATABASE}"));
            assert_eq!(client.integer(&["DBSIZE"]), OTHER_KEYS as i64);
        }
        let digest = server.client().call(&["DEBUG", "DIGEST"]);
        drop(server);
        folders::check_by_redis(&self.folder);
        let real = Server::real(
            &self.folder,
            &["--appendonly", "yes", "--enable-debug-command", "yes"],
        );
        assert_eq!(real.client().call(&["DEBUG", "DIGEST"]), digest);
        self.tally
    }

    /// The last base and the last increment.
    fn last_files(&self) -> (Option<FileInfo>, Option<FileInfo>) {
        let manifest = folders::manifest(&self.folder);
        (manifest.base().cloned(), manifest.last_increment().cloned())
    }

    /// Counts what the folder of a killed server tells of its rewrites.
    fn count(&mut self, base: Option<FileInfo>, increment: Option<FileInfo>) {
        let files = self.last_files();
        let is_new_increment = files.1 != increment;
        let manifest = folders::manifest(&self.folder);
        let increments = manifest
            .files()
            .filter(|file| file.kind == Kind::Increment)
            .count();
        let is_unfinished = |name: &String| name.starts_with("temp-");
        let is_within = is_new_increment && increments > 1
            || folders::names(&self.folder).iter().any(is_unfinished);
        self.tally.kills += 1;
        self.tally.within_rewrite += usize::from(is_within);
        self.tally.rewritten += usize::from(files.0 != base);
    }

    /// Writers write, and in most lives a client rewrites the file all the time; then the server is killed.
    fn write_until_killed(&mut self, server: &mut Server, is_long: bool) -> Vec<Written> {
        let replies = self.random.usize(1..=MOST_REPLIES);
        let rewrites = self.random.u8(..4) > 0;
        let began = Instant::now();
        let clients: Vec<Client> = (0..WRITERS)
            .map(|writer| writers_client(server, writer))
            .collect();
        let rewriter = server.client();
        thread::scope(|scope| {
            if rewrites {
                scope.spawn(|| rewrite_until_killed(rewriter));
            }
            let mut writers = clients.into_iter().zip(self.found).zip(DEPTHS);
            let ((client, before), depth) = writers.next().expect("there is a first writer");
            let others: Vec<_> = writers
                .map(|((client, before), depth)| {
                    scope.spawn(move || write(client, before, depth, |_| true))
                })
                .collect();
            let is_early =
                |answered: usize| answered < replies || is_long && began.elapsed() < LONG_LIFE;
            let first = write(client, before, depth, is_early);
            server.process.kill().expect("it runs");
            let others = others
                .into_iter()
                .map(|writer| writer.join().expect("it has ended well"));
            [first].into_iter().chain(others).collect()
        })
    }

    /// Checks which operations of a writer the server has.
    fn check(&mut self, writer: usize, written: &Written, killed: Instant) {
        let found = self.found[writer];
        let acknowledged = written.before + written.answered.len() as u64;
        let is_old = |at: &&Instant| **at + ONE_SECOND < killed;
        let least = match self.always {
            true => acknowledged,
            false => written.before + written.answered.iter().filter(is_old).count() as u64,
        };
        assert!(
            (least..=written.sent).contains(&found),
            "the server has {found} operations of writer {writer}; it had {} when it started, {acknowledged} were \
             acknowledged, {least} must not be lost, {} were sent",
            written.before,
            written.sent
        );
        let kept = found.min(acknowledged) - written.before;
        self.tally.kept += kept as usize;
        self.tally.lost += written.answered.len() - kept as usize;
    }
}

fn write_other_keys(client: &mut Client) {
    client.ask(&format!("SELECT {OTHER_DATABASE}"));
    let value = "0123456789".repeat(100);
    let keys: Vec<String> = (0..OTHER_KEYS)
        .map(|index| format!("key:{index}"))
        .collect();
    let pairs = keys.iter().flat_map(|key| [key, &value]);
    let words: Vec<&str> = ["MSET"]
        .into_iter()
        .chain(pairs.map(String::as_str))
        .collect();
    assert_eq!(client.call(&words), Value::Simple(b"OK".to_vec()));
}

fn writers_client(server: &Server, writer: usize) -> Client {
    let mut client = server.client();
    assert_eq!(client.ask(&format!("SELECT {writer}")), "OK");
    client
}

/// An operation counts up. Every other one is a transaction, which also appends its number to two lists, and trims
/// them.
fn operation(number: u64) -> Vec<u8> {
    let count = request(&["INCR", "count"]);
    if !number.is_multiple_of(2) {
        return count;
    }
    let push = |list: &str| request(&["RPUSH", list, &number.to_string()]);
    let trim = |list: &str| request(&["LTRIM", list, &format!("-{KEPT}"), "-1"]);
    [
        request(&["MULTI"]),
        push("left"),
        trim("left"),
        count,
        push("right"),
        trim("right"),
        request(&["EXEC"]),
    ]
    .concat()
}

/// Waits for the reply to an operation; `false` if the server is gone.
fn is_answered(client: &mut Client, number: u64) -> bool {
    let count = Value::Integer(number as i64);
    let expected = match number.is_multiple_of(2) {
        false => vec![count],
        true => {
            let simple = |text: &str| Value::Simple(text.into());
            let len = Value::Integer((number / 2).min(KEPT + 1) as i64);
            let replies = [len.clone(), simple("OK"), count, len, simple("OK")];
            let queued = vec![simple("QUEUED"); replies.len()];
            let replies = Value::Array(replies.to_vec());
            [vec![simple("OK")], queued, vec![replies]].concat()
        }
    };
    expected
        .into_iter()
        .all(|expected| match client.try_receive() {
            None => false,
            Some(reply) => {
                assert_eq!(reply, expected, "operation {number}");
                true
            }
        })
}

/// Sends operations, some at once, as long as it may and the server is there.
fn write(
    mut client: Client,
    before: u64,
    depth: u64,
    may_go_on: impl Fn(usize) -> bool,
) -> Written {
    let mut written = Written {
        before,
        sent: before,
        answered: Vec::new(),
    };
    while may_go_on(written.answered.len()) {
        let numbers = written.sent + 1..=written.sent + depth;
        written.sent += depth;
        let bytes: Vec<u8> = numbers.clone().flat_map(operation).collect();
        if std::io::Write::write_all(&mut client.stream, &bytes).is_err() {
            break;
        }
        for number in numbers {
            if !is_answered(&mut client, number) {
                return written;
            }
            written.answered.push(Instant::now());
        }
    }
    written
}

/// Has the file rewritten again and again.
fn rewrite_until_killed(mut client: Client) {
    let mut ask = |words: &[&str]| {
        client.try_send(words).ok()?;
        client.try_receive()
    };
    while let Some(reply) = ask(&["BGREWRITEAOF"]) {
        assert!(matches!(reply, Value::Simple(_)), "{reply:?}");
        loop {
            match ask(&["INFO", "persistence"]) {
                None => return,
                Some(Value::Bulk(text)) => {
                    let text = String::from_utf8(text).expect("INFO is text");
                    if text.contains("aof_rewrite_in_progress:0") {
                        break;
                    }
                }
                Some(reply) => panic!("{reply:?}"),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// How many operations of a writer the server has: the first ones, each of them whole.
fn found(client: &mut Client, writer: usize) -> u64 {
    client.ask(&format!("SELECT {writer}"));
    let found = number(client.call(&["GET", "count"])) as u64;
    let last = found / 2;
    let transactions: Vec<Vec<u8>> = (last.saturating_sub(KEPT) + 1..=last)
        .map(|half| (2 * half).to_string().into_bytes())
        .collect();
    for list in ["left", "right"] {
        let elements = strings(client.call(&["LRANGE", list, "0", "-1"]));
        assert!(
            elements == transactions,
            "writer {writer} has counted to {found}, and {list} has {} elements, the last one {:?}",
            elements.len(),
            elements
                .last()
                .map(|element| element.escape_ascii().to_string())
        );
    }
    found
}
