//! Tests of the change log with its reader.

use super::*;
use std::sync::Arc;

/// A reader, and the database that is selected where it writes.
struct Reading {
    reader: LogReader,
    selected: Option<usize>,
}

impl Reading {
    fn next(&self) -> u64 {
        self.reader.next()
    }

    fn read_before(&mut self, end: u64) -> String {
        let mut out = Vec::new();
        let write = |run: Run<'_>| run.write(&mut self.selected, &mut out);
        self.reader.read_before(|| end, write);
        String::from_utf8(out).unwrap()
    }
}

fn read(reading: &mut Reading) -> String {
    reading.read_before(u64::MAX)
}

fn wire(lines: &[&str]) -> String {
    let command = |line: &&str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut out = Vec::new();
        write_command(&mut out, &words).unwrap();
        String::from_utf8(out).unwrap()
    };
    lines.iter().map(command).collect()
}

fn log() -> (Arc<ChangeLog>, Reading) {
    let log = Arc::new(ChangeLog::default());
    let reader = LogReader::new(log.clone());
    (
        log,
        Reading {
            reader,
            selected: None,
        },
    )
}

#[test]
fn commands_come_in_their_order_each_in_its_database() {
    let (log, mut reader) = log();
    log.append_command(0, &[b"SET", b"a", b"1"]);
    log.append_command(3, &[b"SET", b"b", b"2"]);
    log.append_command(3, &[b"DEL", b"b"]);
    let expected = ["SELECT 0", "SET a 1", "SELECT 3", "SET b 2", "DEL b"];
    assert_eq!(read(&mut reader), wire(&expected));
    assert_eq!((reader.next(), log.end()), (3, 3));
    log.append_command(3, &[b"DEL", b"a"]);
    assert_eq!(read(&mut reader), wire(&["DEL a"]));
    // Another file begins.
    reader.selected = None;
    log.append_command(3, &[b"DEL", b"a"]);
    assert_eq!(read(&mut reader), wire(&["SELECT 3", "DEL a"]));
    assert_eq!(read(&mut reader), "");
}

#[test]
fn a_transaction_is_a_block() {
    let (log, mut reader) = log();
    let mut effects = Effects::default();
    for (database, word) in [(1, "a"), (1, "b"), (2, "c")] {
        effects.push(database, &[b"DEL", word.as_bytes()]);
    }
    // An expired key, and the command: no transaction.
    log.append(&effects);
    log.append(&Effects::default());
    log.append_command(2, &[b"DEL", b"d"]);
    assert_eq!(
        read(&mut reader),
        wire(&["SELECT 1", "DEL a", "DEL b", "SELECT 2", "DEL c", "DEL d"])
    );
    effects.join();
    log.append(&effects);
    assert_eq!(
        read(&mut reader),
        wire(&[
            "MULTI", "SELECT 1", "DEL a", "DEL b", "SELECT 2", "DEL c", "EXEC"
        ])
    );
}

/// A block waits for those before it that are still being appended.
#[test]
fn no_block_comes_before_its_turn() {
    let (log, mut reader) = log();
    log.append_command(0, &[b"DEL", b"0"]);
    // Number 1 has been drawn, and its block is not there yet.
    log.next.0.fetch_add(1, Relaxed);
    log.append_command(0, &[b"DEL", b"2"]);
    assert_eq!(read(&mut reader), wire(&["SELECT 0", "DEL 0"]));
    log.append_command(0, &[b"DEL", b"3"]);
    assert_eq!(read(&mut reader), "");
    let mut bytes = Vec::new();
    write_command(&mut bytes, &[b"DEL", b"1"]).unwrap();
    let head = Head {
        number: 1,
        blocks: 1,
        len: bytes.len(),
        first_database: 0,
        last_database: 0,
        is_transaction: false,
        is_for_replicas: false,
    };
    *log.lanes[LANES - 1].lock() = Blocks {
        heads: vec![head],
        bytes,
        is_divided: false,
    };
    log.append_command(0, &[b"DEL", b"4"]);
    assert_eq!(
        read(&mut reader),
        wire(&["DEL 1", "DEL 2", "DEL 3", "DEL 4"])
    );
}

