//! Directives about compact forms of small collections, eviction, freeing and defragmentation.

use super::{Directive, INT_MAX, LONG_MAX, boolean, integer, memory, word};
use crate::keyspace::evict::{Order, Policy};
use crate::state::config::value::Word;

pub(super) const TABLE: &[Directive] = &[
    integer("hash-max-listpack-entries", 0, LONG_MAX, "512")
        .alias("hash-max-ziplist-entries")
        .number(|fields| &fields.hash_max_listpack_entries),
    memory("hash-max-listpack-value", 0, LONG_MAX as u64, "64")
        .alias("hash-max-ziplist-value")
        .number(|fields| &fields.hash_max_listpack_value),
    integer("list-max-listpack-size", i32::MIN as i64, INT_MAX, "-2")
        .alias("list-max-ziplist-size")
        .number(|fields| &fields.list_max_listpack_size),
    integer("list-compress-depth", 0, INT_MAX, "0").no_effect("lists are not compressed"),
    integer("set-max-intset-entries", 0, LONG_MAX, "512")
        .number(|fields| &fields.set_max_intset_entries),
    integer("set-max-listpack-entries", 0, LONG_MAX, "128")
        .number(|fields| &fields.set_max_listpack_entries),
    integer("set-max-listpack-value", 0, LONG_MAX, "64")
        .number(|fields| &fields.set_max_listpack_value),
    integer("zset-max-listpack-entries", 0, LONG_MAX, "128")
        .alias("zset-max-ziplist-entries")
        .number(|fields| &fields.zset_max_listpack_entries),
    memory("zset-max-listpack-value", 0, LONG_MAX as u64, "64")
        .alias("zset-max-ziplist-value")
        .number(|fields| &fields.zset_max_listpack_value),
    integer("stream-node-max-entries", 0, LONG_MAX, "100")
        .number(|fields| &fields.stream_node_max_entries),
    memory("stream-node-max-bytes", 0, LONG_MAX as u64, "4096")
        .number(|fields| &fields.stream_node_max_bytes),
    memory("hll-sparse-max-bytes", 0, LONG_MAX as u64, "3000")
        .number(|fields| &fields.hll_sparse_max_bytes),
    memory("maxmemory", 0, u64::MAX, "0").number(|fields| &fields.maxmemory),
    word("maxmemory-policy", MAXMEMORY_POLICY, "noeviction")
        .number(|fields| &fields.maxmemory_policy),
    integer("maxmemory-samples", 1, INT_MAX, "5").number(|fields| &fields.maxmemory_samples),
    integer("maxmemory-eviction-tenacity", 0, 100, "10")
        .number(|fields| &fields.maxmemory_eviction_tenacity),
    integer("lfu-log-factor", 0, INT_MAX, "10").number(|fields| &fields.lfu_log_factor),
    integer("lfu-decay-time", 0, INT_MAX, "1").number(|fields| &fields.lfu_decay_time),
    boolean("lazyfree-lazy-eviction", "no").flag(|fields| &fields.lazyfree_lazy_eviction),
    boolean("lazyfree-lazy-expire", "no").no_effect(FREED_BY_COMMANDS),
    boolean("lazyfree-lazy-server-del", "no").no_effect(FREED_BY_COMMANDS),
    boolean("lazyfree-lazy-user-del", "no").no_effect(FREED_BY_COMMANDS),
    boolean("lazyfree-lazy-user-flush", "no").no_effect(FREED_BY_COMMANDS),
    integer("active-expire-effort", 1, 10, "1")
        .no_effect("a key is removed at the moment at which it is due"),
    boolean("activerehashing", "yes")
        .no_effect("a hash table grows by a page at a time, with the insertions"),
    boolean("activedefrag", "no")
        .check(defragmentation)
        .no_effect("activedefrag is refused"),
    memory(
        "active-defrag-ignore-bytes",
        1,
        LONG_MAX as u64,
        "104857600",
    )
    .no_effect("activedefrag is refused"),
    integer("active-defrag-threshold-lower", 0, 1_000, "10").no_effect("activedefrag is refused"),
    integer("active-defrag-threshold-upper", 0, 1_000, "100").no_effect("activedefrag is refused"),
    integer("active-defrag-cycle-min", 1, 99, "1").no_effect("activedefrag is refused"),
    integer("active-defrag-cycle-max", 1, 99, "25").no_effect("activedefrag is refused"),
    integer("active-defrag-max-scan-fields", 1, LONG_MAX, "1000")
        .no_effect("activedefrag is refused"),
    boolean("jemalloc-bg-thread", "yes").flag(|fields| &fields.jemalloc_bg_thread),
];

/// The order of the words is that of Redis' message; the numbers are our own.
const MAXMEMORY_POLICY: &[Word] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    ("allkeys-lru", 4),
    ("allkeys-lfu", 5),
    ("allkeys-random", 6),
    ("noeviction", 7),
];

/// The policy with this number; `None` if nothing is evicted.
pub(in crate::state::config) fn policy(number: i64) -> Option<Policy> {
    let (word, _) = MAXMEMORY_POLICY
        .iter()
        .find(|(_, known)| *known == number)?;
    let (range, order) = word.split_once('-')?;
    let order = match order {
        "lru" => Order::LeastRecent,
        "lfu" => Order::LeastFrequent,
        "ttl" => Order::EarliestDeadline,
        _ => Order::Random,
    };
    let only_volatile = range == "volatile";
    Some(Policy {
        only_volatile,
        order,
    })
}

fn defragmentation(enabled: &str) -> Result<(), &'static str> {
    if enabled == "no" {
        return Ok(());
    }
    Err(
        "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc \
         like the one shipped by default with the Redis source distribution",
    )
}

/// Why nothing is said about when memory is freed.
const FREED_BY_COMMANDS: &str =
    "values are freed by the thread of the command that removes them, once its locks are gone";
