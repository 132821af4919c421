//! The sleep of a client's thread while the client waits for a key.

use crate::command::waiting::Waiting;
use crate::resp::reply::Reply;
use crate::state::Server;
use crate::state::clients::Client;
use crate::state::waiting::Outcome;
use crate::util::doorbell::Woken;
use std::net::TcpStream;

/// Sleeps until the client has been served, its time is up, or it is gone, and writes the reply; `false` if it is gone.
pub fn sleep(
    server: &Server,
    stream: &TcpStream,
    client: &Client,
    waiting: Waiting,
    reply: &mut Reply,
) -> bool {
    let wait = waiting.wait.clone();
    client.set_waiting(Some(wait.clone()));
    while wait.is_pending() {
        // A system that cannot wait leaves no way to serve the client.
        match wait.doorbell.wait(stream, wait.wish.until) {
            Ok(Woken::Rung) => {}
            Ok(Woken::TimedOut) => drop(wait.end(Outcome::TimedOut)),
            Ok(Woken::HungUp) | Err(_) => drop(wait.end(Outcome::Gone)),
        }
    }
    client.set_waiting(None);
    let is_gone = matches!(*wait.outcome(), Outcome::Gone);
    waiting.finish(server, reply);
    !is_gone
}
