//! A primary and its replicas.

use crate::common::{Client, Folder, Server, wait_until};

const OPTIONS: [&str; 6] = [
    "--databases",
    "16",
    "--enable-debug-command",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
];

/// Our server, to be a primary; it sends snapshots at once.
pub fn our_primary(folder: &Folder, options: &[&str]) -> Server {
    Server::ours(folder, &[&OPTIONS[..], &["--save", ""], options].concat())
}

/// A real server, to be a primary.
pub fn real_primary(folder: &Folder, options: &[&str]) -> Server {
    Server::real(folder, &[&OPTIONS[..], options].concat())
}

/// A real replica of this server.
pub fn real_replica(folder: &Folder, primary: &Server, options: &[&str]) -> Server {
    let primary = format!("127.0.0.1 {}", primary.port);
    let replica = ["--replicaof", &primary];
    Server::real(folder, &[&OPTIONS[..], &replica, options].concat())
}

/// Waits until a replica is connected.
pub fn wait_for_link(replica: &mut Client) {
    wait_until("the replica to be synchronised", || {
        replica.info_of("replication", "master_link_status") == "up"
    });
}

/// Waits until the replica has all that the primary has sent, and both have one offset.
pub fn wait_for_one_offset(primary: &mut Client, replica: &mut Client) {
    wait_until("the offsets to be equal", || {
        let ours = primary.info_of("replication", "master_repl_offset");
        ours == replica.info_of("replication", "master_repl_offset")
            && replica.info_of("replication", "master_link_status") == "up"
    });
}