#[test]
fn blocks_behind_a_division_are_kept() {
    let (log, mut reader) = log();
    log.append_command(0, &[b"DEL", b"0"]);
    log.append_command(0, &[b"DEL", b"1"]);
    let end = log.divide();
    log.append_command(0, &[b"DEL", b"2"]);
    log.append_command(0, &[b"DEL", b"3"]);
    assert_eq!(
        reader.read_before(end),
        wire(&["SELECT 0", "DEL 0", "DEL 1"])
    );
    assert_eq!(reader.next(), end);
    reader.selected = None;
    log.append_command(0, &[b"DEL", b"4"]);
    assert_eq!(
        read(&mut reader),
        wire(&["SELECT 0", "DEL 2", "DEL 3", "DEL 4"])
    );
}

#[test]
fn blocks_that_need_nothing_between_them_are_one_run() {
    let (log, _) = log();
    let runs = || {
        log.lanes
            .iter()
            .map(|lane| lane.lock().heads.len())
            .sum::<usize>()
    };
    let mut transaction = Effects::default();
    transaction.push(0, &[b"DEL", b"k"]);
    transaction.push(0, &[b"DEL", b"k"]);
    transaction.join();
    for (database, expected) in [(0, 1), (0, 1), (1, 2), (1, 2), (0, 3)] {
        log.append_command(database, &[b"DEL", b"k"]);
        assert_eq!(runs(), expected);
    }
    log.append(&transaction);
    assert_eq!(runs(), 4);
    log.append(&transaction);
    assert_eq!(runs(), 5);
    log.append_command(0, &[b"DEL", b"k"]);
    assert_eq!(runs(), 6);
    // A block of another thread has drawn the number between them.
    log.next.0.fetch_add(1, Relaxed);
    log.append_command(0, &[b"DEL", b"k"]);
    assert_eq!(runs(), 7);
}

#[test]
fn a_full_lane_holds_changes_until_it_is_read() {
    let (log, mut reader) = log();
    log.append_command(0, &[b"SET", b"k", &vec![b'x'; FULL_BYTES]]);
    assert!(log.is_held());
    log.hold(Hold::Late);
    read(&mut reader);
    assert!(log.is_held());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait_while_held(Duration::from_secs(3600)));
        log.release(Hold::Late);
        waiting.join().unwrap();
    });
    assert!(!log.is_held());
}

/// However the reader's sleep and a block meet, the reader wakes.
#[test]
fn a_block_wakes_the_reader() {
    let (log, mut reader) = log();
    for number in 1..=1000 {
        std::thread::scope(|scope| {
            scope.spawn(|| log.append_command(0, &[b"DEL", b"k"]));
            while reader.next() < number {
                log.wait_for_blocks(Duration::from_secs(3600));
                read(&mut reader);
            }
        });
    }
}

/// Threads that count a shared number up under its lock, each time with a command: the commands come in that order.
#[test]
fn the_order_is_that_of_the_locks() {
    const THREADS: usize = 4;
    const TIMES: usize = 2000;
    let (log, mut reader) = log();
    let count = Mutex::new(0);
    let mut out = String::new();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    let mut count = count.lock().unwrap();
                    log.append_command(0, &[b"ECHO", count.to_string().as_bytes()]);
                    *count += 1;
                }
            });
        }
        while reader.next() < (THREADS * TIMES) as u64 {
            out += &read(&mut reader);
        }
    });
    let lines: Vec<String> = (0..THREADS * TIMES)
        .map(|count| format!("ECHO {count}"))
        .collect();
    let lines: Vec<&str> = std::iter::once("SELECT 0")
        .chain(lines.iter().map(String::as_str))
        .collect();
    assert_eq!(out, wire(&lines));
}
