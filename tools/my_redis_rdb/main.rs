//! A tool to look into RDB files, and to learn the format from them.
//!
//! | file | what it does |
//! |---|---|
//! | `main` | the words of the command line |
//! | `input` | a file or standard input, with a progress bar |
//! | `explain`, `selection` | every byte and its meaning; which part of a long file is shown |
//! | `text`, `html` | the two forms of that |
//! | `check`, `json`, `stats`, `diff` | the other commands |
//! | `canonical`, `sort` | values in one form and keys in one order, for `diff` and `check`; on disk if many |
//! | `table` | aligned columns, amounts, shortened strings |
//!
//! Everything streams: a file may be larger than the memory, a single value may not.

mod canonical;
mod check;
mod diff;
mod explain;
mod html;
mod input;
mod json;
mod selection;
mod sort;
mod stats;
mod table;
mod text;

use std::io;
use std::process::ExitCode;

use my_redis_server::util::quoting::split_arguments;
use pico_args::Arguments;

const HELP: &str = "\
Looks into RDB files: the dumps of Redis 2.0 to 7.2, of Valkey 8, and ours.

Usage: my_redis_rdb COMMAND [OPTIONS] FILE

  explain FILE              every byte with its offset and what it means
    --html                  as a page for a browser, with parts to fold and unfold
    --output PATH           into this file instead of standard output
    --keys COUNT            only the first keys of each database (with --html: 100; 'all' for all)
    --items COUNT           only the first rows of each value and block (with --html: 200; 'all' for all)
    --from OFFSET           nothing before this byte of the file, except its header
    --key NAME              only this key; \"in quotes\", \\n \\x00 and the like are bytes, as in redis-cli
    --color WHEN            always, never, or auto: on a terminal (auto)
  check FILE                whether the file is whole, as my_redis_server judges when it starts; if not, the first fault
                            and where it is; a key that comes twice is found at the end
  json FILE                 one JSON object a line and key; see below
  stats FILE                what is in it: types, prefixes, large keys, expiries, encodings
    --top COUNT             so many prefixes and keys (10)
  diff FILE FILE            which keys differ, whatever the order and the encoding; values are compared by content
    --first COUNT           so many differences within a value (3)

check and diff sort the keys of large files in temporary files, which have no names, in $TMPDIR or /tmp.

  -h, --help                print this
  -v, --version             print the version

FILE may be - for standard input. Exit code: 0 good; 1 a fault was found, or the files differ; 2 wrong usage, or a file
that cannot be read or written.

json: decoding a line gives the strings, as UTF-8. If one of a key's strings is not UTF-8, its line has the member
\"encoding\":\"latin-1\", and there each character of a name, a field or a value stands for one byte, U+0000 to U+00FF.
A hash is an object, a sorted set an object of scores, \"inf\" and \"-inf\" for those that JSON does not have.
";

/// How a command ended that has done its work.
pub enum Verdict {
    /// Nothing to complain of.
    Good,
    /// A fault, or a difference.
    Bad,
}

/// Why a command could not do its work.
pub enum Trouble {
    /// The command line is wrong.
    Usage(String),
    /// An input cannot be read, for reasons outside of the file.
    Input(String),
    /// An input is damaged, so that the work cannot be finished.
    Fault(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Output(error)
    }
}

impl From<pico_args::Error> for Trouble {
    fn from(error: pico_args::Error) -> Trouble {
        Trouble::Usage(error.to_string())
    }
}

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        // Whoever reads our output has seen enough.
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            let code = if matches!(trouble, Trouble::Fault(_)) {
                1
            } else {
                2
            };
            match trouble {
                Trouble::Usage(line) => eprintln!("my_redis_rdb: {line}. Try --help"),
                Trouble::Input(line) | Trouble::Fault(line) => eprintln!("my_redis_rdb: {line}"),
                Trouble::Output(error) => eprintln!("my_redis_rdb: cannot write: {error}"),
            }
            ExitCode::from(code)
        }
    }
}

