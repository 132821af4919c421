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
//! | [`connect`] | connects to it | follower |
//! | [`handshake`] | says who this server is, and what it lacks | follower |
//! | [`transfer`] | receives a snapshot | follower |
//! | [`receive`] | replaces all data by it | follower |
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
//!
//! A full synchronisation, and what the offset is at each step:
//!
//! ```text
//!   replica            worker of the primary     sender              transfer (for all replicas of a round)
//!     │ PSYNC ? -1          │                       │                    │
//!     ├────────────────────▶│ lists the replica     │                    │
//!     │                     ├──────────────────────▶│ joins a round      │
//!     │                     │                       ├───────────────────▶│ snapshot, under all locks:
//!     │  +FULLRESYNC id o   │                       │ o ◀────────────────┤ o is the end of the stream
//!     │◀──────────────────────────────────────────── ┤                    │
//!     │  snapshot           │                       │ blocks ◀───────────┤ encodes
//!     │◀─────────────────────────────────────────────┤                    ┴
//!     │ loads: its offset is o                      │
//!     │ REPLCONF ACK o      │                       │
//!     ├────────────────────▶│ wakes the sender, if the end was marked
//!     │  the stream from o on                       │
//!     │◀─────────────────────────────────────────────┤
//! ```

pub mod apply;
pub mod connect;
pub mod follower;
pub mod hand_over;
pub mod handshake;
pub mod keeper;
pub mod receive;
pub mod role;
pub mod sender;
pub mod snapshot;
pub mod transfer;
