//! The request parser: bytes from a client to the arguments of a command.
//!
//! A request is an array of bulk strings, or a line of words (<https://redis.io/docs/reference/protocol-spec/>):
//!
//! ```text
//!   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n          GET k\r\n
//! ```
//!
//! Arguments are not copied: they are ranges of the input buffer. Only [large](LargeArgument) arguments are received
//! into memory of their own.
//!
//! A request may arrive byte by byte: the parser keeps its place and continues there. Memory grows with what has been
//! received: a header that announces a million arguments or 512 MB costs nothing until they come.

use super::large_argument::{LARGE_FROM_BYTES, LargeArgument};
use crate::util::number;
use crate::util::quoting;
use smallvec::SmallVec;
use std::ops::Range;
use triomphe::Arc;

/// Longest line, in bytes: an inline request, or a header.
const MAX_LINE: usize = 64 * 1024;
/// Most arguments of one request.
const MAX_ARGUMENTS: i64 = i32::MAX as i64;
/// Header lines of up to this many digits are read in one pass.
const MOST_USUAL_DIGITS: usize = 4;
/// The usual number of arguments. A request with more of them needs an allocation.
const USUAL_ARGUMENTS: usize = 8;
/// The number of arguments for which an idle parser keeps its memory.
const KEPT_ARGUMENTS: usize = 64;

/// The arguments of one request, the command's name first.
pub type Arguments<'a> = SmallVec<[&'a [u8]; USUAL_ARGUMENTS]>;

/// The large arguments of a request, each with its index, in ascending order.
pub type LargeArguments = Vec<(usize, Arc<Vec<u8>>)>;

/// The client does not speak the protocol. It gets this error, and the connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline request without an end.
    InlineTooBig,
    /// Quotes without an end in an inline request.
    UnbalancedQuotes,
    /// The line with the number of arguments has no end.
    CountTooBig,
    /// The number of arguments is no number, or too large.
    InvalidCount,
    /// The line with the length of an argument has no end.
    LengthTooBig,
    /// An argument does not begin with `$`, but with this byte.
    ExpectedDollar(u8),
    /// The length of an argument is no number, or negative, or too large.
    InvalidLength,
    /// A client that must log in announces more arguments than that takes.
    UnauthenticatedCount,
    /// A client that must log in announces a longer argument than that takes.
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The reply. Bytes, because it may quote what the client sent.
    pub fn text(&self) -> Vec<u8> {
        let reason: &[u8] = match self {
            ProtocolError::InlineTooBig => b"too big inline request",
            ProtocolError::UnbalancedQuotes => b"unbalanced quotes in request",
            ProtocolError::CountTooBig => b"too big mbulk count string",
            ProtocolError::InvalidCount => b"invalid multibulk length",
            ProtocolError::LengthTooBig => b"too big bulk count string",
            ProtocolError::ExpectedDollar(byte) => {
                &[b"expected '$', got '", &[*byte][..], b"'"].concat()
            }
            ProtocolError::InvalidLength => b"invalid bulk length",
            ProtocolError::UnauthenticatedCount => b"unauthenticated multibulk length",
            ProtocolError::UnauthenticatedLength => b"unauthenticated bulk length",
        };
        [b"ERR Protocol error: ", reason].concat()
    }
}

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The longest argument, in bytes.
    pub argument_bytes: usize,
    /// Whether the client must still log in, and so may send small requests only: to log in takes no other.
    pub is_unauthenticated: bool,
}

impl RequestLimits {
    /// Of a client that has logged in, or need not.
    pub const fn of_known_client(argument_bytes: usize) -> RequestLimits {
        RequestLimits {
            argument_bytes,
            is_unauthenticated: false,
        }
    }
}

/// The most arguments of a request of a client that has not logged in.
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
/// Their longest argument, in bytes.
const UNAUTHENTICATED_ARGUMENT_BYTES: usize = 16 * 1024;

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// The bytes that are parsed of the request at the start of the input.
    position: usize,
    /// Arguments of the array still to come; 0 between requests.
    missing: usize,
    /// The length of the argument whose header has been read.
    length: Option<usize>,
    /// Where the arguments lie: in the input, or in `line` if the request is inline. The range of a large one is empty.
    ranges: SmallVec<[Range<usize>; USUAL_ARGUMENTS]>,
    large: LargeArguments,
    /// The large argument that has not arrived as a whole.
    arriving: Option<Box<LargeArgument>>,
    /// The words of an inline request, unquoted.
    line: Vec<u8>,
    is_inline: bool,
}