fn run(mut arguments: Arguments) -> Result<Verdict, Trouble> {
    if arguments.contains(["-h", "--help"]) {
        return print(HELP);
    }
    if arguments.contains(["-v", "--version"]) {
        return print(&format!("my_redis_rdb {}\n", env!("CARGO_PKG_VERSION")));
    }
    let command = arguments.subcommand()?;
    match command.as_deref() {
        Some("explain") => explain_command(arguments),
        Some("check") => check::check(&one_file(arguments)?),
        Some("json") => json::json(&one_file(arguments)?),
        Some("stats") => {
            let top = arguments.opt_value_from_str("--top")?.unwrap_or(10);
            stats::stats(&one_file(arguments)?, top)
        }
        Some("diff") => {
            let first = arguments.opt_value_from_str("--first")?.unwrap_or(3);
            let [a, b] = files(arguments)?;
            if a == "-" && b == "-" {
                return Err(Trouble::Usage("only one of the files can be -".into()));
            }
            diff::diff(&a, &b, first)
        }
        Some(other) => Err(Trouble::Usage(format!("there is no command '{other}'"))),
        None => Err(Trouble::Usage("a command is missing".into())),
    }
}

fn print(text: &str) -> Result<Verdict, Trouble> {
    io::Write::write_all(&mut io::stdout(), text.as_bytes())?;
    Ok(Verdict::Good)
}

fn explain_command(mut arguments: Arguments) -> Result<Verdict, Trouble> {
    let is_html = arguments.contains("--html");
    let limit = |text: Option<String>, default: u64| match text.as_deref() {
        None => Ok(is_html.then_some(default)),
        Some("all") => Ok(None),
        Some(count) => count
            .parse()
            .map(Some)
            .map_err(|_| Trouble::Usage(format!("'{count}' is neither a number nor 'all'"))),
    };
    let keys = limit(arguments.opt_value_from_str("--keys")?, 100)?;
    let items = limit(arguments.opt_value_from_str("--items")?, 200)?;
    let key: Option<String> = arguments.opt_value_from_str("--key")?;
    let options = explain::Options {
        is_html,
        output: arguments.opt_value_from_str("--output")?,
        color: arguments
            .opt_value_from_fn("--color", |word| match word {
                "auto" => Ok(None),
                "always" => Ok(Some(true)),
                "never" => Ok(Some(false)),
                _ => Err("always, never or auto"),
            })?
            .flatten(),
        selection: selection::Selection {
            keys,
            items,
            from: arguments.opt_value_from_str("--from")?.unwrap_or(0),
            key: key.map(key_bytes).transpose()?,
        },
    };
    explain::explain(&one_file(arguments)?, options)
}

/// A name as it is, or in double quotes with escapes.
fn key_bytes(name: String) -> Result<Vec<u8>, Trouble> {
    if !name.starts_with('"') {
        return Ok(name.into_bytes());
    }
    match split_arguments(name.as_bytes()).as_deref() {
        Ok([word]) => Ok(word.clone()),
        _ => Err(Trouble::Usage(format!("{name} is not one word in quotes"))),
    }
}

fn one_file(arguments: Arguments) -> Result<String, Trouble> {
    files(arguments).map(|[file]| file)
}

/// What is left of the command line, which must be files.
fn files<const N: usize>(arguments: Arguments) -> Result<[String; N], Trouble> {
    let mut files = Vec::new();
    for word in arguments.finish() {
        let word = word
            .into_string()
            .map_err(|word| Trouble::Usage(format!("{word:?} is not valid text")))?;
        if word.starts_with('-') && word != "-" {
            return Err(Trouble::Usage(format!("there is no option '{word}' here")));
        }
        files.push(word);
    }
    let count = files.len();
    files
        .try_into()
        .map_err(|_| Trouble::Usage(format!("expected {N} file(s), found {count}")))
}
