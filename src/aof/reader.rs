//! The commands of an append-only file: requests as they go over the wire, and annotations.
//!
//! ```text
//! #TS:1700000000\r\n                          an annotation: what follows came at this time (aof-timestamp-enabled)
//! *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n           a command
//! *1\r\n$5\r\nMULTI\r\n  ...  *1\r\n$4\r\nEXEC\r\n
//! ```
//!
//! A server that is killed leaves a last command that was cut off, or a transaction without its EXEC. The file is whole
//! up to there: [`Reader::whole_bytes`]. If the power was cut, a file system may have zeroes after that, because the
//! new length of the file has reached the disk before its content: [`is_torn`].

use std::io::{self, BufRead, Read};

/// The most bytes that a line may have: a number, or an annotation.
const LONGEST_LINE: u64 = 64 * 1024;

/// What stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A command with its arguments.
    Command(Vec<Vec<u8>>),
    /// A line for readers of the file, without its `#`.
    Annotation(Vec<u8>),
}

/// Why a file cannot be read on.
#[derive(Debug)]
pub enum ReadError {
    /// It ends within a command, or within a transaction.
    Truncated,
    /// What comes is no command.
    Format,
    /// The system could not read it.
    Io(io::Error),
}

/// Reads a file from its beginning, or from the end of an RDB file that it begins with.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// Bytes that have been read.
    position: u64,
    whole_bytes: u64,
    is_in_transaction: bool,
}

/// Whether `rest`, the end of a file from where it is whole, is what a power cut may leave: the beginning of a command
/// or of a transaction, and zeroes.
pub fn is_torn(rest: &[u8]) -> bool {
    let zeroes = rest.iter().rev().take_while(|byte| **byte == 0).count();
    let mut reader = Reader::new(&rest[..rest.len() - zeroes], 0);
    loop {
        match reader.next_item() {
            Ok(Some(_)) => {}
            Ok(None) | Err(ReadError::Truncated) => return zeroes > 0,
            Err(_) => return false,
        }
    }
}

