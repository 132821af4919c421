//! Client-side caching, compared with a real redis-server: who hears of which key, when, and in what order.

use crate::common::stage;

const SCRIPTS: &[&str] = &[
    r#"A: CLIENT TRACKING ON
     A: GET k
     A: GET k2
     B: SET k v
     B: SET k w
     A: PING
     A: GET k
     A: SET k x
     A: MGET k k2 k3
     B: DEL k k2 k3
     A: GET k
     B: FLUSHALL
     A: GET k
     A: FLUSHDB
     A: RESET"#,
    r#"A: CLIENT TRACKING ON NOLOOP
     A: GET k
     A: SET k v
     A: PING
     A: GET k
     B: SET k v
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKINGINFO
     A: RESET"#,
    r#"A: CLIENT TRACKING ON OPTIN
     A: GET k
     B: SET k v2
     A: PING
     A: CLIENT CACHING YES
     A: CLIENT TRACKINGINFO
     A: CLIENT GETREDIR
     A: GET k
     A: GET z
     B: SET z 1
     B: SET k v3
     A: CLIENT CACHING YES
     A: MULTI
     A: GET k
     A: GET z
     A: EXEC
     B: SET z 2
     B: SET k 4
     A: CLIENT TRACKING ON OPTOUT
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKING ON OPTOUT
     A: CLIENT CACHING NO
     A: GET k
     B: SET k 5
     A: PING
     A: GET k
     B: SET k 6
     A: CLIENT TRACKING OFF
     A: RESET"#,
    r#"A: CLIENT TRACKING ON
     A: EVAL "redis.call('SET', 'k', 1) return redis.call('GET', 'k')" 1 k
     B: SET k 2
     A: EVAL "return redis.call('GET', 'k')" 1 k
     A: EVAL "redis.call('SET', 'k', 3) return redis.call('MGET', 'k', 'z')" 2 k z
     B: MSET k 4 z 4
     A: RESET"#,
    r#"A: CLIENT TRACKING ON BCAST PREFIX a PREFIX b
     A: RESET"#,
    r#"A: CLIENT TRACKING ON BCAST PREFIX ab
     A: CLIENT TRACKING ON BCAST PREFIX c PREFIX cd
     A: CLIENT TRACKING ON
     A: CLIENT TRACKINGINFO
     B: MSET a1 x b1 y c1 z a2 z
     A: SET a1 x
     B: MULTI
     B: SET a1 x
     B: INCR b2
     B: EXEC
     B: EVAL "redis.call('set','a5',1) redis.call('set','a6',1) return 1" 2 a5 a6
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKING ON BCAST
     B: SET q 1
     B: FLUSHALL
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKING ON BCAST NOLOOP
     A: SET q 1
     A: PING
     B: SET q 2
     A: CLIENT TRACKINGINFO
     A: CLIENT TRACKING ON
     A: MULTI
     A: GET k
     A: SET k 1
     A: GET k
     A: EXEC
     A: EVAL "return redis.call('get','e1')" 1 e1
     B: SET e1 1
     A: OBJECT ENCODING e1
     B: APPEND e1 x
     A: EXISTS e1
     B: RENAME e1 e3
     A: STRLEN e3
     B: SWAPDB 0 1
     A: PING
     B: SWAPDB 0 1
     A: PING
     A: LRANGE l 0 -1
     B: RPUSH l 1
     A: SUBSCRIBE ch
     B: PUBLISH ch m
     A: RESET"#,
    // By another connection.
    r#"R: SUBSCRIBE __redis__:invalidate
     A: CLIENT TRACKING ON REDIRECT $R
     A: GET k
     B: SET k v
     A: GET k
     A: SET k v
     A: GET k
     B: FLUSHALL
     A: MGET k l
     B: MSET k 1 l 2
     A: CLIENT TRACKING ON REDIRECT 999999
     A: CLIENT TRACKING ON REDIRECT x
     A: CLIENT TRACKING ON REDIRECT -1
     A: CLIENT TRACKING ON REDIRECT $R REDIRECT $R
     A: GET k
     R: (leaves)
     B: SET k v
     A: GET k
     B: SET k v
     A: CLIENT TRACKING OFF
     A: CLIENT TRACKINGINFO"#,
    // By another connection that has asked for nothing: with RESP3 it hears, with RESP2 not.
    r#"R: PING
     A: CLIENT TRACKING ON REDIRECT $R
     A: GET k
     B: SET k v
     A: GET k
     R: GET k
     B: SET k v
     R: BLPOP l 0
     A: GET k
     B: SET k v
     B: RPUSH l x
     R: HELLO 2
     A: GET k
     B: SET k v
     R: PING"#,
    // What is wrong.
    r#"A: CLIENT TRACKING
     A: CLIENT TRACKING x
     A: CLIENT TRACKING on x
     A: CLIENT TRACKING on REDIRECT
     A: CLIENT TRACKING on PREFIX a
     A: CLIENT TRACKING on BCAST OPTIN
     A: CLIENT TRACKING off x
     A: CLIENT TRACKING off OPTIN
     A: CLIENT CACHING x
     A: CLIENT CACHING yes
     A: CLIENT GETREDIR
     A: CLIENT TRACKING on OPTIN
     A: CLIENT CACHING x
     A: CLIENT CACHING no
     A: CLIENT TRACKING on OPTOUT
     A: CLIENT TRACKING on NOLOOP
     A: CLIENT TRACKINGINFO
     A: CLIENT TRACKING on BCAST
     A: CLIENT TRACKING off
     A: CLIENT TRACKING on BCAST PREFIX a PREFIX b
     A: CLIENT TRACKING on BCAST PREFIX ab
     A: CLIENT TRACKING on BCAST PREFIX c PREFIX c
     A: CLIENT TRACKING on BCAST
     A: RESET"#,
    // Every kind of reader and of change.
    r#"A: CLIENT TRACKING ON
     A: EVAL_RO "return redis.call('get','e')" 1 e
     B: SET e 1
     A: XREAD STREAMS s 0
     B: XADD s 1-1 f v
     A: WATCH m
     B: SET m 1
     A: UNWATCH
     A: TTL m
     B: EXPIRE m 100
     A: GET m
     B: PERSIST m
     A: GET m
     B: COPY m n
     A: GET n
     B: COPY m n REPLACE
     A: PFCOUNT h
     B: PFADD h 1
     A: SINTER a b
     B: SADD b 1
     A: BLPOP l 1
     A: LLEN l
     C: BLPOP l 0
     B: RPUSH l x
     A: GET m
     B: EVAL "redis.call('set','m',1) redis.call('set','m',2) return 1" 1 m
     A: GET m
     A: GET n
     B: MULTI
     B: SET n 1
     B: SET m 1
     B: EXEC
     A: GET m
     B: RESTORE m 0 x
     B: CONFIG SET maxmemory-policy allkeys-lru
     B: CONFIG SET maxmemory 1
     B: PING
     B: CONFIG SET maxmemory 0
     B: CONFIG SET maxmemory-policy noeviction
     A: RESET"#,
];

