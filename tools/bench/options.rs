//! The words of the command line.

use pico_args::Arguments;
use std::env;
use std::error::Error;
use std::fmt::{self, Display};
use std::path::{self, PathBuf};
use std::process::Command;
use std::str::FromStr;

use crate::cores;
use crate::data::MOST_VALUE_BYTES;
use crate::peer::Program;
use crate::subject::{SUBJECTS, Subject};
use crate::throughput;

const HELP: &str = "\
Measures our server beside redis-server, and valkey-server where there is one: in turn, several rounds, medians.

Usage: bench [SUBJECT ...] [OPTIONS]

Subjects (all):
";

const OPTIONS_HELP: &str = "
  show            measures nothing: prints and draws what is in the file of --json

Options:
  --quick            one round, less data, two loads: a few minutes
  --rounds N         how often everything is measured (3)
  --seconds S        how long one test of redis-benchmark lasts; others are in proportion (1)
  --requests N       requests of one test of redis-benchmark, instead of a time
  --keys N           keys, or elements of a large value (1000000)
  --tests NAMES      of redis-benchmark's tests, separated by commas (all that the servers know)
  --loads LOADS      clients x pipeline, separated by commas (50x1,50x16,1x1,500x1,8x100)
  --sizes BYTES      sizes of values in redis-benchmark's tests, separated by commas (64,4096)
  --cores LIST       cores that scaling may use, as in 0-7,16 (all that this program may run on)
  --only NAMES       these servers only, of ours, redis, valkey and those of --peer
  --ours PATH        our server (the one built beside this program)
  --peer NAME=PATH   one more server; may be repeated
  --json FILE        keeps the results; those of other subjects that are there already stay
  --svg FILE         draws the throughput
  --scaling-svg FILE draws the scaling
";

/// What is measured, and how long.
pub struct Options {
    /// None to show only what is known.
    pub subjects: Vec<&'static Subject>,
    /// The first is compared to the others.
    pub programs: Vec<Program>,
    pub rounds: usize,
    pub seconds: f64,
    pub requests: Option<usize>,
    pub keys: usize,
    /// None for all.
    pub tests: Vec<String>,
    pub loads: Vec<Load>,
    pub value_bytes: Vec<usize>,
    /// None for all that this program may run on.
    pub cores: Option<Vec<usize>>,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub scaling_svg: Option<PathBuf>,
}

/// How many clients there are, and how many requests each sends in a packet.
#[derive(Clone, Copy)]
pub struct Load {
    pub clients: usize,
    pub pipeline: usize,
}

impl Load {
    pub const fn new(clients: usize, pipeline: usize) -> Load {
        Load { clients, pipeline }
    }
}

impl Display for Load {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let plural = if self.clients == 1 { "" } else { "s" };
        write!(
            out,
            "{} client{plural}, pipeline {}",
            self.clients, self.pipeline
        )
    }
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Load, String> {
        let load = || {
            let (clients, pipeline) = text.split_once('x')?;
            let load = Load::new(clients.parse().ok()?, pipeline.parse().ok()?);
            (load.clients > 0 && load.pipeline > 0).then_some(load)
        };
        load().ok_or(format!(
            "{text} is no load: 50x16 is 50 clients with 16 requests in a packet"
        ))
    }
}

pub fn help() -> String {
    let subjects = SUBJECTS
        .iter()
        .map(|subject| format!("  {:<15} {}\n", subject.name, subject.about));
    format!(
        "{HELP}{}{}",
        subjects.collect::<String>(),
        OPTIONS_HELP.trim_start_matches('\n')
    )
}

/// What the command line asks for.
pub fn parse(mut arguments: Arguments) -> Result<Options, Box<dyn Error>> {
    let quick = arguments.contains("--quick");
    let (rounds, seconds, keys) = if quick {
        (1, 0.3, 100_000)
    } else {
        (3, 1.0, 1_000_000)
    };
    let loads = if quick {
        "50x1,50x16"
    } else {
        "50x1,50x16,1x1,500x1,8x100"
    };
    let sizes = if quick { "64" } else { "64,4096" };
    let mut options = Options {
        subjects: Vec::new(),
        programs: Vec::new(),
        rounds: arguments.opt_value_from_str("--rounds")?.unwrap_or(rounds),
        seconds: arguments
            .opt_value_from_str("--seconds")?
            .unwrap_or(seconds),
        requests: arguments.opt_value_from_str("--requests")?,
        keys: arguments.opt_value_from_str("--keys")?.unwrap_or(keys),
        tests: list(&mut arguments, "--tests", "")?,
        loads: list(&mut arguments, "--loads", loads)?,
        value_bytes: list(&mut arguments, "--sizes", sizes)?,
        cores: core_list(&mut arguments)?,
        json: arguments.opt_value_from_str("--json")?,
        svg: arguments.opt_value_from_str("--svg")?,
        scaling_svg: arguments.opt_value_from_str("--scaling-svg")?,
    };
    let is_test = |name: &&String| throughput::test_names().any(|known| known == *name);
    if let Some(name) = options.tests.iter().find(|name| !is_test(name)) {
        let names: Vec<&str> = throughput::test_names().collect();
        return Err(format!("there is no test {name}, but {}", names.join(", ")).into());
    }
    if let Some(bytes) = options
        .value_bytes
        .iter()
        .find(|bytes| **bytes > MOST_VALUE_BYTES)
    {
        return Err(
            format!("--sizes {bytes}: values have at most {MOST_VALUE_BYTES} bytes").into(),
        );
    }
    let ours = arguments.opt_value_from_str("--ours")?;
    let peers = arguments.values_from_str("--peer")?;
    let only = list(&mut arguments, "--only", "")?;
    options.subjects = subjects(arguments)?;
    if !options.subjects.is_empty() {
        options.programs = programs(ours, &peers, &only)?;
    }
    Ok(options)
}

