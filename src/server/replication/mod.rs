//! Replication: what goes over the connections between servers. The stream itself is that of
//! [`state::replication`](crate::state::replication).
//!
//! | file | what it does | thread |
//! |---|---|---|
//! | [`snapshot`] | sends a snapshot: to replicas, and to clients that want a dump | sender, worker; transfer |
//! | [`sender`] | sends the snapshot and then the stream to a replica | sender, one a replica |
//! | [`role`] | makes this server a replica, or a primary | any client's |
//! | [`hand_over`] | hands the role over: FAILOVER | failover |
//! | [`follower`] | follows a primary | follower |
//! | [`handshake`] | says who this server is, and what it lacks | follower |
//! | [`receive`] | receives a snapshot and loads it | follower |
//! | [`apply`] | carries out the stream | follower |
//! | [`keeper`] | pings replicas, and drops those that do not answer | reaper |
//!
//! ```text
//! replica   REPLCONF listening-port 6380, REPLCONF capa eof capa psync2, PSYNC <id> <offset>
//! primary   +CONTINUE <id>        stream …                                  what it lacks is in the backlog
//! primary   +FULLRESYNC <id> <offset>   $EOF:<mark> <RDB file> <mark>   stream …            else
//! replica   REPLCONF ACK <offset>                                           every second, and when asked (GETACK)
//! ```
//!
//! What a replica sends is read by the worker that serves its connection, as for any client.

pub mod apply;
pub mod follower;
pub mod hand_over;
pub mod handshake;
pub mod keeper;
pub mod receive;
pub mod role;
pub mod sender;
pub mod snapshot;
