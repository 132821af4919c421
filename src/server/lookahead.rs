//! Looks ahead in a packet of requests, and fetches from memory what the next ones will need, all at once.
//!
//! With many millions of keys each command waits for memory several times, longer than all its other work takes. With
//! 18,000,000 keys a GET of a packet of 100 took 1.52 µs of processor time, and takes 0.74 with this.

use crate::keyspace::space::{FETCHED_TOGETHER, Key, Place};
use crate::resp::request::RequestParser;
use crate::state::Server;
use smallvec::SmallVec;

/// Requests that are looked at together.
const REQUESTS: usize = FETCHED_TOGETHER;
/// Larger arguments are not looked at.
const MOST_BULK_BYTES: usize = 64 * 1024;

/// How far one has looked ahead in a packet.
#[derive(Debug)]
pub struct LookAhead {
    /// Requests for which that is done, or not worth while.
    done: usize,
}

impl Default for LookAhead {
    /// At the beginning of a packet. Its first request is not looked at: it may be the only one.
    fn default() -> LookAhead {
        LookAhead { done: 1 }
    }
}

impl LookAhead {
    /// Before each request, with which `input` begins.
    pub fn before_request(&mut self, server: &Server, database: usize, input: &[u8]) {
        if self.done == 0 {
            let places = places(database, input);
            self.done = match server.keyspace.fetch(&places) {
                true => REQUESTS,
                false => usize::MAX,
            };
        }
        self.done -= 1;
    }
}

/// Where the keys of the next requests belong. The first argument of nearly all commands is a key; where it is not, a place is
/// fetched that nobody needs.
fn places(database: usize, mut input: &[u8]) -> SmallVec<[Place; REQUESTS]> {
    let mut parser = RequestParser::default();
    let mut places = SmallVec::new();
    for _ in 0..REQUESTS {
        let Ok(Some(len)) = parser.parse(input, MOST_BULK_BYTES) else {
            break;
        };
        let (request, rest) = input.split_at(len);
        let key = parser.arguments(request).get(1).copied();
        places.extend(key.map(|key| Key::new(database, key).place()));
        input = rest;
    }
    places
}
