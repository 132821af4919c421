//! redis-benchmark's tests under several loads, each on a server of its own.

use crate::cores::Cores;
use crate::data::{element, fill, request, set, value};
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::redis_benchmark::{KEYS, Run};
use crate::scripts;
use crate::subject::{Case, Measured};

/// A test that is not worth its memory ends earlier than others.
const MOST_BYTES: usize = 512 << 20;
/// A load whose replies may all be on their way at once, and would be larger than this, is left out.
const MOST_REPLY_BYTES: usize = 256 << 20;
/// The elements that LRANGE finds.
const LIST_LEN: usize = 600;
/// What a trial must last, as part of the measurement, to tell how many requests that takes.
const TRIAL: f64 = 0.1;

pub struct Test {
    pub name: &'static str,
    pub command: &'static str,
    /// For redis-benchmark. Its own LRANGE tests would push their list meanwhile, so these are given as commands.
    pub arguments: &'static [&'static str],
    pub needs: Needs,
    /// How many values a reply or a request holds; tests without values are measured once, not for every size.
    pub values: usize,
}

/// What a server must hold before a test: GET is to find its key, and LPOP an element.
pub enum Needs {
    Nothing,
    Keys,
    List,
    /// As many members as there are keys, under names of redis-benchmark.
    SortedSet,
    /// As many places as there are keys, under the same names.
    Places,
    /// A hash of five fields.
    SmallHash,
    /// One element for every request.
    Elements,
    /// The script of a token bucket.
    Limiter,
}

#[rustfmt::skip] // an entry a test
static TESTS: [Test; 21] = [
    Test { name: "ping", command: "PING", arguments: &["-t", "ping_mbulk"], needs: Needs::Nothing, values: 0 },
    Test { name: "set", command: "SET", arguments: &["-t", "set"], needs: Needs::Keys, values: 1 },
    Test { name: "get", command: "GET", arguments: &["-t", "get"], needs: Needs::Keys, values: 1 },
    Test { name: "incr", command: "INCR", arguments: &["-t", "incr"], needs: Needs::Nothing, values: 0 },
    Test { name: "lpush", command: "LPUSH", arguments: &["-t", "lpush"], needs: Needs::Nothing, values: 1 },
    Test { name: "rpush", command: "RPUSH", arguments: &["-t", "rpush"], needs: Needs::Nothing, values: 1 },
    Test { name: "lpop", command: "LPOP", arguments: &["-t", "lpop"], needs: Needs::Elements, values: 1 },
    Test { name: "rpop", command: "RPOP", arguments: &["-t", "rpop"], needs: Needs::Elements, values: 1 },
    Test { name: "sadd", command: "SADD", arguments: &["-t", "sadd"], needs: Needs::Nothing, values: 0 },
    Test { name: "hset", command: "HSET", arguments: &["-t", "hset"], needs: Needs::Nothing, values: 1 },
    Test { name: "spop", command: "SPOP", arguments: &["-t", "spop"], needs: Needs::Elements, values: 0 },
    Test { name: "zadd", command: "ZADD", arguments: &["-t", "zadd"], needs: Needs::Nothing, values: 0 },
    Test { name: "zpopmin", command: "ZPOPMIN", arguments: &["-t", "zpopmin"], needs: Needs::Elements, values: 0 },
    Test { name: "zrank", command: "ZRANK",
        arguments: &["ZRANK", "myzset", "element:__rand_int__"],
        needs: Needs::SortedSet, values: 0 },
    Test { name: "zrange_10", command: "ZRANGEBYSCORE",
        arguments: &["ZRANGEBYSCORE", "myzset", "__rand_int__", "+inf", "LIMIT", "0", "10"],
        needs: Needs::SortedSet, values: 0 },
    Test { name: "zrevrange_100", command: "ZREVRANGE",
        arguments: &["ZREVRANGE", "myzset", "0", "99", "WITHSCORES"],
        needs: Needs::SortedSet, values: 0 },
    Test { name: "geosearch", command: "GEOSEARCH",
        arguments: &["GEOSEARCH", "mygeo", "FROMMEMBER", "element:__rand_int__", "BYRADIUS", "200", "km"],
        needs: Needs::Places, values: 0 },
    Test { name: "mset", command: "MSET", arguments: &["-t", "mset"], needs: Needs::Keys, values: 10 },
    Test { name: "lrange_100", command: "LRANGE",
        arguments: &["LRANGE", "mylist", "0", "99"],
        needs: Needs::List, values: 100 },
    Test { name: "lrange_300", command: "LRANGE",
        arguments: &["LRANGE", "mylist", "0", "299"],
        needs: Needs::List, values: 300 },
    Test { name: "lrange_600", command: "LRANGE",
        arguments: &["LRANGE", "mylist", "0", "599"],
        needs: Needs::List, values: 600 },
];

