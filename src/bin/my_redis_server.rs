//! The server's binary: options and start.
//!
//! As with redis-server, every directive of the configuration is an option too: `--port 7000`, `--save 300 1`.

use my_redis_server::REDIS_VERSION;
use my_redis_server::command::declarations::Declarations;
use my_redis_server::server::check;
use my_redis_server::server::start::{self, Plan};
use my_redis_server::state::config::Config;
use my_redis_server::state::config::file::Reader;
use std::io;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

const HELP: &str = "\
Usage: my_redis_server [FILE] [-] [OPTIONS]

FILE is a configuration file like redis.conf, and - is one on the standard input.
Every directive that may stand in it is an option too, and an option wins over the
file. The most useful ones:

  --port PORT               listen on this port (6379)
  --bind ADDRESS ...        listen on these addresses (127.0.0.1)
  --dir DIRECTORY           where the dump is (the current directory)
  --dbfilename NAME         what the dump is called (dump.my_rdb)
  --save SECONDS CHANGES    write the dump after that time if there were that many changes (300 1); \"\" for never
  --maxclients COUNT        how many clients there may be (10000)
  --databases COUNT         how many databases there are (1)
  --loglevel LEVEL          debug, verbose, notice, warning or nothing (notice)
  --logfile FILE            where the log goes (standard output)
  --timeout SECONDS         disconnect clients that are idle for so long; 0 for never (0)
  --tcp-keepalive SECONDS   how often to look whether an idle client is still there (300)

  --appendonly yes          keep every change in the append-only file too (no)
  --check                   say what the dump and the append-only file hold and whether they are whole, and end
  --until TIME              show the data of the append-only file as they were then, and do not change them; TIME is
                            in seconds since 1970 or like 2026-11-27T12:00:00Z

  -h, --help                print this
  -v, --version             print the version
";

fn main() -> ExitCode {
    let mut arguments = pico_args::Arguments::from_env();
    if arguments.contains(["-h", "--help"]) {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if arguments.contains(["-v", "--version"]) {
        println!(
            "my_redis_server {} (compatible with Redis {REDIS_VERSION})",
            env!("CARGO_PKG_VERSION")
        );
        return ExitCode::SUCCESS;
    }
    match configure_and_run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("{line}");
            ExitCode::FAILURE
        }
    }
}

fn configure_and_run(mut arguments: pico_args::Arguments) -> Result<(), String> {
    let checks = arguments.contains("--check");
    let until = arguments.opt_value_from_fn("--until", parse_time);
    let until_s = until.map_err(|error| error.to_string())?;
    let mut words = Vec::new();
    for argument in arguments.finish() {
        let word = argument.into_string();
        words.push(word.map_err(|word| format!("The argument {word:?} is not valid text"))?);
    }
    let config = Config::default();
    let mut declarations = Declarations::default();
    let mut reader = Reader {
        config: &config,
        declarations: &mut declarations,
        warnings: vec![],
    };
    let mut options = words.as_slice();
    let mut file = None;
    if let Some((first, rest)) = options.split_first()
        && !first.starts_with('-')
    {
        reader.read_file(first).map_err(|error| error.to_string())?;
        // The directory may change, by a directive or at run time; the file stays where it is.
        file = std::path::absolute(first).ok();
        options = rest;
    }
    let (reads_input, options) = standard_input(options);
    if reads_input {
        let text = io::read_to_string(io::stdin());
        let text = text.map_err(|error| format!("Can't read the standard input: {error}"))?;
        reader
            .read_text(text.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    set_options(&mut reader, options)?;
    let warnings = reader.warnings;
    match checks {
        true => check::check(config, until_s),
        false => start::run(Plan {
            config,
            config_file: file,
            declarations,
            warnings,
            until_s,
        }),
    }
}

/// A time in seconds since 1970, or as in RFC 3339, where the `T` and the `Z` may be left out: UTC. In seconds of Unix
/// time.
fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| {
        format!("'{text}' is not a time: use seconds since 1970 or 2026-11-27T12:00:00Z")
    })?;
    let since = time.duration_since(UNIX_EPOCH);
    Ok(since.map_or(0, |since| since.as_secs() as i64))
}

/// Whether the configuration is to be read from the standard input too, which `-` says as the first or the last word;
/// and the other words.
fn standard_input(words: &[String]) -> (bool, &[String]) {
    match words {
        [first, rest @ ..] if first == "-" => (true, rest),
        [rest @ .., last] if last == "-" => (true, rest),
        words => (false, words),
    }
}

/// Sets what the options say: each begins with `--`, and what follows up to the next one are its values.
fn set_options(reader: &mut Reader, mut words: &[String]) -> Result<(), String> {
    while let Some((option, rest)) = words.split_first() {
        let Some(name) = option.strip_prefix("--") else {
            return Err(format!(
                "'{option}' is not an option: options begin with '--'. Try --help"
            ));
        };
        // A value may look like an option, but then it is a negative number: `--list-max-listpack-size -2`.
        let values = rest
            .iter()
            .take_while(|word| !word.starts_with("--"))
            .count();
        let (values, rest) = rest.split_at(values);
        let (name, inline) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let texts: Vec<&str> = inline
            .into_iter()
            .chain(values.iter().map(String::as_str))
            .collect();
        reader
            .set(&name.to_ascii_lowercase(), &texts)
            .map_err(|error| {
                let line = texts
                    .iter()
                    .fold(format!("--{name}"), |line, text| format!("{line} {text}"));
                format!("Option '{line}': {error}. Try --help")
            })?;
        words = rest;
    }
    Ok(())
}
