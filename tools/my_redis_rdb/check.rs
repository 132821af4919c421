//! `check`: one line of verdict. The reading is that of the server when it starts, and so is the judgement: a key that
//! comes twice is a fault; a collection without elements is none, and is passed over. Function libraries are named, but
//! not run: the server may still refuse one whose code fails. What a good file holds that our server does not know yet
//! is named too.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};

use my_redis_server::rdb::explain::Excerpt;
use my_redis_server::rdb::function::library_name;
use my_redis_server::rdb::{Fate, Item, KeyRecord, RdbError, Reader, Value};
use my_redis_server::util::clock;

use super::canonical::Record;
use super::sort::Sorter;
use super::table::{counted, grouped, quoted};
use super::{Trouble, Verdict, input};

pub fn check(file: &str) -> Result<Verdict, Trouble> {
    let input = input::open(file)?;
    let name = input::shown_name(file);
    let (line, verdict) = match read(input) {
        Ok(line) => (format!("{name}: good: {line}"), Verdict::Good),
        Err(Stop::Fault(error)) => (format!("{name}: {error}"), Verdict::Bad),
        Err(Stop::Temporary(error)) => return Err(Trouble::Output(error)),
    };
    writeln!(io::stdout(), "{line}")?;
    Ok(verdict)
}

/// Why there is no good word for the file.
enum Stop {
    Fault(RdbError),
    /// A temporary file could not be written or read.
    Temporary(io::Error),
}

impl From<RdbError> for Stop {
    fn from(error: RdbError) -> Stop {
        Stop::Fault(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Temporary(error)
    }
}

/// What a good file holds.
fn read(input: impl Read) -> Result<String, Stop> {
    let mut reader = Reader::new(input)?;
    let version = reader.version();
    let mut contents = Contents::new();
    loop {
        let offset = reader.offset();
        match reader.next()? {
            None => break,
            Some(Item::SelectDb(number)) => contents.database = number,
            Some(Item::Key(record)) => contents.add(offset, &record)?,
            Some(Item::Function(code)) => contents.add_library(&code),
            Some(Item::ModuleAux { name }) => contents.unknown.add_module(&name),
            Some(Item::Aux { .. } | Item::ResizeDb { .. }) => {}
        }
    }
    let checksum = match reader.checksum() {
        Some(checksum) => format!("checksum {checksum:016x} right"),
        None => "no checksum".to_string(),
    };
    let bytes = reader.offset();
    let behind = io::copy(&mut reader.into_rest(), &mut io::sink()).map_err(|error| {
        let offset = bytes;
        RdbError::Io { offset, error }
    })?;
    let behind = match behind {
        0 => String::new(),
        count => format!(", and {} behind the end", counted(count, "byte")),
    };
    let unknown = contents.unknown.to_string();
    let contents = contents.finish()?;
    Ok(format!(
        "version {version}, {contents}, {checksum}, {}{behind}{unknown}",
        counted(bytes, "byte")
    ))
}

/// What has been read so far.
struct Contents {
    now_ms: i64,
    database: u64,
    keys: u64,
    expires: u64,
    expired: u64,
    empty: u64,
    /// The names that a server would keep.
    names: Sorter,
    /// The names of function libraries.
    libraries: Names<Vec<u8>>,
    unknown: Unknown,
}

impl Contents {
    fn new() -> Contents {
        Contents {
            now_ms: clock::unix_ms(),
            database: 0,
            keys: 0,
            expires: 0,
            expired: 0,
            empty: 0,
            names: Sorter::new(),
            libraries: Names::default(),
            unknown: Unknown::default(),
        }
    }

    fn add(&mut self, offset: u64, record: &KeyRecord) -> io::Result<()> {
        self.keys += 1;
        self.expires += u64::from(record.expires_at_ms.is_some());
        if let Value::Module { name } = &record.value {
            self.unknown.add_module(name);
        }
        match record.fate(self.now_ms) {
            Fate::Kept => {
                let name = Record::of_name(self.database, &record.key, offset);
                self.names.push(name)?;
            }
            Fate::Empty => self.empty += 1,
            Fate::Expired => self.expired += 1,
        }
        Ok(())
    }

    fn add_library(&mut self, code: &[u8]) {
        self.libraries.add(library_name(code).unwrap_or_default());
    }

    /// The words for it, unless a key comes twice.
    fn finish(self) -> Result<String, Stop> {
        if let Some((offset, key)) = first_twice(self.names)? {
            return Err(RdbError::key_twice(offset, &key).into());
        }
        let empty = match self.empty {
            0 => String::new(),
            1 => ", 1 without elements, which is passed over".to_string(),
            count => format!(
                ", {} without elements, which are passed over",
                grouped(count)
            ),
        };
        Ok(format!(
            "{}, {} with an expiry ({} of them expired){empty}{}",
            counted(self.keys, "key"),
            grouped(self.expires),
            grouped(self.expired),
            libraries(&self.libraries),
        ))
    }
}

/// More names of libraries, and of modules, are not printed.
const MAX_NAMES: usize = 16;
const NAME_WIDTH: usize = 48;

/// The first names, at most [`MAX_NAMES`].
#[derive(Default)]
struct Names<T> {
    first: BTreeSet<T>,
    /// Whether there were more.
    has_more: bool,
}

impl<T: Ord> Names<T> {
    fn add(&mut self, name: T) {
        if self.first.len() < MAX_NAMES {
            self.first.insert(name);
        } else {
            self.has_more |= !self.first.contains(&name);
        }
    }
}

/// The words for the function libraries, empty if there are none.
fn libraries(names: &Names<Vec<u8>>) -> String {
    let words = names.first.iter().map(|name| match name.as_slice() {
        b"" => ", a function library without a name".to_string(),
        name => format!(
            ", the function library {}",
            quoted(Excerpt::of(name), NAME_WIDTH)
        ),
    });
    let more = match names.has_more {
        true => ", and more function libraries",
        false => "",
    };
    words.collect::<String>() + more
}

/// What is no fault of a file, but keeps our server from loading it.
#[derive(Default)]
struct Unknown {
    modules: Names<String>,
}

impl Unknown {
    fn add_module(&mut self, name: &str) {
        self.modules.add(name.to_string());
    }
}

/// A part of the verdict, empty if there is nothing to tell.
impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let modules = self.modules.first.iter();
        words.extend(modules.map(|name| format!("the module {name}")));
        if self.modules.has_more {
            words.push("and more".to_string());
        }
        match words.is_empty() {
            true => Ok(()),
            false => write!(
                f,
                "; not known to my_redis_server yet: {}",
                words.join(", ")
            ),
        }
    }
}

/// Of the keys that come twice the one whose second coming is first in the file.
fn first_twice(names: Sorter) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut first: Option<(u64, Vec<u8>)> = None;
    let mut previous = Record::default();
    for name in names.finish()? {
        let name = name?;
        let is_second = !previous.0.is_empty() && previous.order() == name.order();
        let offset = name.offset_of_name();
        if is_second && first.as_ref().is_none_or(|(least, _)| offset < *least) {
            first = Some((offset, name.key().to_vec()));
        }
        previous = name;
    }
    Ok(first)
}
