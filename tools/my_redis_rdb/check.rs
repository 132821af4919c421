//! `check`: one line of verdict. The reading is that of the server when it starts, and so is the judgement: a key that comes
//! twice is a fault; a collection without elements is none, and is passed over.

use std::io::{self, Read, Write};

use my_redis_server::rdb::{Fate, Item, KeyRecord, RdbError, Reader};
use my_redis_server::util::clock;

use super::canonical::Record;
use super::sort::Sorter;
use super::table::{counted, grouped};
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
            Some(_) => {}
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
    let contents = contents.finish()?;
    Ok(format!(
        "version {version}, {contents}, {checksum}, {}{behind}",
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
        }
    }

    fn add(&mut self, offset: u64, record: &KeyRecord) -> io::Result<()> {
        self.keys += 1;
        self.expires += u64::from(record.expires_at_ms.is_some());
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
            "{}, {} with an expiry ({} of them expired){empty}",
            counted(self.keys, "key"),
            grouped(self.expires),
            grouped(self.expired),
        ))
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
