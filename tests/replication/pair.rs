//! Primaries and replicas.

use crate::common::{Client, Folder, Server, valkey, wait_until};
use my_redis_server::resp::decoder::Value;

const OPTIONS: [&str; 6] = [
    "--databases",
    "16",
    "--enable-debug-command",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
];

/// Whose program a server is.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    Ours,
    Real,
    Valkey,
}

impl Whose {
    /// A server of this program; as a primary, it sends snapshots at once.
    pub fn server(self, folder: &Folder, options: &[&str]) -> Server {
        let options = [&OPTIONS[..], options].concat();
        match self {
            Whose::Ours => Server::ours(folder, &[&["--save", ""], &options[..]].concat()),
            Whose::Real => Server::real(folder, &options),
            Whose::Valkey => Server::of_program(folder, &options, valkey),
        }
    }

    /// A replica of this server.
    pub fn replica(self, folder: &Folder, primary: &Server, options: &[&str]) -> Server {
        let address = format!("127.0.0.1 {}", primary.port);
        self.server(folder, &[&["--replicaof", &address], options].concat())
    }
}

/// The reply over a new connection; `None` if the connection ends: sentinels kill those of clients when they change a
/// role.
pub fn ask_anew(port: u16, words: &[&str]) -> Option<Value> {
    let mut client = Client::try_connect(port).ok()?;
    client.try_send(words).ok()?;
    client.try_receive()
}

/// Waits until a replica is connected.
pub fn wait_for_link(replica: &mut Client) {
    wait_until("the replica to be synchronised", || {
        replica.info_of("replication", "master_link_status") == "up"
    });
}

/// Waits until the replica has all that the primary has sent, and both have one offset.
pub fn wait_for_one_offset(primary: &mut Client, replica: &mut Client) {
    let offset = |client: &mut Client| client.info_of("replication", "master_repl_offset");
    wait_until("the offsets to be equal", || {
        offset(primary) == offset(replica)
            && replica.info_of("replication", "master_link_status") == "up"
    });
}

/// Waits until a server has this many replicas that are sent the stream.
pub fn wait_for_replicas(primary: &mut Client, count: usize) {
    wait_until("the replicas to be online", || {
        let text = primary.ask("INFO replication");
        text.matches("state=online").count() == count
    });
}
