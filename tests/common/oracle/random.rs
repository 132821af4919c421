//! Random requests, made from templates.

use super::Oracle;
use super::text::lines;
use crate::common::request;
use fastrand::Rng;
use my_redis_server::util::quoting::split_arguments;
use std::collections::HashMap;

/// Requests that are sent before their replies are read.
const BATCH: usize = 64;

/// Requests that a report on random commands shows: those that led to the difference.
const SHOWN_BEFORE: usize = 24;

/// Differences after which a run of random commands ends.
const ENOUGH: usize = 5;

/// Names of things and what there is to choose from, separated by ` | `. A choice may name other pools.
pub type Pools<'a> = &'a [(&'a str, &'a str)];

/// The choices of each pool, by its name.
type Choices<'a> = HashMap<&'a str, Vec<&'a str>>;

/// Makes random requests of the forms that the lines of a text say: `{key}` is one of the pool `key`, `{key}+3` are one
/// to three, `{key}*3` are none to three.
pub struct Templates<'a> {
    commands: Vec<&'a str>,
    pools: Choices<'a>,
}

impl<'a> Templates<'a> {
    pub fn new(commands: &'a str, pools: Pools<'a>) -> Templates<'a> {
        let lines = commands.lines().map(str::trim);
        let pools = pools.iter();
        Templates {
            commands: lines.filter(|line| !line.is_empty()).collect(),
            // Some pools are large.
            pools: pools
                .map(|(name, choices)| (*name, choices.split('|').collect()))
                .collect(),
        }
    }

    pub fn request(&self, random: &mut Rng) -> Vec<Vec<u8>> {
        let command = random.choice(&self.commands).expect("there are some");
        expand(command, &self.pools, random)
    }
}

impl Oracle {
    /// Random requests in both versions of the protocol, each made from a line of `commands` (see [`Templates`]), and
    /// then the data that they left.
    ///
    /// `ORACLE_SEED=7 ORACLE_COMMANDS=100000 cargo test random` tries more than the tests usually do.
    pub fn random(&mut self, commands: &str, pools: Pools) {
        let templates = Templates::new(commands, pools);
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = number("ORACLE_SEED").unwrap_or(1);
        let count = number("ORACLE_COMMANDS").unwrap_or(4000) as usize;
        for protocol in [2, 3] {
            self.reconnect(protocol);
            self.clear();
            let mut random = Rng::with_seed(seed + u64::from(protocol));
            let mut sent: Vec<Vec<Vec<u8>>> = Vec::new();
            while sent.len() < count && self.differences.len() < ENOUGH {
                let first = sent.len();
                sent.extend((0..BATCH).map(|_| templates.request(&mut random)));
                let batch: Vec<u8> = sent[first..].iter().flat_map(|it| request(it)).collect();
                self.clients
                    .iter_mut()
                    .for_each(|client| client.send(&batch));
                for index in first..sent.len() {
                    if let Some(difference) = self.compare_next(&sent[index]) {
                        let before = &sent[index.saturating_sub(SHOWN_BEFORE)..index];
                        self.report(&format!("seed {seed}\n{}{difference}", lines(before)));
                    }
                }
                if let Some(difference) = self.compare_events() {
                    let batch = lines(&sent[first..]);
                    self.report(&format!("seed {seed}\n{batch}{difference}"));
                }
            }
            self.compare_data(&format!("seed {seed}, after {} commands\n", sent.len()));
        }
    }
}

/// A random request of the form that the template says.
fn expand(template: &str, pools: &Choices, random: &mut Rng) -> Vec<Vec<u8>> {
    let mut request = Vec::new();
    for word in split_arguments(template.as_bytes()).expect("the quotes are balanced") {
        let inner = std::str::from_utf8(&word)
            .ok()
            .and_then(|text| text.strip_prefix('{'));
        let Some((name, times)) = inner.and_then(|inner| inner.split_once('}')) else {
            request.push(word);
            continue;
        };
        let most = || times[1..].parse().expect("a number");
        let times = match times.as_bytes().first() {
            None => 1,
            Some(b'+') => random.usize(1..=most()),
            _ => random.usize(0..=most()),
        };
        let choices = pools.get(name).unwrap_or_else(|| panic!("no pool {name}"));
        for _ in 0..times {
            let choice = random.choice(choices).expect("there are some");
            request.extend(expand(choice, pools, random));
        }
    }
    request
}
