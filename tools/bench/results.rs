//! What has been measured, and the JSON file that keeps it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Which of two figures is the better one.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Higher,
    Lower,
}

/// What is measured, with its unit.
pub type Metric = (&'static str, Better);

/// The subject, the group and the name of a case.
pub type CaseName<'a> = [&'a str; 3];

/// A figure that was measured once.
pub type Sample = (Metric, f64);

#[derive(Serialize, Deserialize)]
pub struct Results {
    pub date: String,
    pub machine: Machine,
    pub servers: Vec<Server>,
    pub rows: Vec<Row>,
}

#[derive(PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
}

/// Ours is the first one.
#[derive(PartialEq, Serialize, Deserialize)]
pub struct Server {
    pub name: String,
    pub version: String,
}

/// One case, measured with every server.
#[derive(Serialize, Deserialize)]
pub struct Row {
    pub subject: String,
    /// Rows of one group stand together.
    pub group: String,
    pub name: String,
    pub figures: Vec<Figure>,
}

#[derive(Serialize, Deserialize)]
pub struct Figure {
    pub metric: String,
    pub better: Better,
    /// By the server's name; one figure a round.
    pub rounds: BTreeMap<String, Vec<f64>>,
}

impl Machine {
    /// The one that this program runs on.
    pub fn here() -> Result<Machine, Box<dyn Error>> {
        let field = |file: &str, name: &str| -> Result<String, Box<dyn Error>> {
            let text = fs::read_to_string(file)?;
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split(':').nth(1)).unwrap_or("?");
            Ok(value.trim().to_string())
        };
        let kilobytes = field("/proc/meminfo", "MemTotal")?;
        let kilobytes: u64 = kilobytes.trim_end_matches(" kB").parse()?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Machine {
            processor: field("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: (kilobytes + (1 << 19)) >> 20,
            kernel: format!("Linux {}", kernel.trim()),
        })
    }
}

/// Today, as in 2026-11-21.
pub fn today() -> Result<String, Box<dyn Error>> {
    let output = Command::new("date").args(["-u", "+%F"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_string())
}

impl Results {
    /// The results in a file, to which more of the same servers may be added.
    pub fn read(file: &Path) -> Result<Results, Box<dyn Error>> {
        let text = fs::read_to_string(file)?;
        let results = serde_json::from_str(&text);
        Ok(results.map_err(|error| format!("{}: {error}", file.display()))?)
    }

    /// A row is a line, so that two files can be compared.
    pub fn write(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let mut text = String::from("{\n");
        writeln!(text, "\"date\": {},", serde_json::to_string(&self.date)?)?;
        let machine = serde_json::to_string(&self.machine)?;
        writeln!(text, "\"machine\": {machine},")?;
        let servers = serde_json::to_string(&self.servers)?;
        writeln!(text, "\"servers\": {servers},")?;
        let rows: Result<Vec<String>, _> = self.rows.iter().map(serde_json::to_string).collect();
        writeln!(text, "\"rows\": [\n{}\n]}}", rows?.join(",\n"))?;
        Ok(fs::write(file, text)?)
    }

    /// Adds what one server has shown in one case.
    pub fn add(&mut self, case: CaseName, server: &str, samples: Vec<Sample>) {
        let [subject, group, name] = case;
        let is_it = |row: &Row| row.is(case);
        let place = self.rows.iter().position(is_it).unwrap_or_else(|| {
            let beside = |row: &Row| row.subject == subject && row.group == group;
            let last = self.rows.iter().rposition(beside);
            let place = last.map_or(self.rows.len(), |last| last + 1);
            let row = Row {
                subject: subject.to_string(),
                group: group.to_string(),
                name: name.to_string(),
                figures: Vec::new(),
            };
            self.rows.insert(place, row);
            place
        });
        let figures = &mut self.rows[place].figures;
        for ((metric, better), value) in samples {
            let place = figures.iter().position(|figure| figure.metric == metric);
            let place = place.unwrap_or_else(|| {
                figures.push(Figure {
                    metric: metric.to_string(),
                    better,
                    rounds: BTreeMap::new(),
                });
                figures.len() - 1
            });
            let rounds = figures[place].rounds.entry(server.to_string());
            rounds.or_default().push(value);
        }
    }

    /// Forgets the figures of a case, which is to be measured again. Its row keeps its place.
    pub fn forget(&mut self, case: CaseName) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.is(case)) {
            row.figures.clear();
        }
    }

    pub fn ours(&self) -> &str {
        &self.servers[0].name
    }

    /// How many times the figure of the best other server ours is.
    pub fn ratio(&self, figure: &Figure) -> Option<f64> {
        let peers = self.servers[1..]
            .iter()
            .filter_map(|server| figure.median(&server.name));
        let best = peers.reduce(|one, other| match figure.better {
            Better::Higher => one.max(other),
            Better::Lower => one.min(other),
        })?;
        (best > 0.0).then_some(figure.median(self.ours())? / best)
    }
}

impl Row {
    fn is(&self, case: CaseName) -> bool {
        [&self.subject, &self.group, &self.name] == case
    }

    pub fn figure(&self, metric: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.metric == metric)
    }
}

impl Figure {
    pub fn median(&self, server: &str) -> Option<f64> {
        self.rounds.get(server).map(|rounds| median(rounds.clone()))
    }
}

/// The middle one; of an even number the mean of both.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        f64::midpoint(figures[half - 1], figures[half])
    } else {
        figures[half]
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const RATE: Metric = ("requests/s", Better::Higher);
    pub const CPU: Metric = ("CPU µs/request", Better::Lower);

    /// Two rounds of one case with three servers.
    pub fn example() -> Results {
        let mut results = Results {
            date: "2026-11-21".to_string(),
            machine: Machine {
                processor: "A processor".to_string(),
                cores: 2,
                memory_gib: 24,
                kernel: "Linux 6.1".to_string(),
            },
            servers: ["ours", "redis", "valkey"]
                .map(|name| Server {
                    name: name.to_string(),
                    version: format!("{name} 1 <b>"),
                })
                .into(),
            rows: Vec::new(),
        };
        for round in [0.0, 10.0] {
            for (server, rate) in [("ours", 100.0), ("redis", 160.0), ("valkey", 200.0)] {
                let samples = vec![(RATE, rate + round), (CPU, rate / 10.0)];
                results.add(["throughput", "50 clients", "get"], server, samples);
            }
        }
        results
    }

    #[test]
    fn the_ratio_is_that_of_medians_to_the_best_peer() {
        let results = example();
        let [row] = &results.rows[..] else {
            panic!("the rounds of one case are one row")
        };
        assert_eq!(row.figures[0].median("ours"), Some(105.0));
        assert_eq!(results.ratio(&row.figures[0]), Some(105.0 / 205.0));
        assert_eq!(results.ratio(&row.figures[1]), Some(10.0 / 16.0));
    }

    #[test]
    fn a_file_gives_the_results_back() {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        example().write(file.path()).expect("it can be written");
        let read = Results::read(file.path()).expect("it can be read");
        assert_eq!(read.rows[0].figures[0].rounds["redis"], [160.0, 170.0]);
        assert!(read.machine == example().machine && read.servers == example().servers);
    }
}
