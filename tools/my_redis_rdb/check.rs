//! `check`: one line of verdict. The reading is that of the server when it starts.

use std::io::{self, Read, Write};

use my_redis_server::rdb::{Item, RdbError, Reader};
use my_redis_server::util::clock;

use super::table::{counted, grouped};
use super::{Trouble, Verdict, input};

pub fn check(file: &str) -> Result<Verdict, Trouble> {
    let input = input::open(file)?;
    let name = input::shown_name(file);
    let (line, verdict) = match read(input) {
        Ok(line) => (format!("{name}: good: {line}"), Verdict::Good),
        Err(error) => (format!("{name}: {error}"), Verdict::Bad),
    };
    writeln!(io::stdout(), "{line}")?;
    Ok(verdict)
}

/// What a good file holds.
fn read(input: impl Read) -> Result<String, RdbError> {
    let mut reader = Reader::new(input)?;
    let version = reader.version();
    let now_ms = clock::unix_ms();
    let (mut keys, mut expires, mut expired) = (0, 0, 0);
    while let Some(item) = reader.next()? {
        if let Item::Key(record) = item {
            keys += 1;
            if let Some(deadline) = record.expires_at_ms {
                expires += 1;
                expired += u64::from(deadline <= now_ms);
            }
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
    Ok(format!(
        "version {version}, {}, {} with an expiry ({} of them expired), {checksum}, {}{behind}",
        counted(keys, "key"),
        grouped(expires),
        grouped(expired),
        counted(bytes, "byte")
    ))
}
