//! Measures what saving and loading cost, ours and redis-server side by side, and prints a table.
//!
//! ```sh
//! cargo build --release && cargo run --release --example measure_saves -- --help
//! ```
//!
//! Two questions: what do clients notice of a save (`keys`: many small keys under writers, `collection`: one huge value
//! changed while it is saved), and how long do saving and loading take. The servers run one after the other, never
//! together, in temporary folders that are removed. Needs redis-server on the PATH, and Linux' /proc.

mod clients;
mod collection;
mod keys;
mod peer;

use pico_args::Arguments;
use std::process::ExitCode;

const HELP: &str = "\
Usage: measure_saves [keys | collection] [options]

  keys         (default) many small keys, saved while writers change them; then loaded again
  collection   one huge hash and one huge list, changed in place while they are saved

  --keys N         how many keys, or elements of a collection   (3000000, or 1000000)
  --value-bytes N  bytes of a value                             (64)
  --writers N      clients that write all the time              (2)
  --rounds N       how often each server is measured; the table has the medians (1)
  --only NAME      ours or redis: measures one alone
  --ours PATH      our server                                   (beside this program)
";

/// What is measured.
struct Options {
    keys: usize,
    value_bytes: usize,
    writers: usize,
}

/// A row of the table: its name, and the value.
type Figure = (&'static str, f64);

/// Measures a server that holds nothing yet.
type Measure = fn(&mut peer::Peer, &Options) -> Vec<Figure>;

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if arguments.contains("--help") {
        print!("{HELP}");
        return Ok(());
    }
    let subject = arguments.subcommand()?.unwrap_or("keys".to_string());
    let (measure, default_keys): (Measure, usize) = match subject.as_str() {
        "keys" => (keys::measure, 3_000_000),
        "collection" => (collection::measure, 1_000_000),
        other => return Err(format!("unknown subject '{other}'\n{HELP}").into()),
    };
    let options = Options {
        keys: arguments
            .opt_value_from_str("--keys")?
            .unwrap_or(default_keys),
        value_bytes: arguments.opt_value_from_str("--value-bytes")?.unwrap_or(64),
        writers: arguments.opt_value_from_str("--writers")?.unwrap_or(2),
    };
    let rounds: usize = arguments.opt_value_from_str("--rounds")?.unwrap_or(1);
    let only: Option<String> = arguments.opt_value_from_str("--only")?;
    let ours: Option<String> = arguments.opt_value_from_str("--ours")?;
    if let Some(unknown) = arguments.finish().first() {
        return Err(format!("unknown option {}\n{HELP}", unknown.display()).into());
    }
    let programs = [("redis", peer::redis()), ("ours", peer::ours(ours)?)];
    let programs = programs
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let mut columns: Vec<(&str, Vec<Vec<Figure>>)> = programs
        .clone()
        .map(|(name, _)| (*name, Vec::new()))
        .collect();
    for _ in 0..rounds {
        for ((_, program), (_, results)) in programs.clone().zip(&mut columns) {
            results.push(measure(&mut peer::Peer::start(program)?, &options));
        }
    }
    print_table(&columns);
    Ok(())
}

fn print_table(columns: &[(&str, Vec<Vec<Figure>>)]) {
    print!("{:<52}", "");
    columns.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!("{:>12}", if columns.len() == 2 { "ratio" } else { "" });
    for (row, (name, _)) in columns[0].1[0].iter().enumerate() {
        print!("{name:<52}");
        let medians: Vec<f64> = columns
            .iter()
            .map(|(_, results)| median(results.iter().map(|figures| figures[row].1).collect()))
            .collect();
        medians.iter().for_each(|figure| print!("{figure:>12.2}"));
        match medians[..] {
            [theirs, ours] if theirs > 0.0 => println!("{:>12.2}", ours / theirs),
            _ => println!(),
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
