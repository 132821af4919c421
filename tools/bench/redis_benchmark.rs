//! redis-benchmark: run once, with what it cost the server.

use std::error::Error;
use std::path::Path;

use crate::cores;
use crate::peer::Peer;
use crate::results::Better::{Higher, Lower};
use crate::results::{Metric, Sample};

pub const RATE: Metric = ("requests/s", Higher);
pub const CPU: Metric = ("CPU µs/request", Lower);
/// What redis-benchmark tells behind the name and the rate of a test, in milliseconds.
const LATENCIES: [Option<Metric>; 6] = [
    Some(("mean ms", Lower)),
    None, // the least
    Some(("p50 ms", Lower)),
    Some(("p95 ms", Lower)),
    Some(("p99 ms", Lower)),
    Some(("longest ms", Lower)),
];

/// Keys, fields, members and scores are among so many.
pub const KEYS: usize = 100_000;

pub struct Run<'a> {
    pub clients: usize,
    pub pipeline: usize,
    pub value_bytes: usize,
    pub requests: usize,
    /// One of redis-benchmark's tests, or a command.
    pub test: &'a [&'a str],
    /// Those that it has to itself, with a thread on each; none for one thread on any core.
    pub cores: &'a [usize],
}

impl Run<'_> {
    pub fn start(&self, peer: &Peer) -> Result<Vec<Sample>, Box<dyn Error>> {
        let before = peer.cpu();
        let mut command = cores::pinned(Path::new("redis-benchmark"), self.cores);
        command.args(["--csv", "-p", &peer.port.to_string()]);
        let options = [
            ("-c", self.clients),
            ("-P", self.pipeline),
            ("-d", self.value_bytes),
            ("-n", self.requests),
            ("-r", KEYS),
        ];
        for (option, number) in options {
            command.args([option, &number.to_string()]);
        }
        if self.cores.len() > 1 {
            command.args(["--threads", &self.cores.len().to_string()]);
        }
        let output = command
            .args(self.test)
            .output()
            .map_err(|error| format!("redis-benchmark cannot be run: {error}"))?;
        let cpu = peer.cpu() - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut samples = parse(&text).ok_or_else(|| {
            let faults = String::from_utf8_lossy(&output.stderr);
            format!("redis-benchmark {:?}: {text}{faults}", self.test)
        })?;
        let per_request = cpu.as_secs_f64() * 1e6 / self.requests as f64;
        samples.insert(1, (CPU, per_request));
        Ok(samples)
    }
}

/// The last line: `"GET","50000.00","0.076",...`.
fn parse(csv: &str) -> Option<Vec<Sample>> {
    let fields: Vec<&str> = csv.lines().last()?.split(',').collect();
    let numbers = fields.get(fields.len().checked_sub(1 + LATENCIES.len())?..)?;
    [Some(RATE)]
        .into_iter()
        .chain(LATENCIES)
        .zip(numbers)
        .filter_map(|(metric, field)| Some((metric?, field)))
        .map(|(metric, field)| Some((metric, field.trim_matches('"').parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_test_are_those_behind_its_name() {
        // From redis-benchmark 7.0.15.
        let csv = concat!(
            r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","#,
            r#""p95_latency_ms","p99_latency_ms","max_latency_ms""#,
            "\n",
            r#""LRANGE, mylist","27777.78","0.117","0.008","0.039","0.159","2.159","8.431""#,
            "\n",
        );
        let samples = parse(csv).expect("the line is whole");
        let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [27777.78, 0.117, 0.039, 0.159, 2.159, 8.431]);
        assert!(parse("").is_none() && parse("Could not connect").is_none());
        let head = csv.lines().next().expect("there are two lines");
        assert!(parse(head).is_none(), "a head without a test");
    }
}
