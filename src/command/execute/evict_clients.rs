//! Disconnects clients when all of them together take more memory than `maxmemory-clients` allows. A client's thread
//! looks after each packet, and while it sends; the reaper looks ten times a second, so that clients that grow by what
//! others do are found although all threads sleep.

use super::Engine;
use crate::command::COMMANDS;
use crate::command::client_line;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;

impl Engine {
    /// Disconnects the largest clients if the limit is exceeded. The thread must hold no lock.
    #[inline]
    pub fn evict_clients(&self) {
        if self.clients.memory.is_exceeded() {
            self.evict_largest_clients();
        }
    }

    #[cold]
    fn evict_largest_clients(&self) {
        let clients = self.clients.all();
        // What a client was seen to take may have been sent to it meanwhile.
        clients.iter().for_each(|client| client.measure());
        let is_still_exceeded = self.clients.memory.evict(clients, |evicted| {
            let line = client_line::describe(&COMMANDS, evicted, clock::unix_ms());
            let line = String::from_utf8_lossy(&line);
            self.log
                .notice_of_clients(format_args!("Evicting client: {}", line.trim_end()));
            self.statistics.evicted_clients.fetch_add(1, Relaxed);
        });
        if is_still_exceeded {
            let text = "Over client maxmemory after evicting all evictable clients";
            self.log.warning_of_clients(text);
        }
    }
}
