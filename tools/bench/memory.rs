//! How much memory keys and elements take.

use crate::data::{element, fill, key, request, set, value};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::Lower;
use crate::subject::{Case, Measured};

/// Elements of a small collection.
const SMALL: usize = 5;
/// Values of this size are a quarter as many.
const LARGE_VALUE: usize = 1024;

/// The kinds of collections: how a command writes one element.
#[derive(Clone, Copy)]
enum Kind {
    Hash,
    List,
    Set,
    SortedSet,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Hash, Kind::List, Kind::Set, Kind::SortedSet];

    fn command(self) -> &'static str {
        match self {
            Kind::Hash => "HSET",
            Kind::List => "RPUSH",
            Kind::Set => "SADD",
            Kind::SortedSet => "ZADD",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Hash => "hash",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "sorted set",
        }
    }

    /// Appends a request that adds the given elements.
    fn add(self, batch: &mut Vec<u8>, key: &str, numbers: std::ops::Range<usize>) {
        let elements: Vec<[String; 2]> = numbers
            .map(|number| [element(number), number.to_string()])
            .collect();
        let mut words = vec![self.command().as_bytes(), key.as_bytes()];
        for [element, score] in &elements {
            match self {
                Kind::Hash => words.extend([element.as_bytes(), value(16)]),
                Kind::List | Kind::Set => words.push(element.as_bytes()),
                Kind::SortedSet => words.extend([score.as_bytes(), element.as_bytes()]),
            }
        }
        request(batch, &words);
    }
}

pub fn cases(options: &Options) -> Vec<Case> {
    let all = options.keys;
    let mut cases = Vec::new();
    for bytes in [16, 64, LARGE_VALUE] {
        let keys = if bytes == LARGE_VALUE { all / 4 } else { all };
        let name = format!("a string of {bytes} B");
        cases.push(case(name, "SET", keys, move |batch, number| {
            set(batch, number, bytes);
        }));
    }
    let name = "a string of 16 B with an expiry".to_string();
    cases.push(case(name, "SET", all, |batch, number| {
        let key = key(number);
        request(
            batch,
            &[b"SET", key.as_bytes(), value(16), b"EX", b"1000000"],
        );
    }));
    for kind in Kind::ALL {
        let name = format!("a {} of {SMALL}", kind.name());
        cases.push(case(
            name,
            kind.command(),
            all / SMALL,
            move |batch, number| {
                let first = number * SMALL;
                kind.add(batch, &key(number), first..first + SMALL);
            },
        ));
        let name = format!("an element in a {} of {all}", kind.name());
        cases.push(case(name, kind.command(), all, move |batch, number| {
            kind.add(batch, &key(0), number..number + 1);
        }));
    }
    cases
}

/// Sends `count` requests, each of which adds one of what is counted.
fn case(
    name: String,
    command: &'static str,
    count: usize,
    append: impl Fn(&mut Vec<u8>, usize) + Copy + 'static,
) -> Case {
    Case {
        group: "bytes; keys and elements have 16, the values of hashes too".to_string(),
        name,
        commands: vec![command],
        measure: Box::new(move |program| measure(program, count, append)),
    }
}

fn measure(program: &Program, count: usize, append: impl Fn(&mut Vec<u8>, usize)) -> Measured {
    let peer = Peer::start(program, &[])?;
    let mut client = peer.client();
    let before = (client.info("used_memory"), peer.memory("VmRSS"));
    fill(&mut client, count, append);
    let after = (client.info("used_memory"), peer.memory("VmRSS"));
    Ok(vec![
        (("used_memory", Lower), (after.0 - before.0) / count as f64),
        (("resident", Lower), (after.1 - before.1) / count as f64),
    ])
}
