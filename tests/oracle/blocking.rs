//! Commands that wait, compared with a real redis-server: who is served, when, in which order, and with what.

use crate::common::oracle::Oracle;
use crate::common::stage;

/// What needs no second connection: arguments, types, and keys that are there.
const AT_ONCE: &str = r#"
BLPOP
BLPOP k
BLPOP k x
BLPOP k -1
BLPOP k nan
BLPOP k "1 "
BLPOP k 0.01
BLPOP k n 0.01
BRPOP k 0.001
BLPOP k 0x0.1p-4
RPUSH k a b c d e f
BLPOP k 0
BRPOP n k k 0
BRPOP k x
SET s v
BLPOP s 0
BLPOP n s k 0
BLPOP k s 0
BLMOVE
BLMOVE k d LEFT RIGHT
BLMOVE k d UP RIGHT x
BLMOVE k d LEFT DOWN x
BLMOVE k d LEFT RIGHT x
BLMOVE k d LEFT RIGHT -0.1
BLMOVE k d LEFT RIGHT 0
BLMOVE k k LEFT RIGHT 0
BLMOVE n d LEFT RIGHT 0.01
BLMOVE k s LEFT RIGHT 0
BLMOVE s d LEFT RIGHT 0
BLMOVE n s LEFT RIGHT 0.01
BRPOPLPUSH k d 0
BRPOPLPUSH k d
BRPOPLPUSH n d 0.01
BRPOPLPUSH k s 0
BRPOPLPUSH k d x
LRANGE k 0 -1
LRANGE d 0 -1
BLMPOP
BLMPOP 0 1 k
BLMPOP x 1 k LEFT
BLMPOP x 1 k NO
BLMPOP x 0 k NO
BLMPOP -1 1 k LEFT COUNT 0
BLMPOP 0 0 k LEFT
BLMPOP 0 -1 k LEFT
BLMPOP 0 x k LEFT
BLMPOP 0 2 k LEFT
BLMPOP 0 1 k UP
BLMPOP 0 1 k LEFT COUNT
BLMPOP 0 1 k LEFT COUNT 0
BLMPOP 0 1 k LEFT COUNT x
BLMPOP 0 1 k UP COUNT 0
LMPOP 1 k UP COUNT 0
BLMPOP 0 1 k LEFT COUNT 1 COUNT 1
BLMPOP 0 1 k LEFT COUNT 1 x
BLMPOP 0 2 n k RIGHT
BLMPOP 0 2 n d LEFT COUNT 9
BLMPOP 0.01 1 n LEFT
BLMPOP 0 1 s LEFT
BLMPOP 0 2 n s LEFT
EXISTS k d
ZADD z 1 a 2 b 2.5 c -inf d 3 e 4 f 5 g
BZPOPMIN
BZPOPMIN z
BZPOPMIN z x
BZPOPMIN z 0
BZPOPMIN n z 0
BZPOPMAX s 0
BZPOPMAX n z 0
BZPOPMAX n 0.01
BLPOP z 0
RPUSH l 1
BZPOPMIN l 0
BZPOPMIN n l z 0
BZMPOP
BZMPOP 0 1 z
BZMPOP x 1 z MIN
BZMPOP x 1 z NO
BZMPOP a b c MIN
BZMPOP -1 1 z MIN COUNT 0
BZMPOP 0 0 z MIN
BZMPOP 0 2 z MIN
BZMPOP 0 1 z LEFT
BZMPOP 0 1 z MIN COUNT 0
BZMPOP 0 1 z MIN COUNT x
BZMPOP 0 1 z MIN COUNT 1 COUNT 1
BZMPOP 0 2 n z MIN
BZMPOP 0 2 n z MAX COUNT 2
BZMPOP 0 2 n l MAX
BZMPOP 0.01 1 n MIN
BZMPOP 0 1 z MIN COUNT 99
EXISTS z
CLIENT UNBLOCK
CLIENT UNBLOCK x
CLIENT UNBLOCK 99999999
CLIENT UNBLOCK 99999999 x
CLIENT UNBLOCK x x
CLIENT UNBLOCK 99999999 ERROR
CLIENT UNBLOCK 99999999 timeout x
"#;

#[test]
fn what_is_there_is_taken_at_once() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[AT_ONCE]);
    oracle.finish();
}

