//! What must be true of the parser of requests.

use super::memory::allocated_by;
use my_redis_server::resp::request::{ProtocolError, RequestLimits, RequestParser};

/// Memory that does not depend on the input.
const FIXED_BYTES: u64 = 1024;
/// Bytes allocated for a byte of input, at most. An argument of five bytes ("$0\r\n" and what ends it) has a range of
/// 16. A word of one letter and a blank has such a range, a vector of 24 and 8 bytes for its letter; and vectors that
/// have just doubled take, with all that they had before, four times what they hold: (4 x 40 + 8) / 2, and the letters
/// once more.
const BYTES_PER_BYTE: u64 = 96;
/// Longer lines may end in an error while they are incomplete, and be taken when they arrive in one piece, as in Redis.
const MAX_LINE: usize = 64 * 1024;

/// What parsing an input gave.
#[derive(Debug, PartialEq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    /// What follows the last whole request, in bytes; or the error.
    end: Result<usize, ProtocolError>,
}

/// Checks everything for one input. Its first two bytes choose how it is cut, and how long an argument may be.
pub fn check(input: &[u8]) {
    let [seed, limit, input @ ..] = input else {
        return;
    };
    let limits = RequestLimits {
        argument_bytes: [0, 10, 1000, 512 << 20][usize::from(limit % 4)],
        is_unauthenticated: limit & 4 != 0,
    };
    let whole = parse(input, limits, |_| usize::MAX);
    if input.len() <= MAX_LINE {
        // Byte by byte, or in pieces of at most 2, 4, ... 128.
        let most = 1 << (seed % 8);
        let mut state = u64::from(*seed);
        let random_piece = |left: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            1 + (state >> 33) as usize % left.min(most)
        };
        assert_eq!(parse(input, limits, random_piece), whole);
    }
    check_written_again(&whole);
}

/// Parses an input that arrives in pieces, whose lengths `piece` chooses knowing how many bytes are left.
fn parse(input: &[u8], limits: RequestLimits, mut piece: impl FnMut(usize) -> usize) -> Outcome {
    let mut parser = RequestParser::default();
    let mut requests = Vec::new();
    let (mut start, mut end) = (0, 0);
    let mut allocated = 0;
    let result = loop {
        let arrived = &input[start..end];
        let (result, more) = allocated_by(|| parser.parse(arrived, limits));
        allocated += more;
        match result {
            Err(error) => break Err(error),
            Ok(Some(len)) => {
                assert!(
                    (1..=arrived.len()).contains(&len),
                    "{len} of {}",
                    arrived.len()
                );
                requests.push(arguments(&parser, &arrived[..len], limits));
                start += len;
            }
            Ok(None) if end == input.len() => break Ok(end - start),
            Ok(None) => {
                let left = input.len() - end;
                end += piece(left).clamp(1, left);
            }
        }
    };
    let most = FIXED_BYTES + input.len() as u64 * BYTES_PER_BYTE;
    assert!(allocated <= most, "{allocated} bytes for {}", input.len());
    Outcome {
        requests,
        end: result,
    }
}

/// The arguments of a request, which lie in its bytes if it is an array, one after the other.
fn arguments(parser: &RequestParser, request: &[u8], limits: RequestLimits) -> Vec<Vec<u8>> {
    let arguments = parser.arguments(request);
    if request[0] == b'*' {
        let mut free = request.as_ptr_range();
        for argument in arguments.iter().map(|argument| argument.as_ptr_range()) {
            assert!(free.start <= argument.start && argument.end <= free.end);
            free.start = argument.end;
        }
        assert!(
            arguments
                .iter()
                .all(|argument| argument.len() <= limits.argument_bytes)
        );
    }
    let len: usize = arguments.iter().map(|argument| argument.len()).sum();
    assert!(len + arguments.len() <= request.len());
    arguments.iter().map(|argument| argument.to_vec()).collect()
}

/// The arguments of all requests, written as a client writes them, are the same again.
fn check_written_again(outcome: &Outcome) {
    let mut bytes = Vec::new();
    for request in &outcome.requests {
        bytes.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
        for argument in request {
            bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    let limits = RequestLimits::of_known_client(usize::MAX >> 1);
    let again = parse(&bytes, limits, |_| usize::MAX);
    assert_eq!(again.requests, outcome.requests);
    assert_eq!(again.end, Ok(0));
}