impl Item {
    /// The time of an annotation `TS:`, in seconds of Unix time.
    pub fn timestamp_s(&self) -> Option<i64> {
        match self {
            Item::Annotation(text) => {
                let digits = text.strip_prefix(b"TS:")?;
                std::str::from_utf8(digits).ok()?.parse().ok()
            }
            Item::Command(_) => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Truncated,
            _ => ReadError::Io(error),
        }
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads what `input` has from its present place on, which is `position` bytes after the beginning of the file.
    pub fn new(input: R, position: u64) -> Reader<R> {
        Reader {
            input,
            position,
            whole_bytes: position,
            is_in_transaction: false,
        }
    }

    /// Bytes of the file that have been read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file up to the end of the last whole command, or of the last whole transaction: if the file is cut
    /// there, it can be read and continued.
    pub fn whole_bytes(&self) -> u64 {
        self.whole_bytes
    }

    /// The next item; `None` at the end of the file.
    pub fn next_item(&mut self) -> Result<Option<Item>, ReadError> {
        let first = match self.input.fill_buf()?.first() {
            Some(first) => *first,
            None if self.is_in_transaction => return Err(ReadError::Truncated),
            None => return Ok(None),
        };
        let item = match first {
            b'#' => Item::Annotation(self.line(b'#')?),
            _ => Item::Command(self.command()?),
        };
        if let Item::Command(arguments) = &item {
            let is = |name: &[u8]| arguments[0].eq_ignore_ascii_case(name);
            self.is_in_transaction = is(b"multi") || (self.is_in_transaction && !is(b"exec"));
        }
        if !self.is_in_transaction {
            self.whole_bytes = self.position;
        }
        Ok(Some(item))
    }

    fn command(&mut self) -> Result<Vec<Vec<u8>>, ReadError> {
        let count = self.number(b'*')?;
        if count == 0 {
            return Err(ReadError::Format);
        }
        // Nothing is allocated for arguments that are only announced.
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(self.argument()?);
        }
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<Vec<u8>, ReadError> {
        let len = self.number(b'$')?;
        let mut argument = Vec::new();
        let received = (&mut self.input).take(len).read_to_end(&mut argument)?;
        self.position += received as u64;
        let mut end = [0; 2];
        self.input.read_exact(&mut end)?;
        self.position += end.len() as u64;
        match &end {
            b"\r\n" => Ok(argument),
            _ => Err(ReadError::Format),
        }
    }

    fn number(&mut self, mark: u8) -> Result<u64, ReadError> {
        let line = self.line(mark)?;
        let text = std::str::from_utf8(&line).map_err(|_| ReadError::Format)?;
        text.parse().map_err(|_| ReadError::Format)
    }

    /// A line that begins with this byte, without it.
    fn line(&mut self, mark: u8) -> Result<Vec<u8>, ReadError> {
        let mut line = Vec::new();
        let limited = &mut (&mut self.input).take(LONGEST_LINE);
        let len = limited.read_until(b'\n', &mut line)? as u64;
        self.position += len;
        if line.first().is_some_and(|first| *first != mark) {
            return Err(ReadError::Format);
        }
        match line.strip_suffix(b"\r\n") {
            Some(text) => Ok(text[1..].to_vec()),
            None if line.ends_with(b"\n") || len == LONGEST_LINE => Err(ReadError::Format),
            None => Err(ReadError::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n";
    const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
    const EXEC: &[u8] = b"*1\r\n$4\r\nexec\r\n";

    /// How many items there are, the bytes that are whole, and the error at the end.
    fn read(bytes: &[u8]) -> (usize, u64, Option<ReadError>) {
        let mut reader = Reader::new(bytes, 0);
        let mut items = 0;
        loop {
            match reader.next_item() {
                Ok(Some(_)) => items += 1,
                Ok(None) => return (items, reader.whole_bytes(), None),
                Err(error) => return (items, reader.whole_bytes(), Some(error)),
            }
        }
    }

    #[test]
    fn commands_and_annotations_are_read() {
        let bytes = [b"#TS:1700000000\r\n", SET, b"#x\r\n"].concat();
        let mut reader = Reader::new(&bytes[..], 0);
        let mut next = || reader.next_item().unwrap().unwrap();
        assert_eq!(next().timestamp_s(), Some(1_700_000_000));
        let words = [&b"SET"[..], b"k", b"a\r\nb"].map(<[u8]>::to_vec);
        assert_eq!(next(), Item::Command(words.to_vec()));
        let annotation = next();
        assert_eq!(annotation, Item::Annotation(b"x".to_vec()));
        assert_eq!(annotation.timestamp_s(), None);
        assert_eq!(reader.next_item().unwrap(), None);
        assert_eq!(reader.whole_bytes(), bytes.len() as u64);
    }

    /// Wherever a file is cut off, it is whole up to the last command before, and not within a transaction.
    #[test]
    fn a_file_may_be_cut_off_anywhere() {
        let parts = [SET, b"#TS:1\r\n", MULTI, SET, SET, EXEC, SET];
        let bytes = parts.concat();
        let end = |parts: &[&[u8]]| parts.concat().len();
        let whole = [0, 1, 2, 6, 7].map(|count| end(&parts[..count]));
        for cut in 0..=bytes.len() {
            let last = whole.iter().rfind(|end| **end <= cut).unwrap();
            let (_, whole_bytes, error) = read(&bytes[..cut]);
            assert_eq!(whole_bytes, *last as u64, "cut at {cut}");
            match error {
                None => assert_eq!(cut, *last),
                Some(ReadError::Truncated) => assert_ne!(cut, *last),
                Some(other) => panic!("cut at {cut}: {other:?}"),
            }
        }
    }

    #[test]
    fn zeroes_at_the_end_are_no_other_damage() {
        let bytes = [SET, MULTI, SET, EXEC, SET].concat();
        let whole = [SET, MULTI, SET, EXEC].concat().len();
        for cut in whole..bytes.len() {
            let torn = [&bytes[whole..cut], &[0; 100]].concat();
            assert!(is_torn(&torn), "cut at {cut}");
            let damaged = [&torn, SET].concat();
            assert!(!is_torn(&damaged), "cut at {cut}");
        }
        assert!(is_torn(&[&bytes[SET.len()..whole - 1], &[0]].concat()));
        assert!(!is_torn(b"\x01\0") && !is_torn(SET));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for wrong in [
            &b"SET k v\r\n"[..],
            b"*0\r\n",
            b"*-1\r\n",
            b"*x\r\n",
            b"*1\n$1\na\n",
            b"*1\r\n+a\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$1\r\nabc\r\n",
            b"*1\r\n$99999999999999999999\r\n",
            b"\x00",
        ] {
            let (items, whole_bytes, error) = read(&[SET, wrong].concat());
            assert_eq!((items, whole_bytes), (1, SET.len() as u64));
            assert!(
                matches!(error, Some(ReadError::Format)),
                "{}: {error:?}",
                wrong.escape_ascii()
            );
        }
        let long = [b"#", &b"x".repeat(LONGEST_LINE as usize)[..], b"\r\n"].concat();
        assert!(matches!(read(&long).2, Some(ReadError::Format)));
    }

    /// What is announced and does not come is not allocated.
    #[test]
    fn promises_are_not_believed() {
        for promise in [
            &b"*4000000000\r\n$1\r\na\r\n"[..],
            b"*1\r\n$4000000000000\r\na",
        ] {
            assert!(matches!(read(promise).2, Some(ReadError::Truncated)));
        }
    }
}