#[test]
fn waiting_clients_are_served_in_order() {
    stage::compare(&[
        // First come, first served, one element each.
        "A: BLPOP k 0
         B: BRPOP k 0
         C: BLPOP k 0
         D: RPUSH k 1 2
         D: LPUSH k 3
         D: RPUSH k 4
         D: LRANGE k 0 -1",
        // All elements of a push are there before the first is taken.
        "A: BLPOP k 0
         B: LPUSH k 1 2 3
         B: LRANGE k 0 -1
         A: BRPOP k 0
         A: BRPOP k 0
         A: BRPOP k 0
         B: RPUSH k 1 2 3
         B: LLEN k",
        // Several keys, the same one twice, and those who wait for another key.
        "A: BLPOP a b 0
         B: BLPOP b a 0
         C: BLPOP c b b 0
         D: RPUSH b 1
         D: RPUSH b 2 3
         D: RPUSH a 4
         D: RPUSH c 5
         D: EXISTS a b c",
        // A type that nobody waits for leaves them waiting.
        "A: BLPOP k 0
         B: SET k v
         B: DEL k
         B: HSET k f v
         B: DEL k
         B: LPUSH k x
         B: EXISTS k",
        // Requests that follow in the pipeline are carried out when the wait is over.
        "A: BLPOP k 0
         A: SET done yes
         A: BLPOP k 0
         A: GET done
         B: GET done
         B: RPUSH k 1
         B: GET done
         B: RPUSH k 2",
        // Keys are served in the order in which each first held what can be waited for.
        "A: BLMOVE k1 d LEFT RIGHT 0
         B: BLMOVE k2 d LEFT RIGHT 0
         C: MULTI
         C: SET k1 v
         C: RPUSH k2 2
         C: DEL k1
         C: RPUSH k1 1
         C: EXEC
         C: LRANGE d 0 -1
         C: SET k1 v
         A: BLMOVE k1 d LEFT RIGHT 0
         B: BLMOVE k2 d LEFT RIGHT 0
         C: MULTI
         C: DEL k1
         C: RPUSH k2 4
         C: RPUSH k1 3
         C: EXEC
         C: LRANGE d 0 -1
         A: BLMOVE k1 d LEFT RIGHT 0
         B: BLMOVE k2 d LEFT RIGHT 0
         C: MULTI
         C: RPUSH k1 x
         C: DEL k1
         C: RPUSH k2 6
         C: RPUSH k1 5
         C: EXEC
         C: LRANGE d 0 -1",
        // BLMPOP takes several.
        "A: BLMPOP 0 2 a b LEFT COUNT 2
         B: BLMPOP 0 1 b RIGHT COUNT 10
         C: RPUSH b 1 2 3 4 5
         C: EXISTS a b",
    ]);
}

#[test]
fn waiting_clients_are_served_from_sorted_sets() {
    stage::compare(&[
        "A: BZPOPMIN k 0
         B: BZPOPMAX k o 0
         C: BLPOP k 0
         D: BZMPOP 0 2 k o MIN COUNT 3
         E: ZADD k 1 a 2 b 3 c 4 d
         E: ZADD k 5 e
         E: EXISTS k
         E: LPUSH k x",
        "A: BZPOPMIN k 0
         B: ZADD a 1 x 2 y
         B: ZUNIONSTORE k 1 a
         A: BZPOPMIN k n 0
         A: BZPOPMIN k n 0
         B: ZINTERSTORE k 2 a a WEIGHTS 2 3
         A: BZPOPMIN k n 0
         A: BZPOPMIN k n 0
         B: ZRANGESTORE k a 0 0
         A: BZPOPMIN k n 0
         B: ZDIFFSTORE n 1 a
         B: DEL n k
         A: BZMPOP 0 1 k MAX
         B: ZINCRBY k 3 z
         B: EXISTS k
         A: BZMPOP 0 1 k MAX
         B: RENAME a k",
    ]);
}

