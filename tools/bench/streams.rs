//! Streams: adding entries, reading ranges of them, a work queue; and the memory, saving and loading of one stream.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::clients::{Client, Crowd};
use crate::data::{key, request, value};
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};
use crate::watch::{TIMES, watch};

const LOADS: [Load; 3] = [Load::new(50, 1), Load::new(50, 16), Load::new(8, 100)];
/// Streams that entries are added to, or read from.
const STREAMS: usize = 100;
/// Entries of a stream that is read from; the IDs are 1-1, 2-1 and so on.
const ENTRIES: usize = 10_000;
const VALUE_BYTES: usize = 16;
/// Field names of 16 bytes.
const FIELDS: [&[u8]; 5] = [
    b"field:0000000001",
    b"field:0000000002",
    b"field:0000000003",
    b"field:0000000004",
    b"field:0000000005",
];

struct Job {
    name: &'static str,
    /// Whether the streams are filled before the measurement.
    reads: bool,
    /// Appends the commands that count as one request; returns the number of lines of their replies.
    append: fn(&mut Vec<u8>) -> usize,
}

const JOBS: [Job; 7] = [
    Job {
        name: "XADD of 1 field",
        reads: false,
        append: |batch| add(batch, &[], 1),
    },
    Job {
        name: "XADD of 5 fields",
        reads: false,
        append: |batch| add(batch, &[], 5),
    },
    Job {
        name: "XADD of 1 field, MAXLEN ~ 1000",
        reads: false,
        append: |batch| add(batch, &[b"MAXLEN", b"~", b"1000"], 1),
    },
    Job {
        name: "XRANGE of 10",
        reads: true,
        append: |batch| range(batch, 10),
    },
    Job {
        name: "XRANGE of 1000",
        reads: true,
        append: |batch| range(batch, 1000),
    },
    Job {
        name: "XREAD of 100",
        reads: true,
        append: read,
    },
    Job {
        name: "XADD, XREADGROUP and XACK",
        reads: false,
        append: work,
    },
];

pub fn cases(options: &Options) -> Vec<Case> {
    let watched = Duration::from_secs_f64(options.seconds * TIMES);
    let case = |load: Load, job: &'static Job| Case {
        group: format!("fields and values of {VALUE_BYTES} B, {STREAMS} streams, {load}"),
        name: job.name.to_string(),
        commands: vec!["XADD"],
        measure: Box::new(move |program| measure(program, job, load, watched)),
    };
    let cases = LOADS.into_iter();
    let cases = cases.flat_map(|load| JOBS.iter().map(move |job| case(load, job)));
    cases.chain(large_streams(options)).collect()
}

/// One large stream for each number of fields that an entry may have.
fn large_streams(options: &Options) -> impl Iterator<Item = Case> {
    let streams = [(5 * options.keys, 1), (options.keys, FIELDS.len())];
    streams.into_iter().map(|(entries, fields)| Case {
        group: format!("one stream, fields and values of {VALUE_BYTES} B"),
        name: format!("{entries} entries of {fields} fields"),
        commands: vec!["XADD"],
        measure: Box::new(move |program| measure_large(program, entries, fields)),
    })
}

fn measure_large(program: &Program, entries: usize, fields: usize) -> Measured {
    const BATCH: usize = 1000;
    let mut peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    let before = client.info("used_memory");
    let mut batch = Vec::new();
    for _ in 0..entries / BATCH {
        batch.clear();
        let lines = (0..BATCH).map(|_| add_to(&mut batch, &key(0), &[], fields));
        let lines = lines.sum();
        client.exchange(&batch, lines);
    }
    let bytes = client.info("used_memory") - before;
    let save = client.save();
    let load = peer.restart()?;
    Ok(vec![
        (("bytes per entry", Lower), bytes / entries as f64),
        (("save, s", Lower), save.as_secs_f64()),
        (("start with the dump, s", Lower), load.as_secs_f64()),
    ])
}

fn measure(program: &Program, job: &'static Job, clients: Load, watched: Duration) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    let entries = if job.reads { ENTRIES } else { 1 };
    fill_streams(&mut client, entries);
    let crowd = Crowd::start(peer.port, clients.clients, clients.pipeline, job.append);
    Ok(watch(&peer, crowd, watched))
}