fn core_list(arguments: &mut Arguments) -> Result<Option<Vec<usize>>, Box<dyn Error>> {
    let list: Option<String> = arguments.opt_value_from_str("--cores")?;
    let Some(list) = list else { return Ok(None) };
    let cores = cores::parse(&list);
    Ok(Some(cores.ok_or_else(|| {
        format!("--cores {list}: a list of numbers and ranges is needed, as in 0-7,16")
    })?))
}

/// What stands between the commas of an option.
fn list<T: FromStr<Err: Display>>(
    arguments: &mut Arguments,
    option: &'static str,
    default: &str,
) -> Result<Vec<T>, Box<dyn Error>> {
    let words: Option<String> = arguments.opt_value_from_str(option)?;
    let words = words.as_deref().unwrap_or(default).split(',');
    let parse = |word: &str| {
        let value = word.parse();
        value.map_err(|error| format!("{option} {word}: {error}").into())
    };
    words.filter(|word| !word.is_empty()).map(parse).collect()
}

/// Those that the rest of the command line names; none for `show`.
fn subjects(arguments: Arguments) -> Result<Vec<&'static Subject>, Box<dyn Error>> {
    let mut subjects = Vec::new();
    let words = arguments.finish();
    if words.is_empty() {
        return Ok(SUBJECTS.iter().collect());
    }
    if words == ["show"] {
        return Ok(subjects);
    }
    for word in words {
        let subject = SUBJECTS.iter().find(|subject| word == subject.name);
        subjects.push(subject.ok_or_else(|| {
            format!(
                "there is no subject or option {}: see --help",
                word.display()
            )
        })?);
    }
    Ok(subjects)
}

/// The servers to measure, ours first.
fn programs(
    ours: Option<PathBuf>,
    peers: &[String],
    only: &[String],
) -> Result<Vec<Program>, Box<dyn Error>> {
    let mut paths = vec![("ours", ours.clone().map_or_else(built_beside, Ok)?)];
    paths.push(("redis", PathBuf::from("redis-server")));
    if is_installed("valkey-server") {
        paths.push(("valkey", PathBuf::from("valkey-server")));
    }
    for peer in peers {
        let (name, path) = peer
            .split_once('=')
            .ok_or_else(|| format!("--peer {peer}: NAME=PATH is needed"))?;
        paths.push((name, PathBuf::from(path)));
    }
    if let Some(name) = only
        .iter()
        .find(|name| !paths.iter().any(|(known, _)| known == name))
    {
        return Err(format!("--only {name}: there is no such server").into());
    }
    paths.retain(|(name, _)| only.is_empty() || only.iter().any(|chosen| chosen == name));
    let mut programs = Vec::new();
    for (name, path) in paths {
        // Servers are started in folders of their own; a bare name is looked for on the PATH.
        let path = if path.components().count() > 1 {
            path::absolute(path)?
        } else {
            path
        };
        let mut program = Program::new(name, &path)?;
        if name == "ours" && ours.is_none() {
            program.version += &commit();
        }
        programs.push(program);
    }
    Ok(programs)
}

/// Our server, where cargo puts it: beside the folder of this program.
fn built_beside() -> Result<PathBuf, Box<dyn Error>> {
    let path = env::current_exe()?.with_file_name("../my_redis_server");
    path.canonicalize().map_err(|error| {
        format!("our server is not there, build it first (cargo build --release): {error}").into()
    })
}

/// What our server was built from, which its version does not tell.
fn commit() -> String {
    let folder = env!("CARGO_MANIFEST_DIR");
    let git = Command::new("git")
        .args(["-C", folder, "describe", "--always", "--dirty"])
        .output();
    match git {
        Ok(output) if output.status.success() => {
            format!(
                ", commit {}",
                String::from_utf8_lossy(&output.stdout).trim()
            )
        }
        _ => String::new(),
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}