#[test]
fn moves_between_lists_go_on_from_key_to_key() {
    stage::compare(&[
        "A: BLMOVE a b LEFT RIGHT 0
         B: BLMOVE b c RIGHT LEFT 0
         C: BLPOP c 0
         D: RPUSH a x
         D: EXISTS a b c
         D: RPUSH a y
         D: LRANGE b 0 -1",
        "A: BRPOPLPUSH a b 0
         B: BLPOP b 0
         C: RPUSH a 1 2 3
         C: LRANGE a 0 -1
         C: LRANGE b 0 -1",
        // A circle of two keys.
        "A: BLMOVE a b LEFT RIGHT 0
         B: BLMOVE b a LEFT RIGHT 0
         C: RPUSH a 1
         C: LRANGE a 0 -1
         C: LRANGE b 0 -1
         A: BLMOVE x x LEFT RIGHT 0
         C: RPUSH x 1 2
         C: LRANGE x 0 -1",
        // The destination has the wrong type: the element stays, and goes to the next.
        "A: BLMOVE a s LEFT RIGHT 0
         B: BLPOP a 0
         C: SET s v
         C: RPUSH a 1
         C: GET s
         C: EXISTS a b k s",
        // The destination has expired, and nobody has removed it yet.
        "A: BLMOVE a b LEFT RIGHT 0
         B: DEBUG SET-ACTIVE-EXPIRE 0
         B: RPUSH b old
         B: PEXPIRE b 1
         B: DEBUG SLEEP 0.01
         B: RPUSH a new
         B: LRANGE b 0 -1
         B: DEBUG SET-ACTIVE-EXPIRE 1",
        // LMOVE serves those who wait for its destination.
        "A: BLPOP b 0
         B: RPUSH a 1 2
         B: LMOVE a b LEFT LEFT
         B: RPOPLPUSH a b
         B: EXISTS a b",
    ]);
}

#[test]
fn all_ways_to_fill_a_key_serve() {
    stage::compare(&[
        "A: BLPOP k 0
         B: RPUSH o 1 2
         B: RENAME o k
         B: LRANGE k 0 -1",
        "A: BLPOP k 0
         B: RPUSH o 1 2
         B: RENAMENX o k
         B: LRANGE k 0 -1",
        "A: BLPOP k 0
         B: RPUSH o 1 2
         B: COPY o k
         B: LRANGE k 0 -1
         B: LRANGE o 0 -1",
        "A: BLPOP k 0
         B: SELECT 1
         B: RPUSH k 1 2
         B: MOVE k 0
         B: EXISTS k
         A: LRANGE k 0 -1",
        "A: BLPOP k 0
         B: SELECT 1
         B: RPUSH k 1 2
         B: SWAPDB 0 1
         A: LRANGE k 0 -1",
        "A: BLPOP k 0
         B: RPUSH o 2 1
         B: SORT o STORE k
         B: LRANGE k 0 -1",
        "A: BLPOP k 0
         B: RPUSH o b a
         B: SORT o BY w_* GET # GET w_* STORE k
         B: LRANGE k 0 -1",
        // A list of 1 and 2.
        r#"A: BLPOP k 0
  B: RESTORE k 0 "\x12\x01\x02\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff\x0a\x00\xdd\xe7\x1a\x28\xae\x39\x1b\x98"
         B: LRANGE k 0 -1"#,
        "A: BLPOP k 0
         B: LPUSHX k 1
         B: LINSERT k BEFORE a b
         B: FLUSHALL
         B: RPUSH k 1",
    ]);
}

#[test]
fn a_wait_can_be_ended_otherwise() {
    stage::compare(&[
        // Of the clients that wait for replicas, none is ever served.
        "A: WAIT 1 0
         A: PING
         C: BLPOP k 0
         B: CLIENT UNBLOCK $A
         A: WAIT 1 60000
         B: CLIENT UNBLOCK $A ERROR
         B: RPUSH k x
         A: MULTI
         A: WAIT 5 0
         A: EXEC
         A: WAIT 1 0
         B: CLIENT KILL ID $A",
        "A: BLPOP k 0
         B: CLIENT UNBLOCK $A
         A: BLPOP k 0
         B: CLIENT UNBLOCK $A TIMEOUT
         A: BLPOP k 0
         B: CLIENT UNBLOCK $A error
         B: CLIENT UNBLOCK $A
         B: RPUSH k 1
         B: LRANGE k 0 -1
         A: BLMOVE n k LEFT LEFT 0
         B: CLIENT UNBLOCK $A
         A: BLMPOP 0 1 n LEFT
         B: CLIENT UNBLOCK $A
         B: CLIENT UNBLOCK $B",
        // The errors that end a wait are counted.
        "B: CONFIG RESETSTAT
         A: BLPOP k 0
         B: CLIENT UNBLOCK $A error
         A: BLMOVE k s LEFT LEFT 0
         B: SET s v
         B: RPUSH k x
         B: INFO errorstats",
        "A: BLPOP k 0
         B: BLPOP k 0
         C: BLPOP k 0
         A: (leaves)
         D: CLIENT KILL ID $B
         D: RPUSH k 1 2
         D: LRANGE k 0 -1",
        "A: BLPOP a k 0
         B: BLPOP k 60
         A: (leaves)
         C: RPUSH k 1
         C: RPUSH a 1
         C: EXISTS a b k s",
    ]);
}

