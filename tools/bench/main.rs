//! Measures our server beside others, and tells how it compares: as a table, as JSON, as a chart.
//!
//! ```sh
//! tools/bench.sh --help
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `main`, `options` | the rounds; the words of the command line |
//! | `subject` | what can be measured, and the cases of it |
//! | `throughput`, `redis_benchmark` | redis-benchmark's tests, each sized to last a second |
//! | `scaling`, `cores` | some of these tests with the server on more and more cores; which cores those are |
//! | `mixed`, `eviction`, `streams`, `readers`, `memory`, `connections`, `freed`, `start` | clients of our own |
//! | `scripts`, `scripts/*.lua` | calls of Lua scripts |
//! | `saves`, `huge` | what clients notice of a save |
//! | `peer`, `clients`, `watch` | a server, its clients, what they get from it at what cost |
//! | `waits`, `data` | how long clients wait, what they send |
//! | `results`, `table`, `chart`, `curves` | figures, and the forms in which they are shown |
//!
//! Every measurement has a server of its own that holds nothing yet, runs alone, and is gone afterwards with its
//! folder. In each round a case is measured with all servers, one right after the other, so that what the machine does
//! besides meets all of them. Needs redis-server and redis-benchmark on the PATH, and Linux' /proc.

mod append_only;
mod chart;
mod clients;
mod connections;
mod cores;
mod curves;
mod data;
mod eviction;
mod freed;
mod huge;
mod large;
mod memory;
mod mixed;
mod options;
mod peer;
mod pubsub;
mod readers;
mod redis_benchmark;
mod replication;
mod results;
mod saves;
mod scaling;
mod scripts;
mod start;
mod streams;
mod subject;
mod table;
mod throughput;
mod waits;
mod watch;

use pico_args::Arguments;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use options::Options;
use results::{Machine, Results, Server};
use subject::Subject;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_env();
    if arguments.contains(["-h", "--help"]) {
        print!("{}", options::help());
        return ExitCode::SUCCESS;
    }
    match options::parse(arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut results = begin(options)?;
    for subject in &options.subjects {
        measure(subject, options, &mut results)?;
        show(&results, subject)?;
    }
    if options.subjects.is_empty() {
        let mut subjects = subject::SUBJECTS.iter();
        subjects.try_for_each(|subject| show(&results, subject))?;
    }
    if let Some(file) = &options.svg {
        fs::write(file, chart::chart(&results))?;
    }
    if let Some(file) = &options.scaling_svg {
        fs::write(file, curves::chart(&results))?;
    }
    Ok(())
}

/// Whoever reads the tables may have seen enough: then this fails.
fn show(results: &Results, subject: &Subject) -> io::Result<()> {
    io::stdout().write_all(table::table(results, subject.name).as_bytes())
}

/// What is known before anything is measured: the results in the file, if they are of the same servers on this machine.
fn begin(options: &Options) -> Result<Results, Box<dyn Error>> {
    let known = match &options.json {
        Some(file) if file.exists() => Some(Results::read(file)?),
        _ => None,
    };
    if options.subjects.is_empty() {
        return known.ok_or("what to show? --json FILE".into());
    }
    let servers = options.programs.iter().map(|program| Server {
        name: program.name.clone(),
        version: program.version.clone(),
    });
    let mut results = Results {
        date: results::today()?,
        machine: Machine::here()?,
        servers: servers.collect(),
        rows: Vec::new(),
    };
    if let Some(known) = known {
        if known.machine != results.machine || known.servers != results.servers {
            return Err(
                "the file of --json has results of other servers or of another machine".into(),
            );
        }
        results.rows = known.rows;
    }
    Ok(results)
}

/// All rounds of a subject, with those servers that know what its cases need; a case that ours does not know is left
/// out.
fn measure(
    subject: &Subject,
    options: &Options,
    results: &mut Results,
) -> Result<(), Box<dyn Error>> {
    let mut cases = (subject.cases)(options);
    if cases.is_empty() {
        return Ok(());
    }
    let mut servers = Vec::new();
    for program in &options.programs {
        servers.push((program, subject::known_commands(program, &cases)?));
    }
    let (_, ours) = &servers[0];
    cases.retain(|case| case.needs_only(ours));
    for case in &cases {
        results.forget([subject.name, &case.group, &case.name]);
    }
    let rounds = if subject.steady { 1 } else { options.rounds };
    for round in 1..=rounds {
        for case in &cases {
            let name = [subject.name, &case.group, &case.name];
            eprintln!("round {round} of {rounds}: {}", name.join("; "));
            for (program, commands) in &servers {
                if case.needs_only(commands) {
                    let samples = (case.measure)(program);
                    let samples = samples.map_err(|error| format!("{}: {error}", program.name))?;
                    results.add(name, &program.name, samples);
                }
            }
        }
        // A run that is broken off has its former rounds.
        if let Some(file) = &options.json {
            results.write(file)?;
        }
    }
    Ok(())
}