impl RequestParser {
    /// Continues to parse. `input` must begin where the request begins, in every call until it is complete. Then the
    /// number of its bytes is returned, and the next call expects the input after them. A request may have no
    /// arguments.
    pub fn parse(
        &mut self,
        input: &[u8],
        limits: RequestLimits,
    ) -> Result<Option<usize>, ProtocolError> {
        if self.position == 0 {
            self.ranges.clear();
            debug_assert!(self.large.is_empty(), "they were let go");
            self.is_inline = false;
            match input.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let Some(count) = self.header(input, ProtocolError::CountTooBig)? else {
                        return Ok(None);
                    };
                    let count = count.filter(|count| *count <= MAX_ARGUMENTS);
                    let count = count.ok_or(ProtocolError::InvalidCount)?;
                    if limits.is_unauthenticated && count > UNAUTHENTICATED_ARGUMENTS {
                        return Err(ProtocolError::UnauthenticatedCount);
                    }
                    self.missing = count.max(0) as usize;
                }
                Some(_) => return self.inline(input),
            }
        }
        while self.missing > 0 {
            if !self.argument(input, limits)? {
                return Ok(None);
            }
        }
        Ok(Some(std::mem::take(&mut self.position)))
    }

    /// The arguments of the request that [`parse`](Self::parse) has just completed.
    pub fn arguments<'a>(&'a self, input: &'a [u8]) -> Arguments<'a> {
        let source = if self.is_inline { &self.line } else { input };
        match self.large.is_empty() {
            true => self
                .ranges
                .iter()
                .map(|range| &source[range.clone()])
                .collect(),
            false => self.with_large_arguments(source),
        }
    }

    #[cold]
    fn with_large_arguments<'a>(&'a self, source: &'a [u8]) -> Arguments<'a> {
        let ranges = self.ranges.iter();
        let mut arguments: Arguments = ranges.map(|range| &source[range.clone()]).collect();
        for (index, argument) in &self.large {
            arguments[*index] = argument;
        }
        arguments
    }

    /// The large ones of the [`arguments`](Self::arguments).
    pub fn large_arguments(&self) -> &LargeArguments {
        &self.large
    }

    /// Frees the large arguments, after the request has been executed.
    #[inline]
    pub fn drop_large_arguments(&mut self) {
        if !self.large.is_empty() {
            self.large = Vec::new();
        }
    }

    /// To be called when [`parse`](Self::parse) has found a request unfinished. If the next argument is large, this
    /// moves its first bytes out of `input`, and returns how many bytes the caller must remove from the end of `input`.
    pub fn begin_large_argument(&mut self, input: &[u8]) -> usize {
        let received = &input[self.position..];
        match self.length {
            Some(len)
                if len >= LARGE_FROM_BYTES && received.len() <= len && self.arriving.is_none() =>
            {
                self.arriving = Some(Box::new(LargeArgument::new(len, received)));
                received.len()
            }
            _ => 0,
        }
    }

    /// The large argument that is arriving, if there is one: the next bytes of the client belong to it.
    pub fn arriving(&mut self) -> Option<&mut LargeArgument> {
        self.arriving
            .as_deref_mut()
            .filter(|argument| !argument.is_complete())
    }

    /// Bytes that the parser holds for an unfinished request: the places of arguments, and large arguments.
    pub fn pending_bytes(&self) -> usize {
        let large: usize = self.large.iter().map(|(_, argument)| argument.len()).sum();
        let arriving = self
            .arriving
            .as_ref()
            .map_or(0, |argument| argument.received());
        self.ranges.capacity() * size_of::<Range<usize>>() + large + arriving
    }

    /// Frees the memory of a request with very many arguments.
    pub fn shrink(&mut self) {
        if self.position == 0 && self.ranges.capacity() > KEPT_ARGUMENTS {
            self.ranges = SmallVec::new();
        }
        if self.position == 0 && self.is_inline {
            self.line = Vec::new();
        }
    }

    /// Reads one argument; `false` if it has not arrived yet.
    fn argument(&mut self, input: &[u8], limits: RequestLimits) -> Result<bool, ProtocolError> {
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(&first) = input.get(self.position) else {
                    return Ok(false);
                };
                let start = self.position;
                let Some(length) = self.header(input, ProtocolError::LengthTooBig)? else {
                    return Ok(false);
                };
                if first != b'$' {
                    return Err(ProtocolError::ExpectedDollar(input[start]));
                }
                let length = length.and_then(|length| usize::try_from(length).ok());
                let length = length.filter(|length| *length <= limits.argument_bytes);
                let length = length.ok_or(ProtocolError::InvalidLength)?;
                if limits.is_unauthenticated && length > UNAUTHENTICATED_ARGUMENT_BYTES {
                    return Err(ProtocolError::UnauthenticatedLength);
                }
                *self.length.insert(length)
            }
        };
        let in_input = if self.arriving.is_some() { 0 } else { length };
        // As in Redis, the two bytes after an argument are skipped without a check.
        if input.len() < self.position + in_input + 2 {
            return Ok(false);
        }
        if let Some(argument) = self.arriving.take() {
            let bytes = Arc::new(argument.into_bytes());
            self.large.push((self.ranges.len(), bytes));
        }
        self.ranges.push(self.position..self.position + in_input);
        self.position += in_input + 2;
        self.missing -= 1;
        self.length = None;
        Ok(true)
    }

    /// Parses a header line. The inner result is the number after its first byte, or `None` if that is not a number.
    fn header(
        &mut self,
        input: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<Option<i64>>, ProtocolError> {
        let line = &input[self.position..];
        if let Some((number, bytes)) = usual_header(line) {
            self.position += bytes;
            return Ok(Some(Some(number)));
        }
        match line.iter().position(|byte| *byte == b'\r') {
            // The parser waits for the line feed, but does not check it.
            Some(end) if end + 1 < line.len() => {
                self.position += end + 2;
                Ok(Some(line.get(1..end).and_then(number::parse_i64)))
            }
            Some(_) => Ok(None),
            None if line.len() > MAX_LINE => Err(too_long),
            None => Ok(None),
        }
    }

    fn inline(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return if input.len() > MAX_LINE {
                Err(ProtocolError::InlineTooBig)
            } else {
                Ok(None)
            };
        };
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        let words = quoting::split_arguments(line).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        self.is_inline = true;
        self.line.clear();
        for word in words {
            let start = self.line.len();
            self.line.extend_from_slice(&word);
            self.ranges.push(start..self.line.len());
        }
        Ok(Some(end + 1))
    }
}