/// When a key is filled, 7.2 carries out the waiting client's command again: it takes from the first of its keys that
/// is there. 7.0 takes from the key that was filled.
#[test]
fn a_waiting_client_is_served_as_if_its_command_came_now() {
    stage::check(&[
        // Filled second, but named first.
        r#"A: BLPOP k1 k2 0
        B: MULTI
        B: RPUSH k2 1 2
        B: RPUSH k1 5
        B: EXEC
        to A: "*2\r\n$2\r\nk1\r\n$1\r\n5\r\n"
        to B: "*2\r\n:2\r\n:1\r\n"
        B: LRANGE k2 0 -1
        to B: "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
        B: EXISTS k1
        to B: ":0\r\n""#,
        // Of those who wait for the same keys, D finds what A has left, and C nothing.
        r#"A: BRPOP x k1 k2 0
        C: BLPOP k1 0
        D: BLPOP k2 k1 0
        B: MULTI
        B: RPUSH k2 1 2
        B: RPUSH k1 5
        B: EXEC
        to A: "*2\r\n$2\r\nk1\r\n$1\r\n5\r\n"
        to B: "*2\r\n:2\r\n:1\r\n"
        to D: "*2\r\n$2\r\nk2\r\n$1\r\n1\r\n"
        B: LRANGE k2 0 -1
        to B: "*1\r\n$1\r\n2\r\n"
        B: RPUSH k1 6
        to B: ":1\r\n"
        to C: "*2\r\n$2\r\nk1\r\n$1\r\n6\r\n""#,
        // A key that is gone at the end of the transaction is none.
        r#"A: BLPOP k1 k2 0
        B: MULTI
        B: RPUSH k1 5
        B: RPUSH k2 1
        B: LPOP k1
        B: EXEC
        to A: "*2\r\n$2\r\nk2\r\n$1\r\n1\r\n"
        to B: "*3\r\n:1\r\n:1\r\n$1\r\n5\r\n""#,
        r#"A: BLMPOP 0 2 k1 k2 LEFT COUNT 2
        B: MULTI
        B: RPUSH k2 1 2
        B: RPUSH k1 5 6 7
        B: EXEC
        to A: "*2\r\n$2\r\nk1\r\n*2\r\n$1\r\n5\r\n$1\r\n6\r\n"
        to B: "*2\r\n:2\r\n:3\r\n"
        B: LRANGE k1 0 -1
        to B: "*1\r\n$1\r\n7\r\n""#,
        // Each wait ends by an error, which is the same in both versions of the protocol.
        r#"A: BZMPOP 0 2 k1 k2 MAX
        C: BZPOPMIN k1 k2 0
        D: BZPOPMAX k1 k2 0
        B: MULTI
        B: ZADD k2 1 m
        B: SET k1 v
        B: EXEC
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        to B: "*2\r\n:1\r\n+OK\r\n"
        to C: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        to D: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        B: ZCARD k2
        to B: ":1\r\n""#,
        // A key that is named before and cannot be taken from stands in the way, though it was there before the
        // transaction.
        r#"A: BLPOP k1 k2 0
        B: SET k1 v
        B: RPUSH k2 1
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        to B: ":1\r\n"
        B: LRANGE k2 0 -1
        to B: "*1\r\n$1\r\n1\r\n""#,
        // Unless it has expired.
        r#"A: BLPOP k1 k2 0
        B: DEBUG SET-ACTIVE-EXPIRE 0
        B: SET k1 v PX 1
        B: DEBUG SLEEP 0.01
        B: RPUSH k2 1
        to A: "*2\r\n$2\r\nk2\r\n$1\r\n1\r\n"
        to B: ":1\r\n"
        B: DEBUG SET-ACTIVE-EXPIRE 1"#,
        // More keys than those whose shards a queue notes, and one of them twice.
        r#"A: BLPOP 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 k1 k2 k2 0
        B: SET 29 v
        B: RPUSH k2 1
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        to B: ":1\r\n"
        B: DEL k2
        to B: ":1\r\n"
        A: BLPOP k1 k1 k2 k2 k2 0
        B: RPUSH k2 1
        to A: "*2\r\n$2\r\nk2\r\n$1\r\n1\r\n"
        to B: ":1\r\n""#,
        // Those who wait for one key are served in the order in which they came, whatever their commands.
        r#"A: BLPOP k 0
        C: BLMPOP 0 2 k0 k RIGHT
        D: BLPOP k0 k 0
        B: RPUSH k 1 2 3
        to A: "*2\r\n$1\r\nk\r\n$1\r\n1\r\n"
        to B: ":3\r\n"
        to C: "*2\r\n$1\r\nk\r\n*1\r\n$1\r\n3\r\n"
        to D: "*2\r\n$1\r\nk\r\n$1\r\n2\r\n""#,
    ]);
}

