//! CLUSTER and what belongs to it: <https://redis.io/commands/?group=cluster>. This server is no node of a Redis
//! Cluster, as a real one is not unless it is configured so. Clients ask to find that out: every one of these commands
//! answers with the same error, HELP too.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "cluster", arity: -2, handler: Container(CLUSTER), group: Group::Cluster, since: "3.0.0",
        summary: "A container for Redis Cluster commands.", complexity: "Depends on subcommand.", ..BASE },
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
        syntax: "slot [slot ...]", summary: "Assigns new hash slots to a node.",
        complexity: "O(N) where N is the total number of hash slot arguments", ..BASE },
    CommandSpec { name: "addslotsrange", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "7.0.0",
        syntax: "<range: start-slot end-slot> [...]", summary: "Assigns new hash slot ranges to a node.",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..BASE },
    CommandSpec { name: "bumpepoch", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Advances the cluster config epoch.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "count-failure-reports", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Returns the number of active failure reports active for a node.",
        complexity: "O(N) where N is the number of failure reports", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "countkeysinslot", arity: 3, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot", summary: "Returns the number of keys in a hash slot.", ..BASE },
    CommandSpec { name: "delslots", arity: -3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot [slot ...]", summary: "Sets hash slots as unbound for a node.",
        complexity: "O(N) where N is the total number of hash slot arguments", ..BASE },
    CommandSpec { name: "delslotsrange", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "7.0.0",
        syntax: "<range: start-slot end-slot> [...]", summary: "Sets hash slot ranges as unbound for a node.",
        complexity: "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
        ..BASE },
    CommandSpec { name: "failover", arity: -2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "[options: FORCE | TAKEOVER]", summary: "Forces a replica to perform a manual failover of its master.",
        ..BASE },
    CommandSpec { name: "flushslots", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Deletes all slots information from a node.", ..BASE },
    CommandSpec { name: "forget", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Removes a node from the nodes table.", ..BASE },
    CommandSpec { name: "getkeysinslot", arity: 4, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot count", summary: "Returns the key names in a hash slot.",
        complexity: "O(N) where N is the number of requested keys", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE]), group: Group::Cluster, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
    CommandSpec { name: "info", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns information about the state of a node.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "keyslot", arity: 3, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "key:string", summary: "Returns the hash slot for a key.",
        complexity: "O(N) where N is the number of bytes in the key", ..BASE },
    CommandSpec { name: "links", arity: 2, handler: NoLock(disabled),
        flags: flags(&[STALE]), group: Group::Cluster, since: "7.0.0",
        summary: "Returns a list of all TCP links to and from peer nodes.",
        complexity: "O(N) where N is the total number of Cluster nodes", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "meet", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "ip port [cluster-bus-port:integer@4.0.0]", summary: "Forces a node to handshake with another node.",
        history: &[("4.0.0", "Added the optional `cluster_bus_port` argument.")], ..BASE },
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
        complexity: "O(N) where N is the total number of Cluster nodes", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "replicas", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "5.0.0",
        syntax: "node-id", summary: "Lists the replica nodes of a master node.",
        complexity: "O(N) where N is the number of replicas.", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "replicate", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Configure a node as replica of a master node.", ..BASE },
    CommandSpec { name: "reset", arity: -2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, NOSCRIPT, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "[reset-type: HARD | SOFT]", summary: "Resets a node.",
        complexity: "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
        ..BASE },
    CommandSpec { name: "saveconfig", arity: 2, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        summary: "Forces a node to save the cluster configuration to disk.", ..BASE },
    CommandSpec { name: "set-config-epoch", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "config-epoch:integer", summary: "Sets the configuration epoch for a new node.", ..BASE },
    CommandSpec { name: "setslot", arity: -4, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE, NO_ASYNC_LOADING]), group: Group::Cluster, since: "3.0.0",
        syntax: "slot <subcommand: IMPORTING importing(node-id) | MIGRATING migrating(node-id) | NODE node(node-id) | \
            STABLE>",
        summary: "Binds a hash slot to a node.", ..BASE },
    CommandSpec { name: "shards", arity: 2, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE]), group: Group::Cluster, since: "7.0.0",
        summary: "Returns the mapping of cluster slots to shards.",
        complexity: "O(N) where N is the total number of cluster nodes", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "slaves", arity: 3, handler: NoLock(disabled),
        flags: flags(&[ADMIN, STALE]), group: Group::Cluster, since: "3.0.0",
        syntax: "node-id", summary: "Lists the replica nodes of a master node.",
        complexity: "O(N) where N is the number of replicas.", tips: &["nondeterministic_output"],
        deprecated: Some(("5.0.0", "`CLUSTER REPLICAS`")), ..BASE },
    CommandSpec { name: "slots", arity: 2, handler: NoLock(disabled),
        flags: flags(&[LOADING, STALE]), group: Group::Cluster, since: "3.0.0",
        summary: "Returns the mapping of cluster slots to nodes.",
        complexity: "O(N) where N is the total number of Cluster nodes",
        history: &[("4.0.0", "Added node IDs."), ("7.0.0", "Added additional networking metadata field.")],
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