#[test]
fn clients_hear_of_what_they_have_read() {
    stage::compare(SCRIPTS);
}

/// Clients that track beside others that watch, and keys that go because their time is over.
#[test]
fn whole_databases_and_expired_keys() {
    stage::compare(&[
        "A: CLIENT TRACKING ON BCAST
         W: WATCH w
         B: SET w 1
         W: WATCH w
         B: SWAPDB 0 1
         B: SWAPDB 0 1
         W: UNWATCH
         W: WATCH w
         B: DEBUG RELOAD
         W: WATCH w
         B: FLUSHALL
         A: RESET",
        "A: DEBUG SET-ACTIVE-EXPIRE 0
         A: CLIENT TRACKING ON BCAST NOLOOP
         A: SET k v PX 1
         B: DEBUG SLEEP 0.01
         A: GET k
         A: SET k v PX 1
         B: DEBUG SLEEP 0.01
         A: SET k w
         A: SET k v PX 1
         B: DEBUG SLEEP 0.01
         A: DEL k
         A: EVAL \"return redis.call('SET', KEYS[1], 1)\" 1 k
         A: DEBUG SET-ACTIVE-EXPIRE 1
         A: RESET",
    ]);
}

/// What a script reads is remembered by its commands, a served reader of a stream is remembered anew, and a client that
/// gets the messages of another one hears of its own changes after the reply.
#[test]
fn what_7_0_does_otherwise() {
    stage::check_in(
        &[3],
        &[
            r#"A: CLIENT TRACKING ON
             A: EVAL "redis.call('set','k',1) redis.call('get','k') return 1" 1 k
             to A: ":1\r\n"
             B: APPEND k x
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
             to B: ":2\r\n"
             A: EVAL "redis.call('get','k') redis.call('set','k',1) return 1" 1 k
             to A: ":1\r\n"
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
             B: APPEND k x
             to B: ":2\r\n""#,
            r#"A: CLIENT TRACKING ON
             A: XREAD BLOCK 0 STREAMS s $
             B: XADD s 1-1 f v
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\ns\r\n"
             to A: "%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
             to B: "$3\r\n1-1\r\n"
             B: XADD s 1-2 f v
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\ns\r\n"
             to B: "$3\r\n1-2\r\n"
             B: XADD s 1-3 f v
             to B: "$3\r\n1-3\r\n""#,
            r#"A: CLIENT TRACKING ON
             A: LLEN l
             to A: ":0\r\n"
             A: BLPOP l 0
             B: RPUSH l x
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nl\r\n"
             to A: "*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
             to B: ":1\r\n""#,
            r#"A: CLIENT TRACKING ON BCAST NOLOOP
             B: CLIENT TRACKING ON BCAST NOLOOP
             A: BLPOP l 0
             B: RPUSH l x
             to A: "*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
             to B: ":1\r\n"
             to B: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nl\r\n""#,
            r#"A: PING
             to A: "+PONG\r\n"
             B: CLIENT TRACKING ON REDIRECT $A
             B: STRLEN k
             to B: ":0\r\n"
             A: APPEND k x
             to A: ":1\r\n"
             to A: ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n""#,
        ],
    );
}
