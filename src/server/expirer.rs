//! Removes keys when they are due, whether or not anybody asks for them, and sends what subscribers are told of it.

use crate::state::Server;
use crate::util::clock;

/// Runs until the process ends.
pub fn run(server: &Server) {
    loop {
        let deliver = || server.deliver_pushes();
        server.keyspace.expire_and_sleep(clock::unix_us, deliver);
    }
}
