//! Looks ahead in a packet of requests, and fetches from memory what the next ones will need, all at once.
//!
//! With many millions of keys each command waits for memory several times, longer than all its other work takes. With
//! 18,000,000 keys a GET of a packet of 100 took 1.52 µs of processor time, and takes 0.70 with this.

use crate::keyspace::locks::{FETCHED_TOGETHER, Locks};
use crate::keyspace::space::{Key, Place};
use crate::resp::request::RequestParser;
use smallvec::SmallVec;

/// Requests that are looked at together.
const REQUESTS: usize = FETCHED_TOGETHER;
/// Larger arguments are not looked at.
const MOST_BULK_BYTES: usize = 64 * 1024;

/// How far one has looked ahead in a packet.
#[derive(Debug)]
pub struct LookAhead {
    /// Requests before the next look.
    requests: usize,
    /// Whether looking ahead has been found to be worth while.
    is_worth_while: bool,
}

impl Default for LookAhead {
    /// At the beginning of a packet. Its first request is not looked at: it may be the only one.
    fn default() -> LookAhead {
        LookAhead {
            requests: 1,
            is_worth_while: false,
        }
    }
}

impl LookAhead {
    /// Before each request, with which `input` begins.
    pub fn before_request(&mut self, locks: &Locks, database: usize, input: &[u8]) {
        if self.requests == 0 {
            self.requests = self.look(locks, database, input);
        }
        self.requests -= 1;
    }

    /// Fetches what the next requests need; returns how many requests later to look again. A first look says whether
    /// the tables are so large that it is worth while.
    fn look(&mut self, locks: &Locks, database: usize, input: &[u8]) -> usize {
        if !self.is_worth_while {
            let next = places(database, input, 1);
            self.is_worth_while = next.iter().any(|place| locks.is_large(place));
        }
        match self.is_worth_while {
            true => {
                let next = places(database, input, REQUESTS);
                locks.fetch(&next);
                REQUESTS
            }
            false => usize::MAX,
        }
    }
}

/// Where the keys of the next requests, so many, belong. The first argument of nearly all commands is a key; where it
/// is not, a place is fetched that nobody needs.
fn places(
    database: usize,
    mut input: &[u8],
    requests: usize,
) -> SmallVec<[Place; FETCHED_TOGETHER]> {
    let mut parser = RequestParser::default();
    let mut places = SmallVec::new();
    for _ in 0..requests {
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