/// The number of a header line of a few digits, and the bytes of the line with its end; `None` if the line is longer,
/// unfinished or faulty.
#[inline]
fn usual_header(line: &[u8]) -> Option<(i64, usize)> {
    if !matches!(line, [_, b'1'..=b'9', ..]) {
        return None;
    }
    let mut number = 0;
    // The digits and the `\r`.
    for (index, byte) in line.iter().enumerate().skip(1).take(MOST_USUAL_DIGITS + 1) {
        match byte {
            b'0'..=b'9' => number = 10 * number + i64::from(byte - b'0'),
            b'\r' if index + 1 < line.len() => return Some((number, index + 2)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits::of_known_client(512 << 20);

    /// Parses all requests of an input that arrives in pieces of `piece` bytes.
    fn parse(input: &[u8], piece: usize) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let mut parser = RequestParser::default();
        let mut requests = Vec::new();
        let (mut start, mut end) = (0, 0);
        loop {
            match parser.parse(&input[start..end], LIMITS)? {
                Some(len) => {
                    let arguments = parser.arguments(&input[start..]);
                    requests.push(arguments.iter().map(|argument| argument.to_vec()).collect());
                    start += len;
                }
                None if end == input.len() => return Ok(requests),
                None => end = (end + piece).min(input.len()),
            }
        }
    }

    fn check(input: &[u8], expected: &[&[&[u8]]]) {
        for piece in [1, 2, 3, 7, input.len().max(1)] {
            let requests = parse(input, piece).expect("the input is well formed");
            assert!(
                requests
                    .iter()
                    .map(Vec::as_slice)
                    .eq(expected.iter().copied()),
                "{requests:?}"
            );
        }
    }

    #[test]
    fn requests_however_the_packets_fall() {
        check(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", &[&[b"GET", b"k"]]);
        check(
            b"*1\r\n$4\r\nPING\r\n*1\r\n$0\r\n\r\n",
            &[&[b"PING"], &[b""]],
        );
        for len in [9, 10, 9_999, 10_000, 12_345] {
            let argument = vec![b'x'; len];
            let request = [format!("*1\r\n${len}\r\n").as_bytes(), &argument, b"\r\n"].concat();
            check(&request, &[&[&argument]]);
        }
        check(b"*1\r\n$4\r\n\r\n\0\xff\r\n", &[&[b"\r\n\0\xff"]]);
        check(b"*0\r\n*-1\r\n*1\r\n$1\r\na\r\n", &[&[], &[], &[b"a"]]);
        check(
            b"set k \"a b\\x00\" 'c'\r\nping\n\r\n",
            &[&[b"set", b"k", b"a b\0", b"c"], &[b"ping"], &[]],
        );
    }

    #[test]
    fn large_arguments_lie_apart() {
        let large: Vec<u8> = (0..3_000_000u32)
            .map(|number| (number >> 8) as u8)
            .collect();
        let header = format!("*4\r\n$4\r\nMSET\r\n${}\r\n", large.len());
        let stream = [
            header.as_bytes(),
            &large,
            b"\r\n$1\r\nv\r\n$300000\r\n",
            &large[..300_000],
            b"\r\nPING\r\n",
        ]
        .concat();
        for piece in [1000, 299_999, 1 << 20, stream.len()] {
            let mut parser = RequestParser::default();
            let mut stream = stream.chunks(piece);
            let mut input = Vec::new();
            let len = loop {
                if let Some(len) = parser.parse(&input, LIMITS).unwrap() {
                    break len;
                }
                input.truncate(input.len() - parser.begin_large_argument(&input));
                let mut received = stream.next().expect("the request ends");
                while let Some(argument) = parser.arriving()
                    && !received.is_empty()
                {
                    argument.receive(&mut received).unwrap();
                }
                input.extend_from_slice(received);
            };
            let arguments = parser.arguments(&input);
            assert!(
                arguments[..] == [b"MSET", &large[..], b"v", &large[..300_000]],
                "{piece}"
            );
            let apart = parser.large_arguments().iter().map(|(index, _)| *index);
            // What has arrived with the request stays in the input.
            assert!(apart.eq([1, 3]) || len > large.len(), "{piece}");
            assert!(b"PING\r\n".starts_with(&input[len..]));
            drop(arguments);
            parser.drop_large_arguments();
            assert_eq!(parser.parse(b"PING\r\n", LIMITS), Ok(Some(6)));
        }
    }

    #[test]
    fn errors_are_those_of_redis() {
        let long = vec![b'1'; 70_000];
        for (input, text) in [
            (&b"*x\r\n"[..], "invalid multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*01\r\n", "invalid multibulk length"),
            (b"*+1\r\n", "invalid multibulk length"),
            (b"*\r\n", "invalid multibulk length"),
            (b"*1\r\n$04\r\n", "invalid bulk length"),
            (b"*1\r\n$4x\r\n", "invalid bulk length"),
            (b"*1\r\n$99999x\r\n", "invalid bulk length"),
            (b"*1\r\n:1\r\n", "expected '$', got ':'"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"a 'b\r\n", "unbalanced quotes in request"),
            (&long, "too big inline request"),
            (&[b"*", &long[..]].concat(), "too big mbulk count string"),
            (
                &[b"*1\r\n$", &long[..]].concat(),
                "too big bulk count string",
            ),
        ] {
            let error = parse(input, input.len()).expect_err("the input is malformed");
            assert_eq!(
                error.text(),
                format!("ERR Protocol error: {text}").into_bytes()
            );
        }
    }

    #[test]
    fn nothing_is_allocated_for_what_was_only_announced() {
        let mut parser = RequestParser::default();
        assert_eq!(
            parser.parse(b"*1048576\r\n$536870912\r\n", LIMITS),
            Ok(None)
        );
        assert!(parser.pending_bytes() < 1000);
    }
}