/// What 7.0 does not have.
#[test]
fn waitaof_waits_for_replicas_alone() {
    stage::check(&[r#"
        A: WAITAOF 0 1 0
        B: CLIENT UNBLOCK $A
        to A: "*2\r\n:0\r\n:0\r\n"
        to B: ":1\r\n"
        A: WAITAOF 0 0 0
        to A: "*2\r\n:0\r\n:0\r\n"
        A: MULTI
        A: WAITAOF 0 1 0
        A: EXEC
        to A: "*1\r\n*2\r\n:0\r\n:0\r\n"
        A: WAITAOF 1 0 0
        to A: "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"
        A: WAITAOF 2 0 0
        to A: "-ERR value is out of range, value must between 0 and 1\r\n"
        A: WAITAOF x 0 0
        to A: "-ERR value is not an integer or out of range\r\n"
        A: WAITAOF 1 -1 0
        to A: "-ERR value is out of range, must be positive\r\n"
        A: WAITAOF 1 x 0
        to A: "-ERR value is out of range, must be positive\r\n"
        A: WAITAOF 1 0 -1
        to A: "-ERR timeout is negative\r\n"
        A: WAITAOF 1 0 x
        to A: "-ERR timeout is not an integer or out of range\r\n"
        A: WAITAOF 1 0 9223372036854775807
        to A: "-ERR timeout is out of range\r\n"
        A: WAITAOF 0 0
        to A: "-ERR wrong number of arguments for 'waitaof' command\r\n"
    "#]);
}

/// CLIENT PAUSE: what waits, what is answered, and how it ends.
#[test]
fn pauses() {
    stage::compare(&[
        "A: CLIENT PAUSE 100000 WRITE
         A: GET k
         A: PING
         B: SET k v
         A: GET k
         C: PUBLISH c x
         D: PFCOUNT h
         E: MULTI
         E: GET j
         E: SET j 1
         F: BLPOP l 0
         G: SET k
         G: NOTHING
         G: SUBSCRIBE c2
         A: CLIENT UNPAUSE
         E: EXEC
         A: RPUSH l x",
        "A: MULTI
         A: SET q 1
         A: CLIENT PAUSE 100000 WRITE
         A: SET q 2
         A: EXEC
         B: SET q 3
         A: GET q
         A: CLIENT UNPAUSE
         A: GET q",
        "B: MULTI
         B: INCR x
         C: MULTI
         C: GET x
         A: CLIENT PAUSE 100000 WRITE
         C: EXEC
         B: EXEC
         A: CLIENT UNPAUSE
         A: GET x",
        "A: CLIENT PAUSE 100000 WRITE
         A: CLIENT PAUSE 1 WRITE
         A: CLIENT PAUSE 0 WRITE
         B: SET k v
         A: GET k
         B: (leaves)
         A: CLIENT UNPAUSE
         A: GET k",
        "A: CLIENT PAUSE 100 ALL
         B: PING
         C: SET
         D: CLIENT UNPAUSE",
        "A: CLIENT PAUSE 0
         B: PING
         A: CLIENT PAUSE 100 ALL
         A: CLIENT PAUSE 100000 WRITE
         B: SET k v
         A: CLIENT UNPAUSE",
    ]);
}

/// Redis 7.0 stops when it is told to unblock a client that is paused.
#[test]
fn a_paused_client_can_be_disconnected_but_not_unblocked() {
    stage::check(&[r#"
        A: CLIENT PAUSE 100000 WRITE
        B: SET k v
        A: CLIENT UNBLOCK $B
        to A: ":0\r\n"
        A: CLIENT KILL ID $B
        to A: ":1\r\n"
        B is disconnected
        A: CLIENT UNPAUSE
        A: EXISTS k
        to A: ":0\r\n"
    "#]);
}
