//! Removes keys when they are due, whether or not anybody asks for them.

use crate::state::Server;
use crate::util::clock;

/// Runs until the process ends.
pub fn run(server: &Server) {
    loop {
        server.keyspace.expire_and_sleep(clock::unix_ms);
    }
}