pub fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, &bytes) in options.value_bytes.iter().enumerate() {
        for &load in &options.loads {
            let batch = load.clients * load.pipeline * bytes;
            let is_measured = |test: &&Test| {
                let chosen =
                    options.tests.is_empty() || options.tests.iter().any(|name| name == test.name);
                let new = place == 0 || test.values > 0;
                chosen && new && batch * test.values <= MOST_REPLY_BYTES
            };
            let (seconds, requests) = (options.seconds, options.requests);
            cases.extend(TESTS.iter().filter(is_measured).map(|test| Case {
                group: format!("{load}, values of {bytes} B"),
                name: test.name.to_string(),
                commands: vec![test.command],
                measure: Box::new(move |program| {
                    let measurement = Measurement {
                        test,
                        load,
                        value_bytes: bytes,
                        requests,
                        seconds,
                        most_requests: MOST_BYTES / (bytes + 64),
                        cores: Cores::default(),
                        server_options: &[],
                    };
                    measurement.of(program)
                }),
            }));
        }
    }
    cases
}

/// The names that `--tests` may list.
pub fn test_names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().map(|test| test.name)
}

/// The test of this name.
pub fn test(name: &str) -> &'static Test {
    let test = TESTS.iter().find(|test| test.name == name);
    test.expect("only tests of the table are asked for")
}

/// One test under one load.
pub struct Measurement<'a> {
    pub test: &'a Test,
    pub load: Load,
    pub value_bytes: usize,
    /// How many requests; without a number as many as the seconds take.
    pub requests: Option<usize>,
    pub seconds: f64,
    pub most_requests: usize,
    pub cores: Cores,
    pub server_options: &'a [&'a str],
}

impl Measurement<'_> {
    pub fn of(&self, program: &Program) -> Measured {
        let peer = Peer::start_on(program, self.server_options, &self.cores.server)?;
        prepare(&peer, self.test, self.value_bytes);
        if let Some(requests) = self.requests {
            return self.run(&peer, requests);
        }
        // The trials also let the server grow to what the load needs: threads, buffers, memory.
        let (least, most) = (self.load.clients * self.load.pipeline, self.most_requests);
        let mut requests = (4 * least).max(200).min(most);
        let rate = loop {
            let (_, rate) = self.run(&peer, requests)?[0];
            if requests as f64 / rate >= self.seconds * TRIAL || requests == most {
                break rate;
            }
            requests = (requests * 8).min(most);
        };
        let requests = (rate * self.seconds) as usize;
        self.run(&peer, requests.max(least).min(most))
    }

    fn run(&self, peer: &Peer, requests: usize) -> Measured {
        if let Needs::Elements = self.test.needs {
            push(peer, self.test, self.value_bytes, requests);
        }
        let run = Run {
            clients: self.load.clients,
            pipeline: self.load.pipeline,
            value_bytes: self.value_bytes,
            requests,
            test: self.test.arguments,
            cores: &self.cores.load,
        };
        run.start(peer)
    }
}

/// What is there before the first request.
fn prepare(peer: &Peer, test: &Test, value_bytes: usize) {
    let client = &mut peer.client();
    match test.needs {
        Needs::Nothing | Needs::Elements => {}
        Needs::Limiter => scripts::load(client, scripts::LIMITER),
        Needs::Keys => fill(client, KEYS, |batch, number| {
            set(batch, number, value_bytes)
        }),
        Needs::List => fill(client, LIST_LEN, |batch, _| {
            request(batch, &[b"RPUSH", b"mylist", value(value_bytes)]);
        }),
        Needs::SmallHash => fill(client, 5, |batch, number| {
            request(
                batch,
                &[
                    b"HSET",
                    b"user",
                    element(number).as_bytes(),
                    value(value_bytes),
                ],
            );
        }),
        Needs::SortedSet => fill(client, KEYS, |batch, number| {
            let (score, member) = (number.to_string(), format!("element:{number:012}"));
            request(
                batch,
                &[b"ZADD", b"myzset", score.as_bytes(), member.as_bytes()],
            );
        }),
        Needs::Places => fill(client, KEYS, |batch, number| {
            let ([longitude, latitude], member) = (place(number), format!("element:{number:012}"));
            let [longitude, latitude] = [longitude.as_bytes(), latitude.as_bytes()];
            request(
                batch,
                &[b"GEOADD", b"mygeo", longitude, latitude, member.as_bytes()],
            );
        }),
    }
}

/// Spread evenly over the globe, as the seeds in a sunflower are.
fn place(number: usize) -> [String; 2] {
    const GOLDEN_RATIO: f64 = 1.618033988749895;
    let longitude = (number as f64 * GOLDEN_RATIO).fract() * 360.0 - 180.0;
    let latitude = number as f64 / KEYS as f64 * 170.0 - 85.0;
    [longitude, latitude].map(|degrees| format!("{degrees:.6}"))
}

/// The elements that so many requests take away again.
fn push(peer: &Peer, test: &Test, value_bytes: usize, requests: usize) {
    fill(&mut peer.client(), requests, |batch, number| {
        let member = element(number);
        let score = number.to_string();
        match test.command {
            "SPOP" => request(batch, &[b"SADD", b"myset", member.as_bytes()]),
            "ZPOPMIN" => request(
                batch,
                &[b"ZADD", b"myzset", score.as_bytes(), member.as_bytes()],
            ),
            _ => request(batch, &[b"RPUSH", b"mylist", value(value_bytes)]),
        }
    });
}
