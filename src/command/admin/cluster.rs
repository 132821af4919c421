//! CLUSTER and what belongs to it: <https://redis.io/commands/?group=cluster>. This server is no node of a Redis
//! Cluster, as a real one is not unless it is configured so. Clients ask to find that out: every one of these commands
//! answers with the same error, HELP too.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "cluster", arity: -2, handler: Container(CLUSTER), group: Group::Cluster, since: "3.0.0",
        summary: "A container for Redis Cluster commands.", ..BASE },
    CommandSpec { name: "asking", arity: 1, handler: NoLock(disabled),
        flags: flags(&[FAST, CAT_CONNECTION]), group: Group::Cluster, since: "3.0.0",
        summary: "Signals that a cluster client is following an -ASK redirect.", ..BASE },
    CommandSpec { name: "readonly", arity: 1, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE, FAST, CAT_CONNECTION]), group: Group::Cluster, since: "3.0.0",
        summary: "Enables read-only queries for a connection to a Redis Cluster replica node.", ..BASE },
    // The summary is misspelt in Redis.
    CommandSpec { name: "readwrite", arity: 1, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE, FAST, CAT_CONNECTION]), group: Group::Cluster, since: "3.0.0",
        summary: "Enables read-write queries for a connection to a Reids Cluster replica node.", ..BASE },
];

#[rustfmt::skip]
const CLUSTER: &[CommandSpec] = &[
    CommandSpec { name: "addslots", arity: -3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot:integer [slot:integer ...]", summary: "Assigns new hash slots to a node.", ..BASE },
    CommandSpec { name: "addslotsrange", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "7.0.0",
        syntax: "start-slot:integer end-slot:integer [start-slot end-slot ...]",
        summary: "Assigns new hash slot ranges to a node.", ..BASE },
    CommandSpec { name: "bumpepoch", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Advances the cluster config epoch.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "count-failure-reports", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Returns the number of active failure reports active for a node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "countkeysinslot", arity: 3, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot:integer", summary: "Returns the number of keys in a hash slot.", ..BASE },
    CommandSpec { name: "delslots", arity: -3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot:integer [slot:integer ...]", summary: "Sets hash slots as unbound for a node.", ..BASE },
    CommandSpec { name: "delslotsrange", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "7.0.0",
        syntax: "start-slot:integer end-slot:integer [start-slot end-slot ...]",
        summary: "Sets hash slot ranges as unbound for a node.", ..BASE },
    CommandSpec { name: "failover", arity: -2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "[FORCE | TAKEOVER]", summary: "Forces a replica to perform a manual failover of its master.", ..BASE },
    CommandSpec { name: "flushslots", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Deletes all slots information from a node.", ..BASE },
    CommandSpec { name: "forget", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Removes a node from the nodes table.", ..BASE },
    CommandSpec { name: "getkeysinslot", arity: 4, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot:integer count", summary: "Returns the key names in a hash slot.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE]), group: Group::Cluster, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
    CommandSpec { name: "info", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns information about the state of a node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "keyslot", arity: 3, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "key:string", summary: "Returns the hash slot for a key.", ..BASE },
    CommandSpec { name: "links", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "7.0.0",
        summary: "Returns a list of all TCP links to and from peer nodes.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "meet", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "ip port:integer [cluster-bus-port:integer]",
        summary: "Forces a node to handshake with another node.", ..BASE },
    CommandSpec { name: "myid", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns the ID of a node.", ..BASE },
    CommandSpec { name: "myshardid", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "7.2.0",
        summary: "Returns the shard ID of a node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "nodes", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns the cluster configuration for a node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "replicas", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "5.0.0",
        syntax: "node-id", summary: "Lists the replica nodes of a master node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "replicate", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Configure a node as replica of a master node.", ..BASE },
    CommandSpec { name: "reset", arity: -2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, NOSCRIPT, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "[HARD | SOFT]", summary: "Resets a node.", ..BASE },
    CommandSpec { name: "saveconfig", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Forces a node to save the cluster configuration to disk.", ..BASE },
    CommandSpec { name: "set-config-epoch", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "config-epoch:integer", summary: "Sets the configuration epoch for a new node.", ..BASE },
    CommandSpec { name: "setslot", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot:integer <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
        summary: "Binds a hash slot to a node.", ..BASE },
    CommandSpec { name: "shards", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "7.0.0",
        summary: "Returns the mapping of cluster slots to shards.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "slaves", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Lists the replica nodes of a master node.",
        tips: &["nondeterministic_output"], deprecated: Some(("5.0.0", "`CLUSTER REPLICAS`")), ..BASE },
    CommandSpec { name: "slots", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns the mapping of cluster slots to nodes.",
        tips: &["nondeterministic_output"], deprecated: Some(("7.0.0", "`CLUSTER SHARDS`")), ..BASE },
];

/// ```text
/// > CLUSTER INFO
/// (error) ERR This instance has cluster support disabled
/// > CLUSTER NOTHING
/// (error) ERR unknown subcommand 'NOTHING'. Try CLUSTER HELP.
/// > READONLY
/// (error) ERR This instance has cluster support disabled
/// ```
fn disabled(_: &mut Call) -> CommandResult {
    Err(CommandError::err(
        "This instance has cluster support disabled",
    ))
}