/// Fills the streams that are read from, and creates as many queues, each with a group.
fn fill_streams(client: &mut Client, entries: usize) {
    let mut batch = Vec::new();
    for stream in 0..STREAMS {
        batch.clear();
        let key = key(stream);
        for number in 1..=entries {
            let id = format!("{number}-1");
            let words = [b"XADD", key.as_bytes(), id.as_bytes(), FIELDS[0]];
            request(&mut batch, &[&words[..], &[value(VALUE_BYTES)]].concat());
        }
        let queue = queue(stream);
        let words = [
            &b"XGROUP"[..],
            b"CREATE",
            queue.as_bytes(),
            b"group",
            b"0",
            b"MKSTREAM",
        ];
        request(&mut batch, &words);
        client.exchange(&batch, LINES_OF_BULK * entries + 1);
    }
}

/// Lines of a bulk string.
const LINES_OF_BULK: usize = 2;
/// Lines of an entry with one field.
const LINES_OF_ENTRY: usize = 1 + LINES_OF_BULK + 1 + 2 * LINES_OF_BULK;

fn any_stream() -> String {
    key(fastrand::usize(..STREAMS))
}

fn queue(number: usize) -> String {
    format!("queue:{number:010}")
}

fn add(batch: &mut Vec<u8>, options: &[&[u8]], fields: usize) -> usize {
    add_to(batch, &any_stream(), options, fields)
}

fn add_to(batch: &mut Vec<u8>, key: &str, options: &[&[u8]], fields: usize) -> usize {
    let mut words = vec![b"XADD", key.as_bytes()];
    words.extend(options);
    words.push(b"*");
    for field in &FIELDS[..fields] {
        words.extend([*field, value(VALUE_BYTES)]);
    }
    request(batch, &words);
    LINES_OF_BULK
}

fn range(batch: &mut Vec<u8>, count: usize) -> usize {
    let (key, first) = (any_stream(), 1 + fastrand::usize(..ENTRIES - count));
    let (first, most) = (first.to_string(), count.to_string());
    let words = [
        b"XRANGE",
        key.as_bytes(),
        first.as_bytes(),
        b"+",
        b"COUNT",
        most.as_bytes(),
    ];
    request(batch, &words);
    1 + count * LINES_OF_ENTRY
}

fn read(batch: &mut Vec<u8>) -> usize {
    const COUNT: usize = 100;
    let (key, after) = (any_stream(), fastrand::usize(..ENTRIES - COUNT));
    let (after, most) = (format!("{after}-1"), COUNT.to_string());
    let words = [
        &b"XREAD"[..],
        b"COUNT",
        most.as_bytes(),
        b"STREAMS",
        key.as_bytes(),
        after.as_bytes(),
    ];
    request(batch, &words);
    // The array of streams, that of a stream with its entries, and its name.
    2 + LINES_OF_BULK + 1 + COUNT * LINES_OF_ENTRY
}

/// What one client does with its own queue: it adds an entry, receives it and acknowledges it. A load has at most
/// [`STREAMS`] clients, so no two share a queue.
fn work(batch: &mut Vec<u8>) -> usize {
    static CLIENTS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static CLIENT: usize = CLIENTS.fetch_add(1, Relaxed) % STREAMS;
        static ENTRY: Cell<usize> = const { Cell::new(0) };
    }
    let queue = queue(CLIENT.with(|client| *client));
    let entry = ENTRY.get() + 1;
    ENTRY.set(entry);
    let id = format!("{entry}-1");
    let [queue, id] = [queue.as_bytes(), id.as_bytes()];
    let limit = [b"MAXLEN", &b"~"[..], b"1000"];
    let added = [id, FIELDS[0], value(VALUE_BYTES)];
    request(batch, &[&[b"XADD", queue], &limit[..], &added].concat());
    let reader = [&b"XREADGROUP"[..], b"GROUP", b"group", b"consumer"];
    let wanted = [b"COUNT", &b"1"[..], b"STREAMS", queue, b">"];
    request(batch, &[&reader[..], &wanted].concat());
    request(batch, &[b"XACK", queue, b"group", id]);
    LINES_OF_BULK + (2 + LINES_OF_BULK + 1 + LINES_OF_ENTRY) + 1
}
